"""How a run ends that is not finished, as the errors that say so, and how to go on with it."""

from __future__ import annotations

from exmc.errors import ClusterError, ExmcError
from pipelines.control import StoppedError
from pipelines.plan import Plan
from pipelines.schedule import Schedule


def how_to_resume(plan: Plan) -> str:
    """The remedy for everything that ends a run from outside."""
    return f"What was drawn is kept: exmc resume {plan.directory}"


def lost(plan: Plan) -> ClusterError:
    """The scheduler is out of reach."""
    return ClusterError("the connection to the scheduler was lost.", remedy=how_to_resume(plan))


def stopped(plan: Plan) -> StoppedError:
    """The run was asked to end."""
    return StoppedError("the run was stopped.", remedy=f"Go on with: exmc resume {plan.directory}")


def unfinished(plan: Plan, schedule: Schedule) -> ExmcError:
    """No chain can go on, and the run is not complete: too many failed, or it was asked to end."""
    if not schedule.hopeless:
        return stopped(plan)
    chain, reason = min(schedule.failed.items())
    return ExmcError(
        f"{len(schedule.failed)} of {schedule.chains} chains failed, and {plan.min_chains} must finish; "
        f"chain {chain}: {reason}",
        remedy=f"Tracebacks: {plan.directory}/state/chain-*/failed.json",
    )
