"""The live posterior of a run on a scheduler, from any machine that reaches that."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from exmc.errors import ExmcError
from exmc.trace.files import Location, location
from pipelines.attachment import Attachment, chosen, going_on
from pipelines.checkpoint import read_checkpoint
from pipelines.cluster import attach
from pipelines.config import parse_cluster
from pipelines.live import Live
from pipelines.mirror import Mirror, mirrored
from pipelines.places import Places
from pipelines.sections import RemoteCluster
from pipelines.topic import Announcement, topic_of

_SECONDS_BETWEEN_LOOKS = 1.0

R = TypeVar("R")


@contextlib.contextmanager
def attached(address: str, run: str | None = None) -> Iterator[Live]:
    """The posterior so far of the run that goes on on the scheduler at `address`, in a block.

    It is that of `Live` on the run's directory: read there, if this machine sees it, else fetched through a worker as
    draws are told of. `run` names the one that is meant where several go on; certificates for ``tls://`` are those of
    Dask's configuration.

    Raises
    ------
    ClusterError
        If the scheduler does not answer, or has no run.
    ConfigError
        If it is not clear which run is meant.
    StoreError
        If neither this machine nor a worker can read the run's directory.
    """
    with attachment_to(address, run) as attachment:
        seen = seen_here(attachment.run)
        if seen is not None:
            yield Live(seen)
            return
        with mirrored(attachment, draws=True) as mirror, _kept_up(mirror, attachment):
            yield Live(mirror.directory)


@contextlib.contextmanager
def attachment_to(address: str, run: str | None) -> Iterator[Attachment]:
    """The run that goes on on the scheduler at `address`; raises as `attached` does."""
    cluster = parse_cluster({"address": address}, Places("address", {}))
    assert isinstance(cluster, RemoteCluster)
    with attach(cluster) as client:
        yield Attachment(client, chosen(going_on(client), run, address))


def seen_here(run: Announcement) -> Location | None:
    """The directory of `run`, if this machine sees it at the same place; another run may lie there."""
    with contextlib.suppress(ExmcError, OSError):
        directory = location(run.directory)
        if topic_of(read_checkpoint(directory).plan) == run.topic:
            return directory
    return None


def at_directory(attachment: Attachment, function: Callable[..., R], *arguments: Any) -> R:
    """What `function` returns of the run's directory: here, if this machine sees that, else on a worker.

    Raises what `function` does here, and `StoreError` if no worker answers.
    """
    seen = seen_here(attachment.run)
    return attachment.on_worker(function, *arguments) if seen is None else function(seen, *arguments)


@contextlib.contextmanager
def _kept_up(mirror: Mirror, attachment: Attachment) -> Iterator[None]:
    """Have a thread take in what is pushed."""

    def take_in() -> None:
        # That the scheduler is lost for good is seen by numbers that move no more.
        with contextlib.suppress(ExmcError):
            while not attachment.left:
                mirror.driven()
                mirror.pause(_SECONDS_BETWEEN_LOOKS)

    thread = threading.Thread(target=take_in, name="exmc-mirror", daemon=True)
    thread.start()
    try:
        yield
    finally:
        attachment.leave()
        thread.join()
