"""What a driver does for a segment: no more for many chains than for a few, and on a worker that has nothing to do."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

import dask
import pytest
from distributed import Client
from distributed import LocalCluster as LocalDask

from exmc.sampling.options import SamplerOptions
from exmc.sampling.progress import Receipt
from pipelines import graph
from pipelines.control import Control
from pipelines.events import Event, Listener
from pipelines.plan import Plan, versions
from pipelines.segments import Outcome, SegmentTask
from pipelines.tasks import Tasks
from pipelines.telling import Telling


@dataclass(slots=True)
class Done:
    """The future of a task that is done as soon as it is submitted."""

    key: str
    outcome: Outcome
    status: str = "finished"

    def add_done_callback(self, callback: Callable[[Done], None]) -> None:
        callback(self)

    def result(self) -> Outcome:
        return self.outcome


class Instant:
    """A cluster of no workers, on which every fifth chain fails at once, and the others do an iteration a segment."""

    def submit(self, *arguments: Any, key: str, **options: Any) -> Done:
        plan, _, task = arguments[-3:]
        if task.chain % 5 == 0:
            return Done(key, Outcome(task, failure="no starting point"))
        return Done(key, segment_of_one(plan, task))


def segment_of_one(plan: Plan, task: SegmentTask) -> Outcome:
    """What becomes of a segment of one iteration."""
    warmup = task.number < plan.options.warmup
    receipt = Receipt(
        chain=task.chain, segment=task.number, warmup=warmup,
        first=task.number - (0 if warmup else plan.options.warmup), draws=1, divergences=0, gradients=1,
        step_size=0.1, acceptance_rate=0.8, seconds=0.0,
    )  # fmt: skip
    return Outcome(task, "0" * 64, receipt)


class Empty:
    """The journal of a run in which nothing is committed."""

    def committed(self, chain: int) -> tuple[()]:
        return ()


def calls_of(work: Callable[[], None]) -> int:
    """How often `work` calls any function, of Python or of C."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    # Dask has Python functions called at each collection, which comes when it will.
    gc.collect()
    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def planned(chains: int, warmup: int) -> Plan:
    """A run that draws once, after as many iterations of warm-up."""
    options = SamplerOptions(seed=1, draws=1, warmup=warmup, chains=chains)
    return Plan("fast", "/nowhere", options, "native", 2.0, 3, 1, "0" * 64, versions())


def following_of(client: Any, plan: Plan, on_event: Listener = lambda event: None) -> graph._Following:
    """A driver that has not begun, of a run in which nothing is committed."""
    telling = Telling(on_event, time.perf_counter(), plan.options.warmup)
    return graph._Following(plan, Tasks(client, plan, Control()), telling, cast("Any", Empty()))


def driven(chains: int, warmup: int) -> tuple[int, int]:
    """What a driver calls for a whole run, and how many segments it tells of."""
    events: list[Event] = []
    following = following_of(Instant(), planned(chains, warmup), events.append)
    following.tasks.futures["compile"] = cast("Any", None)
    calls = calls_of(following.sample)
    assert list(following.tasks.futures) == ["compile"]
    assert len(following.telling.reported) == chains
    assert sum(event.kind == "chain_failed" for event in events) == chains // 5
    return calls, sum(event.kind == "segment" for event in events)


def test_a_segment_costs_a_driver_no_more_among_many_chains() -> None:
    costs = []
    for chains in (10, 1000):
        (calls, segments), (more, longer) = driven(chains, 2), driven(chains, 6)
        assert longer - segments == 4 * (chains - chains // 5)
        costs.append((more - calls) / (longer - segments))
    assert costs[0] == costs[1]


MEETING = threading.Barrier(2)


def draw_beside_another(plan: Plan, compiled: object, task: SegmentTask) -> Outcome:
    """A segment that needs one of another chain to be done meanwhile."""
    MEETING.wait(timeout=20)
    # Copies of the model are taken away from those who wait for the next.
    time.sleep(0.02 * (task.chain + 1))
    return segment_of_one(plan, task)


def test_no_chain_waits_behind_another_while_a_worker_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask asks whoever holds the compiled model, and takes copies of it away that nothing waits for."""
    monkeypatch.setattr(graph, "draw_segment", draw_beside_another)
    settings = {
        "distributed.scheduler.work-stealing": False,
        "distributed.scheduler.active-memory-manager.interval": "5ms",
    }
    with (
        dask.config.set(settings),
        LocalDask(n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        following = following_of(client, planned(2, 4))
        compiled = following.tasks.submit("compile", bytes, 1 << 20)
        assert following.tasks.result(compiled) == bytes(1 << 20)
        assert following.tasks.workers.count() == 2
        following.sample()
        assert following.schedule.complete
        following.tasks.forget()
