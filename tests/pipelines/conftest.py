"""A cluster of this process that others reach, and a client of it; a test that has its own names it so, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from tests.pipelines.running import reachable_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with reachable_cluster() as found:
        yield found


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster.scheduler_address, set_as_default=False) as found:
        yield found
