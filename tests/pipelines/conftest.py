"""A cluster of this process that others reach, a client of it, and whether this machine sees the runs on it.

A test that has its own cluster or client names it so, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from pipelines import remote, watch
from tests.pipelines.running import reachable_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with reachable_cluster() as found:
        yield found


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster.scheduler_address, set_as_default=False) as found:
        yield found


@pytest.fixture(params=[True, False], ids=["seen", "unseen"])
def seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the directory of a run on a scheduler is seen here; else it is reached through a worker."""
    if not request.param:
        for module in (remote, watch):
            monkeypatch.setattr(module, "seen_here", lambda run: None)
    return bool(request.param)
