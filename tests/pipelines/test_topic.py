"""The events of a run reach who listens on its scheduler, at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from distributed import LocalCluster

import pipelines
from pipelines import topic
from pipelines.checkpoint import read_checkpoint
from pipelines.events import Event
from pipelines.sections import LocalCluster as LocalSection
from pipelines.sections import RemoteCluster
from pipelines.topic import listening, topic_of
from pipelines.watching import events_of
from tests.pipelines.running import SLOW, stopped_run, write_config


def test_a_topic_is_that_of_one_run(tmp_path: Path) -> None:
    plans = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        plans.append(read_checkpoint(stopped_run(tmp_path / name)).plan)
    topics = [topic_of(plan) for plan in plans]
    assert topics[0] != topics[1]
    moved = tmp_path / "moved"
    (tmp_path / "one" / "run").rename(moved)
    assert topic_of(read_checkpoint(moved).plan) == topics[0]


def test_events_are_pushed_to_whoever_is_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is never looked at unless something was pushed is read to the end, and in time."""
    monkeypatch.setattr(topic, "_SECONDS_BETWEEN_LOOKS", 60.0)
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", host="127.0.0.1",
        dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
    ) as cluster:  # fmt: skip
        begun = threading.Event()
        moments: dict[str, float] = {}

        def note(event: Event) -> None:
            moments.setdefault(event.to_json(), time.monotonic())
            begun.set()

        rest = SLOW.replace("draws: 600", "draws: 200") + f"cluster: {{address: '{cluster.scheduler_address}'}}\n"
        run = pipelines.start(write_config(tmp_path, rest), out=tmp_path / "run", on_event=note)
        assert begun.wait(60)
        checkpoint = read_checkpoint(tmp_path / "run")
        assert isinstance(checkpoint.cluster, RemoteCluster)
        late, began = [], time.monotonic()
        with listening(checkpoint.cluster, checkpoint.plan) as pause:
            attached = time.monotonic()
            for event in events_of(tmp_path / "run", pause=pause):
                happened = max(moments.get(event.to_json(), attached), attached)
                late.append(time.monotonic() - happened)
                if event.stage == "diagnose":
                    break
        assert run.wait(60)
    assert len(late) > 5
    assert max(late) < time.monotonic() - began < 60
    assert sorted(late)[len(late) // 2] < 1.0


def test_without_a_scheduler_the_log_is_looked_at(tmp_path: Path) -> None:
    plan = read_checkpoint(stopped_run(tmp_path)).plan
    gone = RemoteCluster(address="tcp://127.0.0.1:9", timeout_seconds=0.3)
    for cluster in (LocalSection(), gone):
        with listening(cluster, plan) as pause:
            assert pause is time.sleep
