"""What a driver tells of its run: stages that are done, segments, losses and notes, each once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from exmc.errors import ExmcError
from pipelines.events import Event, Kind, Listener
from pipelines.segments import Outcome


@dataclass(slots=True)
class Telling:
    """Puts events before `on_event`, by the seconds since `started`; `locate` says where in the config a note belongs.

    `reported` is how far each chain was told of, by iterations, of which the first `warmup` are warm-up: a run that
    begins again meets its segments again.
    """

    on_event: Listener
    started: float
    warmup: int
    locate: Callable[[ExmcError], ExmcError] = lambda error: error
    reported: dict[int, float] = field(default_factory=dict)
    stage_began: float = field(default_factory=time.perf_counter)

    def stage_done(self, stage: str) -> None:
        """Tell that `stage` is done, and that the next one begins."""
        now = time.perf_counter()
        self.on_event(Event(kind="stage", seconds=self.elapsed(), stage=stage, took=now - self.stage_began))
        self.stage_began = now

    def stage_begins(self) -> None:
        """The stage to be told of next begins now."""
        self.stage_began = time.perf_counter()

    def segment(self, outcome: Outcome) -> None:
        """Tell of a segment, or of a chain that failed, unless that was told."""
        receipt = outcome.receipt
        reached = math.inf if outcome.failure else 0.0
        if receipt is not None:
            reached = receipt.draws_done + (0 if receipt.warmup else self.warmup)
        if self.is_further(outcome.task.chain, reached):
            kind: Kind = "chain_failed" if outcome.failure else "segment"
            chain, message = outcome.task.chain, outcome.failure
            self.on_event(Event(kind=kind, seconds=self.elapsed(), chain=chain, receipt=receipt, message=message))

    def is_further(self, number: int, reached: float) -> bool:
        """Whether it was not told yet that the chain of `number` has `reached` so many iterations; it is, then."""
        if reached <= self.reported.get(number, 0.0):
            return False
        self.reported[number] = reached
        return True

    def notes(self, notes: tuple[ExmcError, ...]) -> None:
        """Say what is slow, and where in the config that comes from."""
        for note in notes:
            self.say("note", str(self.locate(note)))

    def say(self, kind: Kind, message: str, draws: int | None = None) -> None:
        """Tell of what is said in words, and perhaps the `draws` that each chain goes on to."""
        self.on_event(Event(kind=kind, seconds=self.elapsed(), message=message, draws=draws))

    def elapsed(self) -> float:
        """Seconds since the run, or its resumption, began."""
        return time.perf_counter() - self.started
