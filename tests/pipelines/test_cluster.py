"""Connecting to clusters, and clusters that are not there."""

from __future__ import annotations

import pytest

from exmc.errors import ClusterError
from pipelines import cluster
from pipelines.sections import RemoteCluster


def test_an_unreachable_scheduler_is_an_error_at_once() -> None:
    section = RemoteCluster(address="tcp://127.0.0.1:9", timeout_seconds=0.3)
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9 did not answer") as raised, cluster.connect(section, 1):
        pass
    assert raised.value.where == ("cluster", "address")
