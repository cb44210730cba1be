"""The live posterior of a run is had by whoever reaches its scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipelines
from exmc.errors import ClusterError, ConfigError
from pipelines import remote
from tests.pipelines.running import LONG, PATIENCE, await_that, begun_on, reachable_cluster


def test_a_live_posterior_grows_wherever_the_directory_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reachable_cluster() as cluster:
        with pytest.raises(ClusterError, match="no run goes on"), pipelines.attached(cluster.scheduler_address):
            pass
        run = begun_on(cluster, tmp_path, LONG)
        with pytest.raises(ConfigError, match="no run 'x'"), pipelines.attached(cluster.scheduler_address, "x"):
            pass
        with pipelines.attached(cluster.scheduler_address, "small") as live:
            assert live.directory == run.directory
            await_that(lambda: live.draws)
        monkeypatch.setattr(remote, "seen_here", lambda run: None)
        with pipelines.attached(cluster.scheduler_address) as live:
            assert live.directory != run.directory
            first = live.draws
            await_that(lambda: live.draws > first)
            assert live["theta"].mean.dims == ("group",)
        assert run.cancel(PATIENCE)
