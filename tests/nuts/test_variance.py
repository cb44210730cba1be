from __future__ import annotations

import numpy as np
import pytest

from exmc.nuts import variance
from exmc.nuts.variance import Moments, Window


def _moments(positions: np.ndarray, gradients: np.ndarray) -> Moments:
    moments, draws = variance.init(positions.shape[1]), 0
    for position, gradient in zip(positions, gradients, strict=True):
        draws = variance.update(draws, moments.rows, position, gradient)
    return moments._replace(draws=draws)


def _example(draws: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(draws)
    positions = random.normal(size=(draws, 4)) * [1.0, 10.0, 0.1, 1.0] + offset
    return positions, random.normal(size=(draws, 4)) * [3.0, 0.1, 10.0, 1e-8]


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_are_numpys(offset: float) -> None:
    positions, gradients = _example(50, offset)
    found = _moments(positions, gradients)
    np.testing.assert_allclose(found.rows[0], positions.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.rows[2], gradients.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.variances()[0], (positions - offset).var(0, ddof=1), rtol=1e-6)
    np.testing.assert_allclose(found.variances()[1], gradients.var(0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (5, 0), (1, 1), (7, 60)])
def test_merged_moments_are_those_of_all_draws(first: int, second: int) -> None:
    positions, gradients = _example(first + second)
    parts = (slice(None, first), slice(first, None))
    merged = variance.merged(*(_moments(positions[part], gradients[part]) for part in parts))
    whole = _moments(positions, gradients)
    assert merged.draws == whole.draws
    np.testing.assert_allclose(merged.rows, whole.rows, rtol=1e-12, atol=1e-15)


def test_merging_changes_neither_part() -> None:
    one, other = _moments(*_example(5)), _moments(*_example(9))
    before = one.rows.copy(), other.rows.copy()
    variance.merged(one, other)
    assert np.array_equal(one.rows, before[0])
    assert np.array_equal(other.rows, before[1])


def _window(older: int, newer: int) -> Window:
    positions, gradients = _example(older + newer)
    window = variance.empty(4).with_draws(positions[:3], gradients[:3]).with_draws(positions[3:], gradients[3:])
    older_part, newer_part = slice(None, older), slice(older, None)
    return window._replace(
        older=_moments(positions[older_part], gradients[older_part]),
        newer=_moments(positions[newer_part], gradients[newer_part]),
    )


def test_a_switch_forgets_what_was_seen_before_the_last_one() -> None:
    window = _window(12, 20)
    assert window.moments.draws == 32
    after = window.switched()
    assert (after.older.draws, after.newer.draws) == (20, 0)
    assert np.array_equal(after.older.rows, window.newer.rows)
    assert not after.newer.rows.any()
    assert np.array_equal(after.positions, window.positions[12:])
    assert np.array_equal(after.gradients, window.gradients[12:])
    assert len(after.switched().positions) == 0


def test_windows_without_draws_switch_their_moments_alone() -> None:
    window = _window(12, 20)._replace(positions=np.zeros((0, 4)), gradients=np.zeros((0, 4)))
    assert window.switched().positions.shape == (0, 4)
    assert window.switched().moments.draws == 20


def test_the_moments_of_a_copy_are_its_own() -> None:
    window = _window(3, 4)
    copy = window.copy()
    copy.newer.rows[:] = 0.0
    copy.older.rows[:] = 0.0
    assert window.newer.rows.any()
    assert window.older.rows.any()
