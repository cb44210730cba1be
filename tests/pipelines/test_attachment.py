"""A run on a scheduler: which it is, what is pushed of it, what was missed."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

import pipelines
from exmc.errors import ClusterError, ConfigError
from pipelines import attachment
from pipelines.attachment import Attachment, chosen, going_on, listening, name_of
from pipelines.checkpoint import read_checkpoint
from pipelines.events import Event
from pipelines.sections import LocalCluster as LocalSection
from pipelines.sections import RemoteCluster
from pipelines.topic import RUNS, Announcement
from pipelines.watching import events_of
from tests.pipelines.running import SLOW, await_that, reachable_cluster, stopped_run, write_config


def announcement(label: str, number: int = 0) -> Announcement:
    return Announcement(f"exmc-{label}-{number:012x}", label, f"/runs/{label}", "2026-01-01T00:00:00", "Client-x", {})


def test_the_run_that_is_meant_is_found_or_named() -> None:
    one, other, twin = announcement("a"), announcement("b"), announcement("b", 1)
    assert chosen([one], None, "tcp://x:1") is one
    assert chosen([one, other], "b", "tcp://x:1") is other
    assert chosen([one, other, twin], name_of(twin), "tcp://x:1") is twin
    with pytest.raises(ClusterError, match="no run goes on on this scheduler"):
        chosen([], "a", "tcp://x:1")
    with pytest.raises(ConfigError, match=r"3 runs go on .*a-0{12} .*/runs/b.* Choose one: --run a-0{12}"):
        chosen([one, other, twin], None, "tcp://x:1")
    with pytest.raises(ConfigError, match="2 runs go on"):
        chosen([one, other, twin], "b", "tcp://x:1")
    with pytest.raises(ConfigError, match="no run 'c' goes on"):
        chosen([one, other], "c", "tcp://x:1")


def test_a_driver_that_dies_drives_no_more(cluster: LocalCluster, client: Client) -> None:
    """Nobody says that its run is over but the scheduler, which loses its client."""
    with Client(cluster.scheduler_address, set_as_default=False) as driver:
        dying = Announcement("exmc-t-1", "t", "/t", "", str(driver.id), {})
        driver.log_event(RUNS, asdict(dying))
        attached = Attachment(client, chosen(going_on(client), "t", ""))
        assert attached.driven
        driver.log_event("exmc-t-1", {"kind": "note", "seconds": 1.0})
        assert attached.wait(1.0) == ['{"kind": "note", "seconds": 1.0}']
    await_that(lambda: not attached.driven)
    assert attached.wait(0.1) == []
    assert going_on(client) == []


def test_what_a_lost_watcher_missed_is_asked_for(
    cluster: LocalCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(cluster.scheduler_address, set_as_default=False) as driver:
        driver.log_event(RUNS, asdict(Announcement("exmc-u-1", "u", "/u", "", str(driver.id), {})))
        attached = Attachment(client, chosen(going_on(client), "u", ""))
        monkeypatch.setattr(attachment, "_SECONDS_BETWEEN_GLANCES", 0.05)
        client.sync(_cut, client)
        driver.log_event("exmc-u-1", {"kind": "note", "seconds": 2.0})
        assert '{"kind": "note", "seconds": 2.0}' in attached.wait(1.0)
        assert attached.driven


async def _cut(client: Client) -> None:
    """Lose the scheduler, as a network does."""
    client.scheduler_comm.comm.abort()


def test_events_are_pushed_to_whoever_is_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is never looked at unless something was pushed is read to the end, and in time."""
    monkeypatch.setattr(attachment, "_SECONDS_BETWEEN_LOOKS", 60.0)
    with reachable_cluster() as cluster:
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
