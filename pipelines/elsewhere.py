"""How the commands hand a run over to a driver that is another process."""

from __future__ import annotations

from pathlib import Path

from exmc.errors import ConfigError, StoreError
from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath
from pipelines.checkpoint import read_checkpoint
from pipelines.code import check_code, moved
from pipelines.config import parse_cluster
from pipelines.detach import LOG, detach
from pipelines.entrust import entrust
from pipelines.exits import PASSED
from pipelines.guard import say, shown_path
from pipelines.locks import being_run
from pipelines.places import Places
from pipelines.sections import Cluster, RemoteCluster


def require_detachable(directory: Location, cluster: Cluster) -> None:
    """Raise `ConfigError` if no process could drive the run in `directory` on `cluster` without this one."""
    if isinstance(directory, ObjectPath) and not isinstance(cluster, RemoteCluster):
        raise ConfigError(
            f"{directory} is no folder that a process of this machine could write its messages to.",
            where=("--detach",),
            remedy="Hand the run to a cluster: --scheduler ADDRESS.",
        )


def hand_over(
    directory: Location, draws: int | None, scheduler: str | None, quiet: bool, code: str | None = None
) -> int:
    """Have the run in `directory` finished, or extended to `draws`, without this process; say how to follow it.

    `code` is the folder that its own code is in now, if that has been moved.
    """
    if being_run(directory):
        remedy = f"To follow it: exmc watch {directory}"
        raise StoreError("another process is running this run.", where=(str(directory),), remedy=remedy)
    checkpoint = read_checkpoint(directory)
    check_code(moved(checkpoint.plan.code, code))
    cluster = checkpoint.cluster
    if scheduler is not None:
        cluster = parse_cluster({"address": scheduler}, Places("--scheduler", {}))
    require_detachable(directory, cluster)
    if isinstance(cluster, RemoteCluster):
        begun = entrust(cluster, checkpoint.plan, draws, code)
        where = f"on {cluster.address}{'' if begun else ' once a worker is free'}"
    else:
        options = [] if draws is None else ["--draws", str(draws)]
        options += [] if code is None else ["--code", code]
        assert isinstance(directory, Path)
        process = detach(directory, ["resume" if draws is None else "extend", str(directory), *options])
        where = f"by process {process}, which writes to {shown_path(directory / LOG)}"
    if not quiet:
        shown = shown_path(directory)
        say(
            f"{checkpoint.plan.label} is run {where}.\nTo follow it: exmc watch {shown}\nTo stop it: exmc abort {shown}"
        )
    return PASSED
