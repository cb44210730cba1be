"""Connecting to clusters, and clusters that are not there."""

from __future__ import annotations

import os

import pytest

from exmc.errors import ClusterError
from pipelines import cluster
from pipelines.sections import LocalCluster, RemoteCluster


def test_an_unreachable_scheduler_is_an_error_at_once() -> None:
    section = RemoteCluster(address="tcp://127.0.0.1:9", timeout_seconds=0.3)
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9 did not answer") as raised, cluster.connect(section, 1):
        pass
    assert raised.value.where == ("cluster", "address")


def test_without_a_say_on_affinity_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no `sched_getaffinity`."""
    with monkeypatch.context() as patched:
        patched.delattr(os, "sched_getaffinity", raising=False)
        patched.setattr(os, "cpu_count", lambda: 3)
        assert cluster._processors() == 3
    assert cluster._processors() >= 1


def test_a_local_cluster_has_a_worker_per_processor_but_no_more_than_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_processors", lambda: 3)
    for chains, workers in ((8, 3), (2, 2)):
        with cluster.connect(LocalCluster(), chains) as client:
            assert len(client.scheduler_info(n_workers=-1)["workers"]) == workers
