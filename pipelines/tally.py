"""Where a run stands, counted from its events."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from exmc.sampling.options import SamplerOptions
from pipelines.events import Event

Standing: TypeAlias = Literal["starting", "running", "paused", "finished", "ended"]

# The pace of the last segments tells more of those to come than the pace of all.
_PACE_EVENTS = 64


@dataclass(slots=True)
class ChainTally:
    """One chain; counts of the phase it is in, the warm-up or, after it, sampling."""

    warmup: bool = True
    done: int = 0
    divergences: int = 0
    step_size: float = float("nan")
    gradients: int = 0
    draws: int = 0
    seconds: float = 0.0
    failure: str = ""

    def add(self, event: Event) -> None:
        """Take a segment into account."""
        receipt = event.receipt
        assert receipt is not None
        if self.warmup and not receipt.warmup:
            # Divergences and costs of the warm-up say nothing about the draws that are kept.
            self.divergences, self.gradients, self.draws, self.seconds = 0, 0, 0, 0.0
        self.warmup, self.done, self.step_size = receipt.warmup, receipt.draws_done, receipt.step_size
        self.divergences += receipt.divergences
        self.gradients += receipt.gradients
        self.draws += receipt.draws
        self.seconds += receipt.seconds

    def phase(self, options: SamplerOptions) -> str:
        """What the chain is at, in a word or two."""
        if self.failure:
            return "failed"
        if self.warmup:
            return "warming up"
        return "done" if self.done == options.draws else "sampling"

    def iterations(self, options: SamplerOptions) -> int:
        """Iterations done, of the warm-up too."""
        return self.done if self.warmup else options.warmup + self.done

    @property
    def gradients_per_draw(self) -> float:
        """What a draw of this phase costs; NaN before the first."""
        return self.gradients / self.draws if self.draws else math.nan

    @property
    def draws_per_second(self) -> float:
        """While the chain is being drawn; NaN before the first draw."""
        return self.draws / max(self.seconds, 1e-9) if self.draws else math.nan


@dataclass(slots=True)
class Tally:
    """A run as its events tell it, from the last beginning on."""

    options: SamplerOptions
    chains: list[ChainTally] = field(init=False)
    stages: list[tuple[str, float]] = field(default_factory=list)
    standing: Standing = "starting"
    seconds: float = 0.0
    message: str = ""
    # When how many iterations of all chains were done.
    _pace: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_PACE_EVENTS))
    _iterations: int = 0

    def __post_init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what came before: a run that begins, or goes on, tells all there is."""
        self.chains = [ChainTally(warmup=self.options.warmup > 0) for _ in range(self.options.chains)]
        self.stages.clear()
        self._pace.clear()
        self._iterations = 0

    def add(self, event: Event) -> None:
        """Take `event` into account."""
        self.seconds = event.seconds
        if event.kind == "started":
            self.begin_anew()
            self.standing = "running"
        elif event.kind == "stage":
            self.stages.append((event.stage, event.took or 0.0))
        elif event.kind == "longer" and event.draws is not None:
            self.options = replace(self.options, draws=event.draws)
        elif event.kind == "segment" and event.chain is not None:
            chain = self.chains[event.chain]
            before = chain.iterations(self.options)
            chain.add(event)
            self._iterations += chain.iterations(self.options) - before
            self._pace.append((event.seconds, self._iterations))
        elif event.kind == "chain_failed" and event.chain is not None:
            self.chains[event.chain].failure = event.message
        elif event.kind in _STANDINGS:
            self.standing = _STANDINGS[event.kind]
            self.message = event.message
            # A pause is no time that drawing took.
            self._pace.clear()

    @property
    def total(self) -> int:
        """Iterations that the chains shall do which have not failed, of the warm-up too."""
        return sum(not chain.failure for chain in self.chains) * (self.options.warmup + self.options.draws)

    @property
    def done(self) -> int:
        """Iterations that the chains have done which have not failed."""
        return sum(chain.iterations(self.options) for chain in self.chains if not chain.failure)

    @property
    def divergences(self) -> int:
        """Divergences after the warm-up."""
        return sum(chain.divergences for chain in self.chains if not chain.warmup)

    @property
    def seconds_left(self) -> float:
        """How long drawing will still take at the pace of the last segments; NaN before there is one."""
        left = self.total - self.done
        if left <= 0:
            return 0.0
        if len(self._pace) < 2:
            return math.nan
        (began, first), (ended, last) = self._pace[0], self._pace[-1]
        return left * (ended - began) / (last - first) if last > first and ended > began else math.nan


STAGES = {
    "build": "build",
    "rewrite": "rewrite",
    "compile": "compile",
    "warmup": "warm-up",
    "sample": "sampling",
    "diagnose": "diagnosis",
}
"""The pipeline stages in order, and what people call them."""

_STANDINGS: dict[str, Standing] = {"paused": "paused", "resumed": "running", "finished": "finished", "ended": "ended"}


def duration(seconds: float) -> str:
    """`seconds` for people: 8 s, 3 min 20 s, 2 h 5 min; a dash if nobody knows."""
    if not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
