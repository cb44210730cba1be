"""A driver that lives on the cluster: a task that runs the run, on whichever worker is alive."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from functools import partial

from distributed import fire_and_forget, get_worker, secede

from pipelines import run
from pipelines.cluster import connect
from pipelines.events import Event
from pipelines.locks import LEASE_SECONDS, TakenError, being_run
from pipelines.plan import Plan
from pipelines.sections import RemoteCluster

_SECONDS_BETWEEN_LOOKS = 0.1
# Longer than a worker takes to import what it needs; a cluster without workers is not waited for.
_SECONDS_TO_BEGIN = 60.0
_SECONDS_TO_LET_GO = 2 * LEASE_SECONDS
_SECONDS_BETWEEN_TRIES = 2.0


def entrust(cluster: RemoteCluster, plan: Plan, draws: int | None, code: str | None = None) -> bool:
    """Have a task of `cluster` finish the run of `plan`, or extend it to `draws`; whether it has begun yet.

    `code` is the folder that its own code is in now, if that has been moved. If the worker that has it dies, the
    scheduler gives it to another, which resumes the run.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached.
    ExmcError
        Whatever the driver raised at once, such as a run directory that the workers do not see.
    """
    with connect(cluster, plan.options.chains) as client:
        key = f"exmc-{plan.label}-{secrets.token_hex(2)}-driver"
        folder = None if code is None else os.path.abspath(code)
        future = client.submit(_drive, plan.directory, draws, folder, cluster.timeout_seconds, key=key, pure=False)
        fire_and_forget(future)  # type: ignore[no-untyped-call]
        deadline = time.monotonic() + _SECONDS_TO_BEGIN
        while time.monotonic() < deadline:
            if future.done():  # type: ignore[no-untyped-call]
                future.result()
                return True
            if being_run(plan.path):
                return True
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return False


def _drive(directory: str | os.PathLike[str], draws: int | None, code: str | None, timeout: float) -> None:
    """The task: it takes none of its worker's threads from the run."""
    cluster = RemoteCluster(address=str(get_worker().scheduler.address), timeout_seconds=timeout)
    secede()  # type: ignore[no-untyped-call]
    if draws is None:
        _once_free(partial(run.resume, directory, _ignore, cluster, code=code))
    else:
        _once_free(partial(run.extend, directory, draws, _ignore, cluster, code=code))


def _once_free(drive: Callable[[], object]) -> None:
    """Call `drive`, again while another process has the run: the driver on a worker that was cut off lets go late."""
    deadline = time.monotonic() + _SECONDS_TO_LET_GO
    while True:
        try:
            drive()
            return
        except TakenError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_SECONDS_BETWEEN_TRIES)


def _ignore(event: Event) -> None:
    del event
