"""A segment as the task of a Dask worker, which ends its process once a chain is stuck in it."""

from __future__ import annotations

import os

from distributed import get_worker

from exmc.compile.program import CompiledModel
from pipelines.plan import Plan
from pipelines.segments import Outcome, SegmentTask, run_segment


def draw_segment(plan: Plan, compiled: CompiledModel, task: SegmentTask) -> Outcome:
    """`run_segment`; if its chain was given up, the worker's process ends, and its nanny begins another.

    The thread that is stuck cannot be ended otherwise: it would go on using a processor, and the lock without which
    autograd interprets no density, so that the next chains here would be given up, too. The failure is recorded by
    then: whoever does this task again finds it. A worker without a nanny, such as a thread of the driver, stays.
    """
    outcome = run_segment(plan, compiled, task)
    if outcome.stuck and get_worker().nanny is not None:
        # In good order it would take seconds, beside a thread that leaves Python to nobody.
        os._exit(1)
    return outcome
