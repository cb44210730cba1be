"""A running run is paused, stopped, looked at and gone on with; its store is that of an undisturbed one."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipelines
from exmc.errors import ConfigError, ExmcError, SamplingError
from exmc.trace.store import RunStore
from pipelines import segments
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.handle import RunHandle
from pipelines.requests import Wish, request
from pipelines.run import run_config
from tests.pipelines.running import QUICK, assert_same_store, write_config
from tests.pipelines.running import SLOW as LONG

SLOW = LONG.replace("draws: 600", "draws: 300")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of the slow config."""
    folder = tmp_path_factory.mktemp("slow")
    run_config(write_config(folder, SLOW), out=folder / "run")
    return folder / "run"


class Begun:
    """A run that was started, and has committed some segments."""

    def __init__(self, folder: Path, count: int = 2) -> None:
        self.events: list[Event] = []
        self._enough = threading.Event()
        self._count = count
        config = write_config(folder, SLOW)
        self.run: RunHandle = pipelines.start(config, out=folder / "run", on_event=self.listen)
        assert self._enough.wait(60)

    def listen(self, event: Event) -> None:
        self.events.append(event)
        if sum(e.kind == "segment" for e in self.events) >= self._count:
            self._enough.set()

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def records(directory: Path) -> int:
    return len(list(directory.glob("state/chain-*/segment-*.json")))


def test_a_run_is_waited_for_and_looked_at(slow: Path, tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    run = begun.run
    assert not run.wait(0.001)
    assert not run.is_finished
    assert run.status.state == "running"
    early = run.inspect()
    assert run.wait()
    assert run.is_finished
    status = run.status
    assert (status.state, status.total, status.draws) == ("finished", 300, 600)
    assert [(c.warmup, c.draws, c.failure) for c in status.chains] == [(False, 300, "")] * 2
    tree = run.inspect()
    assert status.divergences == int(tree["sample_stats"]["diverging"].sum())
    assert run.result().directory == tmp_path / "run"
    assert_same_store(slow, tmp_path / "run")
    drawn = early["posterior"]["mu"].values
    assert drawn.shape[1] < 300
    assert np.array_equal(drawn, tree["posterior"]["mu"].values[:, : drawn.shape[1]])


@pytest.mark.parametrize("by_file", [False, True], ids=["handle", "file"])
def test_a_paused_run_holds_and_goes_on(by_file: bool, slow: Path, tmp_path: Path) -> None:
    """Asked by the handle, or by another process through the file."""
    begun = Begun(tmp_path)
    run = begun.run
    if by_file:
        request(run.directory, Wish.PAUSE)
        deadline = time.monotonic() + 30
        while run.status.state != "paused":
            assert time.monotonic() < deadline
            time.sleep(0.01)
    else:
        assert run.pause(30)
    assert run.status.state == "paused"
    held = records(run.directory)
    time.sleep(0.7)
    assert records(run.directory) == held
    assert not run.is_finished
    assert not RunStore.open(run.directory).complete
    if by_file:
        request(run.directory, Wish.GO)
    else:
        run.resume()
        assert run.status.state == "running"
    assert run.wait(60)
    kinds = begun.kinds()
    assert kinds.index("paused") < kinds.index("resumed")
    assert kinds.count("paused") == kinds.count("resumed") == 1
    assert "stopped" not in kinds
    assert_same_store(slow, run.directory)


def test_a_run_is_paused_before_it_draws_and_stopped_while_it_holds(slow: Path, tmp_path: Path) -> None:
    run = pipelines.start(write_config(tmp_path, SLOW), out=tmp_path / "run")
    assert run.pause(60)
    assert records(run.directory) == 0
    assert run.abort(60)
    assert run.status.state == "stopped"
    with pytest.raises(StoppedError):
        run.result()
    assert pipelines.resume(run.directory).wait(60)
    assert_same_store(slow, run.directory)


@pytest.mark.parametrize("way", ["abort", "cancel"])
def test_a_stopped_run_is_resumed(way: str, slow: Path, tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    run = begun.run
    assert getattr(run, way)(30)
    assert run.is_finished
    assert run.wait()
    assert run.status.state == "stopped"
    assert ("stopped" in begun.kinds()) == (way == "abort")
    assert not RunStore.open(run.directory).complete
    with pytest.raises(StoppedError, match="exmc resume"):
        run.result()
    with pipelines.resume(run.directory) as again:
        pass
    assert again.status.state == "finished"
    assert again.result().failed == {}
    assert_same_store(slow, run.directory)


def test_what_another_process_stops_is_stopped(slow: Path, tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    request(begun.run.directory, Wish.STOP)
    assert begun.run.wait(30)
    assert begun.run.status.state == "stopped"
    assert pipelines.resume(begun.run.directory).wait(60)
    assert_same_store(slow, begun.run.directory)


def test_an_exception_in_its_block_cancels_the_run(tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    with pytest.raises(ZeroDivisionError), begun.run as run:
        raise ZeroDivisionError
    assert run.status.state == "stopped"
    assert not RunStore.open(run.directory).complete


def test_waiting_raises_what_ended_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise SamplingError("no starting point.")

    monkeypatch.setattr(segments, "begin", fail)
    run = pipelines.start(write_config(tmp_path, QUICK), out=tmp_path / "run")
    for _ in range(2):
        with pytest.raises(ExmcError, match=r"chains failed.*no starting point"):
            run.wait()
    assert run.status.state == "failed"
    assert "no starting point" in max(chain.failure for chain in run.status.chains)


def test_what_a_listener_raises_ends_the_run(tmp_path: Path) -> None:
    def listen(event: Event) -> None:
        if event.kind == "segment":
            raise LookupError("enough")

    run = pipelines.start(write_config(tmp_path), out=tmp_path / "run", on_event=listen)
    with pytest.raises(LookupError, match="enough"):
        run.wait()
    assert pipelines.resume(run.directory, 1300).result().tree()["posterior"].sizes["draw"] == 1300


def test_a_config_that_cannot_be_run_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        pipelines.start(write_config(tmp_path), overrides=["sampler.draws=0"])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    with pytest.raises(ConfigError, match="not empty"):
        pipelines.start(write_config(tmp_path), out=tmp_path / "run")
