"""A fit's rounds, followed: parts submitted together, pooled when all of them are done."""

from __future__ import annotations

from exmc.trace.fits import Fits
from pipelines.fit_tasks import PartOutcome, PartTask, RoundOutcome, first_parts, pool_parts
from pipelines.plan import Plan
from pipelines.tasks import Tasks
from pipelines.telling import Telling
from pipelines.worker import do_part


def fit_rounds(plan: Plan, tasks: Tasks, telling: Telling) -> None:
    """Do every round of the fit that is not done; a run that begins again goes on after the last one pooled.

    Raises `SamplingError` if every part of a round fails.
    """
    last = Fits(plan.path, plan.fingerprint).last()
    following, digest = first_parts(plan), ""
    if last >= 0:
        pooled = _pool(plan, tasks, last, ())
        following, digest = pooled.following, pooled.digest
    round_number = last + 1
    while following:
        outcomes = _parts(plan, tasks, telling, [PartTask(round_number, part, digest) for part in following])
        pooled = _pool(plan, tasks, round_number, outcomes)
        telling.say("round", f"{plan.method}, round {round_number}: {pooled.progress}")
        following, digest = pooled.following, pooled.digest
        round_number += 1
    # Whoever counts stages knows it by the name of what it takes the place of.
    telling.stage_done("warmup")


def _parts(plan: Plan, tasks: Tasks, telling: Telling, parts: list[PartTask]) -> tuple[PartOutcome, ...]:
    """The outcomes of one round's parts, in their order."""
    compiled = tasks.futures["compile"]
    submitted = [
        tasks.submit_placed(f"fit-r{part.round_number}-p{part.part}", part.part, do_part, plan, compiled, part)
        for part in parts
    ]
    found = {}
    for future in tasks.completions(*submitted):
        outcome: PartOutcome = tasks.result(future)
        found[outcome.task.part] = outcome
        # Its result, not its future, is what pooling goes on from.
        tasks.drop(tasks.stage_of(future), outcome.task.part)
        _tell(telling, outcome)
    return tuple(found[part.part] for part in parts)


def _tell(telling: Telling, outcome: PartOutcome) -> None:
    # Parts are no chains: they are counted below zero.
    task = outcome.task
    if telling.is_further(-1 - task.part, task.round_number + 1) and outcome.failure:
        telling.say("note", f"part {task.part} of round {task.round_number} of the fit failed: {outcome.failure}")


def _pool(plan: Plan, tasks: Tasks, round_number: int, outcomes: tuple[PartOutcome, ...]) -> RoundOutcome:
    stage = f"fit-r{round_number}"
    pooled: RoundOutcome = tasks.answer(stage, pool_parts, plan, tasks.futures["compile"], round_number, outcomes)
    tasks.futures.pop(stage, None)
    return pooled
