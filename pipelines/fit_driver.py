"""A fit's rounds, followed: parts submitted together, pooled when all of them are done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from exmc.trace.fits import Fits
from pipelines.events import Event
from pipelines.fit_tasks import PartOutcome, PartTask, RoundOutcome, first_parts, pool_parts
from pipelines.plan import Plan
from pipelines.worker import do_part


class Following(Protocol):
    """What of a run that is followed (`pipelines.graph`) a fit needs."""

    plan: Plan
    futures: dict[str, Any]
    reported: dict[int, float]

    def submit(self, stage: str, function: Any, *arguments: Any, priority: int = 0) -> Any:
        """Submit one task."""

    def completions(self, *futures: Any) -> Iterator[Any]:
        """The futures in the order in which they finish."""

    def result(self, future: Any) -> Any:
        """What a finished task returned."""

    def tell(self, event: Event) -> None:
        """Put an event before whoever listens."""

    def elapsed(self) -> float:
        """Seconds since the run began."""

    def stage_done(self, stage: str) -> None:
        """Tell that a stage is done."""


def fit_rounds(run: Following) -> None:
    """Do every round of the fit that is not done; a run that begins again goes on after the last one pooled.

    Raises `SamplingError` if every part of a round fails.
    """
    last = Fits(run.plan.path, run.plan.fingerprint).last()
    following, digest = first_parts(run.plan), ""
    if last >= 0:
        pooled = _pool(run, last, ())
        following, digest = pooled.following, pooled.digest
    round_number = last + 1
    while following:
        outcomes = _parts(run, [PartTask(round_number, part, digest) for part in following])
        pooled = _pool(run, round_number, outcomes)
        message = f"{run.plan.method}, round {round_number}: {pooled.progress}"
        run.tell(Event(kind="round", seconds=run.elapsed(), message=message))
        following, digest = pooled.following, pooled.digest
        round_number += 1
    # Whoever counts stages knows it by the name of what it takes the place of.
    run.stage_done("warmup")


def _parts(run: Following, tasks: list[PartTask]) -> tuple[PartOutcome, ...]:
    """The outcomes of one round's parts, in their order."""
    compiled, submitted = run.futures["compile"], {}
    for task in tasks:
        stage = f"fit-r{task.round_number}-p{task.part}"
        submitted[run.submit(stage, do_part, run.plan, compiled, task)] = stage
    found = {}
    for future in run.completions(*submitted):
        outcome: PartOutcome = run.result(future)
        found[outcome.task.part] = outcome
        # Its result, not its future, is what pooling goes on from.
        run.futures.pop(submitted[future], None)
        _report(run, outcome)
    return tuple(found[task.part] for task in tasks)


def _report(run: Following, outcome: PartOutcome) -> None:
    # Parts are no chains: they are counted below zero.
    place, reached = -1 - outcome.task.part, float(outcome.task.round_number + 1)
    if reached <= run.reported.get(place, 0.0):
        return
    run.reported[place] = reached
    if outcome.failure:
        message = f"part {outcome.task.part} of round {outcome.task.round_number} of the fit failed: {outcome.failure}"
        run.tell(Event(kind="note", seconds=run.elapsed(), message=message))


def _pool(run: Following, round_number: int, outcomes: tuple[PartOutcome, ...]) -> RoundOutcome:
    future = run.submit(f"fit-r{round_number}", pool_parts, run.plan, run.futures["compile"], round_number, outcomes)
    pooled: RoundOutcome = run.result(next(run.completions(future)))
    run.futures.pop(f"fit-r{round_number}", None)
    return pooled
