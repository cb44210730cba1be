"""Where a run stands, as its events tell."""

from __future__ import annotations

import math

import pytest

from exmc.sampling.options import SamplerOptions
from exmc.sampling.progress import Receipt
from pipelines.events import Event
from pipelines.tally import Tally, duration

OPTIONS = SamplerOptions(seed=1, draws=100, warmup=50, chains=2)


def segment(seconds: float, chain: int, warmup: bool, first: int, draws: int, divergences: int = 0) -> Event:
    receipt = Receipt(
        chain=chain, segment=0, warmup=warmup, first=first, draws=draws, divergences=divergences, gradients=8 * draws,
        step_size=0.25, acceptance_rate=0.8, seconds=0.5,
    )  # fmt: skip
    return Event(kind="segment", seconds=seconds, chain=chain, receipt=receipt)


def test_it_counts_what_is_kept() -> None:
    tally = Tally(OPTIONS)
    assert (tally.standing, tally.stages, tally.total, tally.done) == ("starting", [], 300, 0)
    assert math.isnan(tally.seconds_left)
    events = [
        Event(kind="started", seconds=0.0),
        Event(kind="stage", seconds=0.1, stage="build", took=0.1),
        segment(1.0, 0, True, 0, 50, divergences=9),
        segment(2.0, 0, False, 0, 50, divergences=2),
    ]
    for event in events:
        tally.add(event)
    assert (tally.standing, tally.divergences, tally.done) == ("running", 2, 100)
    assert tally.stages == [("build", 0.1)]
    # The pace is that since the first segment.
    assert tally.seconds_left == pytest.approx(200 / 50)
    chain = tally.chains[0]
    assert (chain.phase(OPTIONS), chain.gradients_per_draw, chain.draws_per_second) == ("sampling", 8.0, 100.0)
    tally.add(Event(kind="chain_failed", seconds=3.0, chain=1, message="why"))
    assert (tally.total, tally.done) == (150, 100)
    tally.add(segment(4.0, 0, False, 50, 50))
    assert tally.seconds_left == 0.0
    assert chain.phase(OPTIONS) == "done"


def test_a_pause_is_no_time_that_drawing_takes() -> None:
    tally = Tally(OPTIONS)
    for event in (segment(1.0, 0, True, 0, 10), segment(2.0, 0, True, 10, 10)):
        tally.add(event)
    tally.add(Event(kind="paused", seconds=3.0, message="held"))
    assert (tally.standing, tally.message) == ("paused", "held")
    assert math.isnan(tally.seconds_left)
    tally.add(Event(kind="resumed", seconds=1000.0))
    for event in (segment(1001.0, 0, True, 20, 10), segment(1002.0, 0, True, 30, 10)):
        tally.add(event)
    assert tally.standing == "running"
    assert tally.seconds_left == pytest.approx(26)


def test_a_run_that_begins_again_tells_all_there_is() -> None:
    tally = Tally(OPTIONS)
    for event in (segment(1.0, 0, False, 0, 100, divergences=3), Event(kind="started", seconds=0.0)):
        tally.add(event)
    assert (tally.done, tally.divergences, tally.standing) == (0, 0, "running")


def test_a_run_that_goes_on_longer_has_more_to_do() -> None:
    tally = Tally(OPTIONS)
    tally.add(segment(1.0, 0, False, 0, 100))
    tally.add(Event(kind="longer", seconds=2.0, draws=150, message="why"))
    assert (tally.total, tally.done, tally.chains[0].phase(tally.options)) == (400, 150, "sampling")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (math.nan, "–")]
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
