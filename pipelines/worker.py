"""A segment, or a part of a fit, as the task of a Dask worker, which ends its process once one is stuck in it."""

from __future__ import annotations

import os

from distributed import get_worker

from exmc.compile.program import CompiledModel
from pipelines.fit_tasks import PartOutcome, PartTask, fit_part
from pipelines.plan import Plan
from pipelines.segments import Outcome, SegmentTask, run_segment


def draw_segment(plan: Plan, compiled: CompiledModel, task: SegmentTask) -> Outcome:
    """`run_segment`; if its chain was given up, the worker's process ends, and its nanny begins another.

    The thread that is stuck cannot be ended otherwise: it would go on using a processor, and the lock without which
    autograd interprets no density, so that the next chains here would be given up, too. The failure is recorded by
    then: whoever does this task again finds it. A worker without a nanny, such as a thread of the driver, stays.
    """
    outcome = run_segment(plan, compiled, task)
    _end_if(outcome.stuck)
    return outcome


def do_part(plan: Plan, compiled: CompiledModel, task: PartTask) -> PartOutcome:
    """`fit_part`; if it was given up, the worker's process ends as after `draw_segment`."""
    outcome = fit_part(plan, compiled, task)
    _end_if(outcome.stuck)
    return outcome


def _end_if(stuck: bool) -> None:
    if stuck and get_worker().nanny is not None:
        # In good order it would take seconds, beside a thread that leaves Python to nobody.
        os._exit(1)
