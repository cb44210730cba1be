"""A run is announced, and its events are told, where others can attach to it."""

from __future__ import annotations

import time
from pathlib import Path

from distributed import Client

from pipelines.checkpoint import read_checkpoint
from pipelines.cluster import connect
from pipelines.events import Event
from pipelines.sections import LocalCluster as LocalSection
from pipelines.topic import RUNS, announced, topic_of
from tests.pipelines.running import await_that, reachable_cluster, stopped_run


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


def test_a_run_is_announced_told_of_and_let_go_of(tmp_path: Path) -> None:
    plan, heard = read_checkpoint(stopped_run(tmp_path)).plan, []
    event = Event(kind="note", seconds=1.0, message="here")
    with reachable_cluster() as cluster, Client(cluster.scheduler_address, set_as_default=False) as client:
        telling = announced(client, plan, heard.append)
        telling.__enter__()(event)
        assert not telling.__exit__(ValueError, ValueError("out"), None)
        runs = [message for _, message in client.get_events(RUNS)]
        told = [message for _, message in client.get_events(topic_of(plan))]
    assert [(run["label"], run["directory"], run["over"]) for run in runs] == [
        ("small", plan.directory, False), ("small", plan.directory, True),
    ]  # fmt: skip
    assert runs[0]["options"]["draws"] == plan.options.draws
    assert heard == [event]
    assert [message["kind"] for message in told] == ["note", "ended"]
    assert told[1]["message"] == "ValueError: out"


def test_within_a_process_nobody_else_is_told(tmp_path: Path) -> None:
    plan, heard = read_checkpoint(stopped_run(tmp_path)).plan, []
    with connect(LocalSection(workers=1), 1) as client, announced(client, plan, heard.append) as tell:
        assert tell == heard.append


def test_a_scheduler_that_is_gone_is_not_told(tmp_path: Path) -> None:
    """To connect to one that does not answer takes half a minute."""
    plan, heard = read_checkpoint(stopped_run(tmp_path)).plan, []
    event = Event(kind="note", seconds=1.0)
    with reachable_cluster() as cluster, Client(cluster.scheduler_address, set_as_default=False) as client:
        with announced(client, plan, heard.append) as tell:
            cluster.close()
            await_that(lambda: client.status != "running")
            began = time.monotonic()
            tell(event)
        assert time.monotonic() - began < 10
    assert heard == [event]
