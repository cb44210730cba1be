"""A run on a scheduler is paused, goes on and ends at the wish of whoever reaches that, its directory seen or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed import LocalCluster

from pipelines.cli import main
from pipelines.requests import Wish, let_go, request, requested
from tests.pipelines.running import LONG, PATIENCE, await_that, begun_on


@pytest.mark.usefixtures("seen")
def test_a_run_is_asked_by_its_scheduler(
    cluster: LocalCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address = cluster.scheduler_address
    run = begun_on(cluster, tmp_path, LONG)

    def said(*command: str) -> str:
        assert main([command[0], address, *command[1:]]) == 0
        return capfd.readouterr().err

    assert main(["resume", address]) == 1
    assert f"small is not held. To follow it: exmc watch {address}" in capfd.readouterr().err
    asked = "was asked to {}, which it does once its segments are done."
    assert said("pause").endswith(f"{run.directory}, {asked.format('pause')} To go on: exmc resume {address}\n")
    await_that(lambda: run.status.state == "paused")
    assert f"goes on. To follow it: exmc watch {address} --run small" in said("resume", "--run", "small")
    await_that(lambda: run.status.state == "running")
    assert said("abort").endswith(f"{asked.format('stop')} To finish it: exmc resume {run.directory}\n")
    assert run.wait(PATIENCE)
    assert run.status.state == "stopped"


def test_who_is_asked_for_what_is_clear(
    cluster: LocalCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address = cluster.scheduler_address
    for command in ("pause", "abort", "resume"):
        assert main([command, address]) == 1
        assert "no run goes on on this scheduler" in capfd.readouterr().err
        assert main([command, str(tmp_path), "--run", "x"]) == 2
        assert "--run chooses among the runs of a scheduler" in capfd.readouterr().err
    assert main(["resume", address, "--detach"]) == 2
    assert "--detach are for a run directory" in capfd.readouterr().err


def test_a_run_that_shall_end_is_not_let_go_on(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    assert not let_go(tmp_path)
    request(tmp_path, Wish.STOP)
    assert not let_go(tmp_path)
    assert requested(tmp_path) is Wish.STOP
    request(tmp_path, Wish.PAUSE)
    assert let_go(tmp_path)
    assert requested(tmp_path) is Wish.GO
