"""A short campaign: whatever befalls a run, its store becomes that of the undisturbed one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.campaign import POOLED, Campaign, campaign, rows
from tests.chaos.clock import Clock, Cost, Mark
from tests.chaos.disturbances import COMBINED, EVERYTHING, FULL_DISK, KILLS, LONG_STALLS, STALLS, STORAGE


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with campaign(tmp_path_factory.mktemp("chaos"), seed=7, draws=1000) as found:
        yield found


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with campaign(tmp_path_factory.mktemp("chaos"), seed=8, draws=1000, impatient=True) as found:
        yield found


def test_kills_and_stalls_cost_nothing_that_was_drawn(small: Campaign) -> None:
    assert all(ended.identical for ended in small.disturb_often(KILLS | STALLS, 3, small.pauses(0.1, 0.4)))


def test_a_failing_disk_costs_nothing_that_was_drawn(small: Campaign) -> None:
    disk = FULL_DISK if small.mounted else {}
    assert all(ended.identical for ended in small.disturb_often(STORAGE | disk, 2, small.pauses(0.1, 0.4)))


def test_kills_cost_an_extension_nothing(small: Campaign) -> None:
    """Killed while it extends a finished run of half the draws, it ends with the run that was begun with all."""
    small.shorten()
    assert all(ended.identical for ended in small.disturb_often(KILLS, 2, small.pauses(0.1, 0.4), extended=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_each_disturbance_is_survived(impatient: Campaign, name: str) -> None:
    if name in FULL_DISK and not impatient.mounted:
        pytest.skip("no small file system can be mounted here")
    assert all(
        ended.identical for ended in impatient.disturb_often({name: EVERYTHING[name]}, 2, impatient.pauses(0.1, 0.6))
    )


@pytest.mark.slow
def test_chains_that_learn_together_survive_kills(tmp_path: Path) -> None:
    with campaign(tmp_path, seed=5, draws=1000, impatient=True, replaced=POOLED) as pooled:
        assert list((pooled.reference / "state").glob("pools/round-*/pooled.json"))
        ended = pooled.disturb_often(KILLS, 10, pooled.pauses(0.04, 0.35))
    assert all(run.identical for run in ended)


def test_the_cost_of_a_disturbance_is_what_the_undisturbed_run_had_done_meanwhile() -> None:
    """By hand: a run that commits every second is disturbed at 1.5 s, and at 6.5 s, and stands still twice."""
    undisturbed, disturbed = Clock(), Clock()
    for seconds in range(5):
        undisturbed.look(float(seconds), seconds)
    undisturbed.ended = 5.0
    for seconds, committed in ((0, 0), (1, 1), (4, 2), (5, 3), (6, 4)):
        disturbed.look(float(seconds), committed)
    disturbed.disturbed("one", 1, Mark(1.5, 1))
    disturbed.disturbed("other", 2, Mark(6.5, 4))
    disturbed.ended = 8.0
    costs = disturbed.costs(undisturbed)
    assert costs == [Cost("one", 1, 6.5 - 1.5 - (4.0 - 1.0)), Cost("other", 2, 8.0 - 6.5 - (5.0 - 4.0))]
    # What was lost in all is what it took longer, and what was under way when it was first disturbed.
    assert sum(cost.seconds for cost in costs) == 8.0 - 5.0 - 0.5


def test_every_disturbance_has_a_row() -> None:
    found = rows(200, mounted=True)
    assert set(found) == {*EVERYTHING, "any, at random", "extend: any kill"}
    assert sum(row.times for name, row in found.items() if name in KILLS or row.extended) >= 180
    assert not set(rows(200, mounted=False)) & set(FULL_DISK)
    assert set(EVERYTHING) == {*KILLS, *STALLS, *LONG_STALLS, *STORAGE, *COMBINED, *FULL_DISK}
