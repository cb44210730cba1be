"""What a driver does for a segment, counted: no more for many chains than for a few."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

from exmc.sampling.options import SamplerOptions
from exmc.sampling.progress import Receipt
from pipelines import graph
from pipelines.control import Control
from pipelines.events import Event
from pipelines.plan import Plan, versions
from pipelines.segments import Outcome


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
        warmup = task.number < plan.options.warmup
        receipt = Receipt(
            chain=task.chain, segment=task.number, warmup=warmup,
            first=task.number - (0 if warmup else plan.options.warmup), draws=1, divergences=0, gradients=1,
            step_size=0.1, acceptance_rate=0.8, seconds=0.0,
        )  # fmt: skip
        return Done(key, Outcome(task, "0" * 64, receipt))


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


def driven(chains: int, warmup: int) -> tuple[int, int]:
    """What a driver calls for a whole run, and how many segments it tells of."""
    options = SamplerOptions(seed=1, draws=1, warmup=warmup, chains=chains)
    plan = Plan("fast", "/nowhere", options, "native", 2.0, 3, 1, "0" * 64, versions())
    events: list[Event] = []
    client, journal = cast("Any", Instant()), cast("Any", Empty())
    control = Control()
    following = graph._Following(
        client, plan, events.append, time.perf_counter(), lambda error: error, control, journal
    )
    following.futures["compile"] = client
    calls = calls_of(following.sample)
    assert list(following.futures) == ["compile"]
    assert len(following.reported) == chains
    assert sum(event.kind == "chain_failed" for event in events) == chains // 5
    return calls, sum(event.kind == "segment" for event in events)


def test_a_segment_costs_a_driver_no_more_among_many_chains() -> None:
    costs = []
    for chains in (10, 1000):
        (calls, segments), (more, longer) = driven(chains, 2), driven(chains, 6)
        assert longer - segments == 4 * (chains - chains // 5)
        costs.append((more - calls) / (longer - segments))
    assert costs[0] == costs[1]
