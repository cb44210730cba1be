"""A run that is given room for more draws while it is driven."""

from __future__ import annotations

from exmc.trace.store import RunStore
from pipelines.checkpoint import mend, read_checkpoint, write_checkpoint
from pipelines.creation import recorded_options
from pipelines.plan import CONFIG, Plan


def lengthen(plan: Plan, draws: int) -> Plan:
    """The plan of the same run with `draws` draws a chain; only while no chain draws. Killed in it, the run resumes."""
    longer = read_checkpoint(plan.path).with_draws(draws)
    write_checkpoint(longer)
    mend(longer, (CONFIG,))
    RunStore.open(plan.path).reopen(draws, {"sampler": recorded_options(longer.plan)})
    return longer.plan
