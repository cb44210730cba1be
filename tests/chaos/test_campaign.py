"""A short campaign: whatever befalls a run, its store becomes that of the undisturbed one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.campaign import Campaign, campaign
from tests.chaos.disturbances import EVERYTHING, FULL_DISK, KILLS, STALLS, STORAGE


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with campaign(tmp_path_factory.mktemp("chaos"), seed=7, draws=500) as found:
        yield found


def test_kills_and_stalls_cost_nothing_that_was_drawn(small: Campaign) -> None:
    assert all(ended.identical for ended in small.disturb_often(KILLS | STALLS, 3, (0.5, 2.0)))


def test_a_failing_disk_costs_nothing_that_was_drawn(small: Campaign) -> None:
    disk = FULL_DISK if small.mounted else {}
    assert all(ended.identical for ended in small.disturb_often(STORAGE | disk, 2, (0.5, 2.0)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_each_disturbance_is_survived(small: Campaign, name: str) -> None:
    if name in FULL_DISK and not small.mounted:
        pytest.skip("no small file system can be mounted here")
    assert all(ended.identical for ended in small.disturb_often({name: EVERYTHING[name]}, 2, (0.5, 3.0)))
