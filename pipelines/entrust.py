"""A driver that lives on the cluster: a task that runs the run, on whichever worker is alive."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from distributed import fire_and_forget, get_worker, secede

from pipelines import run
from pipelines.cluster import connect
from pipelines.events import Event
from pipelines.plan import Plan
from pipelines.sections import RemoteCluster
from pipelines.standing import being_run

_SECONDS_BETWEEN_LOOKS = 0.1
# Longer than a worker takes to import what it needs; a cluster without workers is not waited for.
_SECONDS_TO_BEGIN = 60.0


def entrust(cluster: RemoteCluster, plan: Plan, draws: int | None) -> bool:
    """Have a task of `cluster` finish the run of `plan`, or extend it to `draws`; whether it has begun yet.

    If the worker that has it dies, the scheduler gives it to another, which resumes the run.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached.
    ExmcError
        Whatever the driver raised at once, such as a run directory that the workers do not see.
    """
    with connect(cluster, plan.options.chains) as client:
        key = f"exmc-{plan.label}-{secrets.token_hex(2)}-driver"
        future = client.submit(_drive, plan.directory, draws, cluster.timeout_seconds, key=key, pure=False)
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


def _drive(directory: str | os.PathLike[str], draws: int | None, timeout: float) -> None:
    """The task: it takes none of its worker's threads from the run."""
    cluster = RemoteCluster(address=str(get_worker().scheduler.address), timeout_seconds=timeout)
    secede()  # type: ignore[no-untyped-call]
    if draws is None:
        run.resume(Path(directory), _ignore, cluster)
    else:
        run.extend(Path(directory), draws, _ignore, cluster)


def _ignore(event: Event) -> None:
    del event
