"""The worst R-hat of a run is found aside, seldom, and silently where there is nothing to find."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from exmc.diagnostics.summary import summarise
from exmc.trace.store import RunStore
from pipelines import worst
from pipelines.events import Event
from pipelines.worst import WorstRHat
from tests.pipelines.running import stopped_run

SEGMENT = Event(kind="segment", seconds=1.0, chain=0)


def test_it_is_that_of_the_draws(tmp_path: Path) -> None:
    found = WorstRHat(stopped_run(tmp_path, after=11))
    found.look()
    (reading,) = found.readings
    summary = summarise(RunStore.open(tmp_path / "run").read())
    assert abs(reading.r_hat - float(summary["r_hat"].max())) < 0.02
    assert reading.label in summary["scalar"].values


def test_a_thread_looks_when_it_is_woken_and_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worst, "_SECONDS_BETWEEN_LOOKS", 0.01)
    directory = stopped_run(tmp_path, after=11)
    looked, rests = threading.Event(), []
    found = WorstRHat(directory)
    look, wait = found.look, found._ended.wait

    def looking() -> None:
        look()
        looked.set()

    def waiting(seconds: float | None = None) -> bool:
        rests.append(seconds)
        return wait(0.0)

    monkeypatch.setattr(found, "look", looking)
    monkeypatch.setattr(found._ended, "wait", waiting)
    found.wake(Event(kind="stage", seconds=0.0, stage="build"))
    assert found._thread is None
    found.wake(SEGMENT)
    assert looked.wait(30)
    found.wake(SEGMENT)
    found.stop()
    assert len(found.readings) >= 1
    assert np.isfinite(rests[1])
    # The first look reads all draws, which takes milliseconds: it rests for a hundred times as long.
    assert rests[1] > 0.05


def test_a_signal_while_the_thread_starts_does_not_hide_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    found = WorstRHat(tmp_path / "none")
    with pytest.raises(KeyboardInterrupt):
        found.wake(SEGMENT)
    found.stop()


def test_a_directory_that_is_not_there_is_no_news(tmp_path: Path) -> None:
    found = WorstRHat(tmp_path / "none")
    found.look()
    assert not found.readings
    found.wake(SEGMENT)
    found.stop()
