"""A run is shown by whoever reaches its scheduler, whether or not its directory is seen from there."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from pipelines import watch
from pipelines.attachment import going_on, name_of
from pipelines.cli import main
from tests.pipelines.running import LONG, PATIENCE, await_that, begun_on


def test_a_scheduler_without_runs_says_so(cluster: LocalCluster, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", cluster.scheduler_address]) == 1
    said = capfd.readouterr().err
    assert "no run goes on on this scheduler" in said
    assert len(said.splitlines()) == 1
    assert main(["watch", "tcp://127.0.0.1:9"]) == 1
    assert "did not answer" in capfd.readouterr().err
    assert main(["watch", "tls://127.0.0.1:9"]) == 1
    assert "has no certificates. Give them" in capfd.readouterr().err
    assert main(["watch", "runs/x", "--run", "x"]) == 2
    assert "--run" in capfd.readouterr().err


@pytest.mark.usefixtures("seen")
def test_a_run_is_watched_by_its_scheduler_to_its_end(
    cluster: LocalCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = begun_on(cluster, tmp_path)
    assert main(["watch", cluster.scheduler_address, "--run", "small"]) in (0, 3)
    shown, err = capfd.readouterr()
    assert run.wait(PATIENCE)
    assert "r_hat" in shown
    assert str(run.directory) in shown
    stages = [line.split()[1] for line in err.splitlines() if line.endswith(" s")]
    assert stages == ["build", "rewrite", "compile", "warm-up", "sampling", "diagnosis"]
    assert err.count("600/600 draws") == 2
    assert "Traceback" not in err


def test_several_runs_are_named(
    cluster: LocalCluster, client: Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        runs.append(begun_on(cluster, tmp_path / name, LONG))
    assert main(["watch", cluster.scheduler_address]) == 2
    said = capfd.readouterr().err
    assert all(str(run.directory) in said for run in runs)
    wanted = next(run for run in going_on(client) if run.directory == str(runs[1].directory))
    assert f"--run {name_of(wanted)}" in said or "--run small-" in said
    assert main(["watch", cluster.scheduler_address, "--run", name_of(wanted), "--once"]) == 0
    assert f"It is being run now, in {runs[1].directory}." in capfd.readouterr().out
    for run in runs:
        assert run.cancel(PATIENCE)
    await_that(lambda: not going_on(client))


def test_sigterm_ends_a_watcher_that_leaves_nothing(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor does it end the run."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(watch, "seen_here", lambda run: None)
    run = begun_on(cluster, tmp_path, LONG)

    def terminate() -> None:
        await_that(lambda: [path for path in temporary.glob("exmc-watch-*/events.jsonl") if path.stat().st_size])
        os.kill(os.getpid(), signal.SIGTERM)

    # A watcher that does not heed it would see the run stopped, and end for that.
    before = signal.signal(signal.SIGTERM, lambda number, frame: run.abort())
    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        assert main(["watch", cluster.scheduler_address]) == 130
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    assert "exmc: no longer watching." in capfd.readouterr().err
    assert list(temporary.iterdir()) == []
    assert run.status.state == "running"
    assert run.cancel(PATIENCE)
