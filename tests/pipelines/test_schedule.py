"""The schedule says what comes next, whatever order outcomes arrive in."""

from __future__ import annotations

import random

import pytest

from exmc.sampling.progress import Receipt
from pipelines.schedule import Schedule
from pipelines.segments import Outcome, SegmentTask

WARMUP, DRAWS = 30, 50


def outcome(task: SegmentTask, done: dict[int, int], count: int) -> Outcome:
    """What a segment of `count` iterations reports, as far as its phase has so many left."""
    before = done[task.chain]
    warmup = before < WARMUP
    count = min(count, (WARMUP if warmup else WARMUP + DRAWS) - before)
    done[task.chain] += count
    receipt = Receipt(
        chain=task.chain, segment=task.number, warmup=warmup, first=before - (0 if warmup else WARMUP), draws=count,
        divergences=0, gradients=0, step_size=1.0, acceptance_rate=0.8, seconds=0.0,
    )  # fmt: skip
    return Outcome(task, f"digest-{task.chain}-{task.number}", receipt)


@pytest.mark.parametrize("seed", range(5))
def test_every_chain_is_drawn_to_its_end(seed: int) -> None:
    rng = random.Random(seed)
    schedule = Schedule(chains=4, draws=DRAWS, warmup=WARMUP, min_chains=4)
    open_tasks = [schedule.first(chain) for chain in range(4)]
    done = dict.fromkeys(range(4), 0)
    while open_tasks:
        task = open_tasks.pop(rng.randrange(len(open_tasks)))
        assert schedule.stage_of(task) == ("warmup" if done[task.chain] < WARMUP else "sample")
        following = schedule.after(outcome(task, done, rng.randint(1, 20)))
        assert not schedule.complete or following is None
        if following is not None:
            assert following == SegmentTask(task.chain, task.number + 1, f"digest-{task.chain}-{task.number}")
            open_tasks.append(following)
    assert done == dict.fromkeys(range(4), WARMUP + DRAWS)
    assert schedule.complete


def test_without_warmup_sampling_begins_at_once() -> None:
    schedule = Schedule(chains=1, draws=DRAWS, warmup=0, min_chains=1)
    assert schedule.stage_of(schedule.first(0)) == "sample"


def test_failed_chains_are_left_out_while_enough_are_left() -> None:
    schedule = Schedule(chains=2, draws=DRAWS, warmup=WARMUP, min_chains=1)
    first, second = schedule.first(0), schedule.first(1)
    assert schedule.after(Outcome(first, failure="no starting point")) is None
    assert not schedule.hopeless
    assert not schedule.everyone_warm
    done = {1: 0}
    schedule.after(outcome(second, done, WARMUP))
    assert schedule.everyone_warm, "nobody waits for those that failed"
    assert schedule.after(outcome(second, done, DRAWS)) is None
    assert schedule.complete
    assert schedule.failed == {0: "no starting point"}


def test_with_too_few_chains_left_the_others_stop() -> None:
    schedule = Schedule(chains=2, draws=DRAWS, warmup=WARMUP, min_chains=2)
    first, second = schedule.first(0), schedule.first(1)
    schedule.after(Outcome(first, failure="no starting point"))
    assert schedule.hopeless
    assert schedule.after(outcome(second, {1: 0}, 10)) is None
    assert not schedule.complete


def test_a_request_to_stop_ends_each_chain_after_its_segment() -> None:
    schedule = Schedule(chains=2, draws=DRAWS, warmup=WARMUP, min_chains=2)
    first, second = schedule.first(0), schedule.first(1)
    schedule.stopping = True
    assert schedule.after(outcome(first, {0: 0}, 10)) is None
    assert schedule.after(Outcome(second)) is None, "stopped before its first chunk was full"
    assert schedule.stopped == {0, 1}
    assert not schedule.complete
