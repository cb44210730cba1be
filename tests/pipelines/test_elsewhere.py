"""A run whose driver is another process is followed, held, ended and gone on with; its store is as ever."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster as LocalDask

from exmc.trace.store import RunStore
from pipelines import watching
from pipelines.cli import main
from pipelines.events import Event
from pipelines.run import resume, run_config
from pipelines.standing import being_run
from tests.pipelines.running import PATIENCE, SLOW, assert_same_store, begin, stopped_run, write_config


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of the slow config."""
    folder = tmp_path_factory.mktemp("slow")
    run_config(write_config(folder, SLOW), out=folder / "run")
    return folder / "run"


def await_log(directory: Path, word: str) -> None:
    """Wait until `word` stands in the run's log of events."""
    deadline = time.monotonic() + 60
    while word not in (directory / "events.jsonl").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def await_nobody(directory: Path) -> None:
    deadline = time.monotonic() + 60
    while being_run(directory):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_watching_shows_what_running_does(slow: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(slow)]) in (0, 3)
    report = capfd.readouterr().out
    assert main(["watch", str(slow)]) in (0, 3)
    out, err = capfd.readouterr()
    assert out == report
    stages = [line.split()[1] for line in err.splitlines() if line.endswith(" s")]
    assert stages == ["build", "rewrite", "compile", "warm-up", "sampling", "diagnosis"]
    assert err.count("600/600 draws") == 2
    assert main(["watch", str(slow), "--once", "--json"]) in (0, 3)
    assert json.loads(capfd.readouterr().out)["complete"] is True


def test_a_run_that_ended_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = stopped_run(tmp_path)
    assert main(["watch", str(run)]) == 1
    assert capfd.readouterr().err.splitlines()[-1] == "exmc: enough"
    for command in ("pause", "abort"):
        assert main([command, str(run)]) == 1
        assert "nobody runs this run" in capfd.readouterr().err
    # A killed driver says nothing any more.
    log = run / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]) + b'{"kind": "seg')
    assert main(["watch", str(run), "--once"]) == 1
    assert "UNFINISHED" in capfd.readouterr().out


def test_a_watcher_sees_the_last_begin_and_what_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "events.jsonl"
    kinds = ["started", "note", "started", "stage"]

    def write(kind: str) -> None:
        with open(log, "a") as file:
            file.write(Event(kind=kind, seconds=1.0).to_json() + "\n")  # type: ignore[arg-type]

    for kind in kinds:
        write(kind)
    later = iter(["note", "finished"])
    monkeypatch.setattr(watching.time, "sleep", lambda seconds: write(next(later)))
    assert [event.kind for event in watching.events_of(tmp_path)] == ["started", "stage", "note", "finished"]


def test_a_detached_run_outlives_its_command(slow: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config, out = write_config(tmp_path, SLOW), tmp_path / "run"
    with begin(["run", str(config), "--out", str(out), "--detach"], start_new_session=True) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert f"exmc watch {out}" in said
    # What a terminal does when it is closed.
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, signal.SIGHUP)
    assert not RunStore.open(out).complete
    assert main(["watch", str(out)]) in (0, 3)
    shown, err = capfd.readouterr()
    assert "r_hat" in shown
    assert err.count("600/600 draws") == 2
    await_nobody(out)
    assert "r_hat" in (out / "driver.log").read_text()
    assert_same_store(slow, out)


def test_a_detached_run_is_paused_resumed_and_aborted(
    slow: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, out = write_config(tmp_path, SLOW), tmp_path / "run"
    assert main(["run", str(config), "--out", str(out), "--detach", "--quiet"]) == 0
    assert main(["resume", str(out), "--detach"]) == 1
    assert "another process is running this run" in capfd.readouterr().err
    assert main(["pause", str(out)]) == 0
    await_log(out, '"paused"')
    assert main(["watch", str(out), "--once"]) == 0
    shown, err = capfd.readouterr()
    assert "It is being run now" in shown
    assert f"paused; to go on: exmc resume {out}" in err
    assert main(["resume", str(out)]) == 0
    assert "goes on" in capfd.readouterr().err
    assert main(["abort", str(out)]) == 0
    await_nobody(out)
    assert main(["watch", str(out)]) == 1
    err = capfd.readouterr().err
    assert f"the run was stopped. Go on with: exmc resume {out}" in err
    assert "asked by another process\n" in err, "Ctrl-C would end the watching alone"
    assert not RunStore.open(out).complete
    resume(out, lambda event: None)
    assert_same_store(slow, out)


def test_a_run_is_begun_again_without_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A paused run, too, is not let go on instead."""
    run = stopped_run(tmp_path)
    before = (run / "state" / "plan.json").read_bytes()
    for command in (["resume"], ["extend", "--draws", "1250"]):
        assert main([*command, str(run), "--force-restart", "--detach"]) == 0
    shown = capfd.readouterr().out
    for number, draws in ((1, 1200), (2, 1250)):
        again = run.with_name(f"run-restart-{number}")
        assert f"exmc watch {again}" in shown
        assert (again / "driver.log").exists()
        await_nobody(again)
        assert RunStore.open(again).read()["posterior"].sizes["draw"] == draws
    assert (run / "state" / "plan.json").read_bytes() == before
    assert not (run / "driver.log").exists()


def test_a_driver_that_cannot_begin_is_one_message(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = stopped_run(tmp_path)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("seed: 5", "seed: 6"))
    assert main(["resume", str(run), "--detach"]) == 1
    err = capfd.readouterr().err
    assert "the driver ended with status 1" in err
    assert "sampler.seed" in err


@pytest.mark.slow
def test_the_driver_lives_on_the_cluster(slow: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The scheduler has workers of one thread each, which the driver must not take up; one that dies is replaced."""
    config, out = write_config(tmp_path, SLOW), tmp_path / "run"
    with LocalDask(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
    ) as cluster:  # fmt: skip
        workers = [nanny.pid for nanny in cluster.workers.values()]
        command = ["run", str(config), "--out", str(out), "--detach", "--scheduler", cluster.scheduler_address]
        with begin(command) as process:
            said, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert f"is run on {cluster.scheduler_address}." in said
        await_log(out, '"segment"')
        (driver,) = [pid for pid in workers if holds_lock(pid, out)]
        os.kill(driver, signal.SIGKILL)
        assert main(["watch", str(out)]) in (0, 3)
    assert "r_hat" in capfd.readouterr().out
    assert (out / "events.jsonl").read_text().count('"started"') == 2
    assert_same_store(slow, out)


def holds_lock(pid: int, directory: Path) -> bool:
    return any(file.path == str(directory / "state" / "driver.lock") for file in psutil.Process(pid).open_files())
