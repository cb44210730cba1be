"""A short campaign: whatever befalls a run, its store becomes that of the undisturbed one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.campaign import Campaign, campaign
from tests.chaos.disturbances import EVERYTHING, FULL_DISK, KILLS, STALLS, STORAGE


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with campaign(tmp_path_factory.mktemp("chaos"), seed=7, draws=1000, rehearsals=1) as found:
        yield found


def parts(found: Campaign, shortest: float, longest: float) -> tuple[float, float]:
    """Pauses as parts of what an undisturbed run takes, on a machine however fast."""
    return shortest * found.undisturbed, longest * found.undisturbed


def test_kills_and_stalls_cost_nothing_that_was_drawn(small: Campaign) -> None:
    ended = small.disturb(KILLS | STALLS, 4, parts(small, 0.2, 0.35))
    assert ended.disturbed >= 2
    assert ended.identical


def test_a_failing_disk_costs_nothing_that_was_drawn(small: Campaign) -> None:
    disk = FULL_DISK if small.mounted else {}
    ended = small.disturb(STORAGE | disk, 2, parts(small, 0.3, 0.5))
    assert ended.disturbed
    assert ended.identical


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_each_disturbance_is_survived(small: Campaign, name: str) -> None:
    if name in FULL_DISK and not small.mounted:
        pytest.skip("no small file system can be mounted here")
    ended = small.disturb({name: EVERYTHING[name]}, 2, parts(small, 0.2, 0.5))
    assert ended.disturbed
    assert ended.identical
