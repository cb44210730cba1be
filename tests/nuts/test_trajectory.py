from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from exmc.nuts import trajectory
from exmc.nuts.outcome import Termination
from tests.nuts.enumeration import (
    Decisions,
    Dummy,
    broken,
    build,
    oracle_distribution,
    run_tree,
    smooth,
    steep,
    straight,
    tree_distribution,
)

DUMMIES = {"smooth": smooth, "straight": straight, "broken": broken, "steep": steep}
DEPTH = 3


def _row(distribution: Callable[..., dict[int, float]], dummy: Dummy, start: int, **mistake: bool) -> dict[int, float]:
    """The transition probabilities from `start`, over all equally likely directions."""
    row: dict[int, float] = {}
    for directions in range(2**DEPTH):
        for point, chance in distribution(dummy, start, directions, DEPTH, **mistake).items():
            row[point] = row.get(point, 0.0) + chance / 2**DEPTH
    return row


def _worst_imbalance(dummy: Dummy, rows: dict[int, dict[int, float]]) -> float:
    flows = {
        (i, j): math.exp(-dummy.energy(i)) * chance for i, row in rows.items() for j, chance in row.items() if j in rows
    }
    return max(abs(flow - flows.get((j, i), 0.0)) for (i, j), flow in flows.items())


@pytest.mark.parametrize("name", DUMMIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_tree_draws_with_the_probabilities_of_the_recursive_definition(name: str, seed: int) -> None:
    dummy = DUMMIES[name](seed)
    starts = [point for point in range(-3, 4) if math.isfinite(dummy.energy(point)) and dummy.energy(point) < 100]
    for start in starts:
        for directions in range(2**DEPTH):
            got = tree_distribution(dummy, start, directions, DEPTH)
            want = oracle_distribution(dummy, start, directions, DEPTH)
            assert sum(got.values()) == pytest.approx(1.0, rel=1e-12)
            for point in set(got) | set(want):
                assert got.get(point, 0.0) == pytest.approx(want.get(point, 0.0), rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("name", ["smooth", "straight", "broken"])
def test_detailed_balance_is_exact(name: str) -> None:
    dummy = DUMMIES[name](3)
    starts = [point for point in range(-7, 8) if math.isfinite(dummy.energy(point)) and dummy.energy(point) < 100]
    rows = {start: _row(tree_distribution, dummy, start) for start in starts}
    assert _worst_imbalance(dummy, rows) < 1e-14
    moved = sum(chance for i, row in rows.items() for j, chance in row.items() if i != j)
    assert moved > 1.0


def test_the_balance_test_notices_draws_from_turning_subtrees() -> None:
    dummy = smooth(3)
    rows = {start: _row(oracle_distribution, dummy, start, admit_invalid=True) for start in range(-7, 8)}
    assert _worst_imbalance(dummy, rows) > 1e-3


@pytest.mark.parametrize("name", ["smooth", "broken"])
def test_no_point_of_an_invalid_subtree_is_ever_drawn(name: str) -> None:
    dummy, rejected = DUMMIES[name](5), 0
    for directions in range(2**DEPTH):
        direction = 1 if directions & 1 else -1
        reach = [0]
        for level in range(DEPTH):
            direction = 1 if directions >> level & 1 else -1
            first = max(reach) + 1 if direction == 1 else min(reach) - 1
            if not build(dummy, first, direction, level, dummy.energy(0)).valid:
                rejected += 1
                break
            reach += [first + direction * k for k in range(2**level)]
        drawn = tree_distribution(dummy, 0, directions, DEPTH)
        assert set(drawn) <= set(reach)
    assert rejected > 0


def test_multinomial_weights_within_the_first_doublings_of_a_straight_trajectory() -> None:
    dummy = straight(0)
    drawn = tree_distribution(dummy, 0, 0b11, 2)
    weights = {point: math.exp(dummy.energy(0) - dummy.energy(point)) for point in range(4)}
    first = min(1.0, weights[1])
    second = min(1.0, (weights[2] + weights[3]) / (weights[0] + weights[1]))
    inside = weights[2] / (weights[2] + weights[3])
    assert drawn[2] == pytest.approx(second * inside, rel=1e-12)
    assert drawn.get(1, 0.0) == pytest.approx((1 - second) * first, rel=1e-12, abs=1e-16)


def test_energies_beyond_the_range_of_the_exponential_leave_the_acceptance_a_mean() -> None:
    for seed in range(5):
        dummy = steep(seed)
        for start in range(-4, 5):
            for directions in range(2**DEPTH):
                _, path = run_tree(dummy, start, directions, DEPTH, Decisions([]))
                spread = np.ptp(dummy.energies)
                assert spread > 750.0
                assert 0.0 <= path.acceptance <= path.steps
                assert 0.0 <= path.symmetric <= path.steps


def test_statistics_count_every_point_visited() -> None:
    dummy = straight(1)
    _, path = run_tree(dummy, 0, 0b101, 3, Decisions([]))
    visited = [1, -1, -2, 2, 3, 4, 5]
    gains = [dummy.energy(0) - dummy.energy(point) for point in visited]
    assert (path.steps, path.depth, path.termination) == (7, 3, int(Termination.COMPLETE))
    assert path.acceptance == pytest.approx(sum(min(1.0, math.exp(gain)) for gain in gains), rel=1e-12)
    symmetric = [2.0 * min(1.0, math.exp(gain)) / (1.0 + math.exp(gain)) for gain in gains]
    assert path.symmetric == pytest.approx(sum(symmetric), rel=1e-12)
    assert path.max_error == -max(gains, key=abs)


@pytest.mark.parametrize("energy", [math.nan, math.inf, -math.inf, 1e9])
def test_every_kind_of_failure_is_a_divergence(energy: float) -> None:
    dummy = straight(2)
    dummy.energies[2 + dummy.offset] = energy
    drawn, path = run_tree(dummy, 0, 0b111, 5, Decisions([]))
    assert path.termination == int(Termination.DIVERGING)
    assert (path.steps, path.depth) == (2, 1)
    assert drawn in (0, 1)
    assert path.max_error == (energy - dummy.energy(0) if energy == 1e9 else -math.inf if energy < 0 else math.inf)


def test_a_pair_turns_as_two_trees_of_one_point() -> None:
    random, outcomes = np.random.default_rng(0), set()
    for _ in range(200):
        a, b = random.normal(size=(2, 3))
        outcomes.add(trajectory.pair_turns(a, b))
        assert trajectory.pair_turns(a, b) == trajectory.join_turns(a, a, a, b, b, b)
    assert outcomes == {True, False}


def test_the_junction_catches_halves_that_turn_between_them() -> None:
    # Seen whole, this run goes on straight; seen from its left half, the very next point comes back.
    left, right = np.array([[1.0], [1.0]]), np.array([[-3.0], [9.0]])
    arguments = (left.sum(0), left[0], left[1], right.sum(0), right[0], right[1])
    whole = left.sum(0) + right.sum(0)
    assert whole @ left[0] > 0
    assert whole @ right[1] > 0
    assert trajectory.join_turns(*arguments)
