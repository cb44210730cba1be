"""What the commands do with a run whose driver is another process: hand it over, ask it to hold or end."""

from __future__ import annotations

import sys
from pathlib import Path

from exmc.errors import ConfigError, StoreError
from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath
from pipelines.checkpoint import read_checkpoint
from pipelines.cli import PASSED
from pipelines.code import check_code, moved
from pipelines.config import parse_cluster
from pipelines.detach import LOG, detach
from pipelines.entrust import entrust
from pipelines.guard import say, shown_path
from pipelines.locks import being_run, owner_of
from pipelines.places import Places
from pipelines.requests import Wish, request, requested
from pipelines.sections import Cluster, RemoteCluster


def ask(directory: Location, wish: Wish, remedy: str) -> int:
    """Ask the run in `directory` for `wish`; `StoreError` if nobody runs it, or if that cannot be written."""
    if not being_run(directory):
        raise StoreError("nobody runs this run.", where=(str(directory),), remedy=f"See: exmc summary {directory}")
    try:
        request(directory, wish)
    except OSError as error:
        message = f"the run could not be asked to {wish}: {error.strerror or error}."
        owner = owner_of(directory)
        remedy = f"Try again once its storage can be written{f', or send SIGTERM to {owner}' if owner else ''}."
        raise StoreError(message, where=(str(directory),), remedy=remedy) from None
    print(f"exmc: {directory} was asked to {wish}, which it does once its segments are done. {remedy}", file=sys.stderr)
    return PASSED


def let_go_on(directory: Location) -> bool:
    """Let the run in `directory` go on if its driver holds it; whether it did."""
    if requested(directory) is not Wish.PAUSE or not being_run(directory):
        return False
    request(directory, Wish.GO)
    print(f"exmc: {directory} goes on. To follow it: exmc watch {directory}", file=sys.stderr)
    return True


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
