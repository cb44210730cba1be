"""What the exception that a task ended with means to its run."""

from __future__ import annotations

from distributed import KilledWorker

from exmc.errors import ClusterError, ExmcError


class GivenUpError(ClusterError):
    """A task whose workers died again and again, so that the scheduler does not give it to another."""


def meaning(error: BaseException, key: str, remedy: str) -> BaseException:
    """What to raise for `error` of the task `key`: an `ExmcError`, or `error` itself if it is a defect."""
    if isinstance(error, ClusterError):
        return ClusterError(f"the task {key} failed for good: {error.message}", remedy=remedy)
    if isinstance(error, ExmcError):
        return error
    what = f"{type(error).__name__}: {error}."
    if isinstance(error, KilledWorker):
        return GivenUpError(f"the task {key} was given up: {what}", remedy=remedy)
    # Packages that a worker lacks are the infrastructure's too.
    if isinstance(error, ImportError) or type(error).__module__.startswith("distributed"):
        return ClusterError(f"the task {key} failed for good: {what}", remedy=remedy)
    return error
