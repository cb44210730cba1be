"""Nobody passes a barrier before all have come to it or failed, and everybody does then."""

from __future__ import annotations

import random

import pytest

from pipelines.barriers import Barriers

PLACES = (3, 7)


@pytest.mark.parametrize("seed", range(20))
def test_all_come_or_fail_before_anybody_passes(seed: int) -> None:
    rng = random.Random(seed)
    barriers: Barriers[int] = Barriers(5, PLACES)
    at, alive, opened = dict.fromkeys(range(5), 0), set(range(5)), 0
    moving = list(range(5))
    while moving or barriers.due() is not None:
        if (place := barriers.due()) is not None:
            assert all(at[chain] >= place for chain in alive)
            moving += barriers.open(place)
            opened += 1
            assert not barriers.holds(place)
            continue
        chain = moving.pop(rng.randrange(len(moving)))
        if rng.random() < 0.04:
            alive.discard(chain)
            barriers.fail(chain)
            continue
        at[chain] += 1
        barriers.come(chain, at[chain])
        assert all(at[chain] <= place for place in PLACES if barriers.holds(place))
        if barriers.holds(at[chain]):
            barriers.hold(at[chain], chain)
        elif at[chain] < 10:
            moving.append(chain)
    assert all(at[chain] == 10 for chain in alive)
    assert opened == len(PLACES) or not alive


def test_what_is_open_already_holds_nobody() -> None:
    barriers: Barriers[str] = Barriers(2, PLACES, {3})
    barriers.come(0, 5)
    assert not barriers.holds(3)
    barriers.come(0, 7)
    barriers.hold(7, "what follows")
    assert barriers.due() is None
    barriers.fail(1)
    assert barriers.due() == 7
    assert barriers.open(7) == ["what follows"]
    assert barriers.due() is None


def test_without_places_there_is_nothing_to_wait_for() -> None:
    barriers: Barriers[str] = Barriers(2)
    barriers.come(0, 5)
    barriers.fail(1)
    assert not barriers.holds(5)
    assert barriers.due() is None
