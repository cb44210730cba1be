"""Comparing translations: what counts as agreement."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.verify import LARGE, points, remembered, verify_gradient, verify_outputs, worst
from exmc.errors import CompileError

POSITION = np.array([0.5, -1.0])


def density(x):
    return float(x[0] ** 2 * x[1])


def slope(x):
    return np.array([2 * x[0] * x[1], x[0] ** 2])


def test_patterns_must_agree() -> None:
    nan, inf = np.nan, np.inf
    assert worst(np.array([nan, inf, 1.0]), np.array([nan, inf, 1.0])) == (0.0, (0,))
    for found, expected in ((nan, 1.0), (1.0, nan), (inf, -inf), (1.0, inf), (inf, 1.0)):
        assert worst(np.array([0.0, found]), np.array([0.0, expected])) == (inf, (1,))
    assert worst(np.zeros(2), np.zeros(3))[0] == inf


def test_the_worst_element_is_named() -> None:
    with pytest.raises(CompileError, match=r"output 1\[2\]: np.float64\(5.0\) instead of np.float64\(2.0\)"):
        verify_outputs("tape", (np.ones(1), np.array([0.0, 1.1, 5.0])), (np.ones(1), np.arange(3.0)), POSITION)


def test_gradient_confirmed_by_differences_outweighs_a_wrong_or_failing_oracle() -> None:
    def wrong(function, position):
        return np.array(density(position)), np.array([7.0, 7.0])

    def failing(function, position):
        raise NotImplementedError

    found = (np.asarray(density(POSITION)), slope(POSITION))
    for oracle in (wrong, failing):
        verify_gradient("tape", found, POSITION, density, oracle)
        with pytest.raises(CompileError, match="the gradient"):
            verify_gradient("tape", (found[0], found[1] * 1.001), POSITION, density, oracle)


def test_gradient_that_agrees_needs_no_differences() -> None:
    def uncalled(x):
        raise AssertionError

    def oracle(function, position):
        return np.array(density(position)), slope(position)

    verify_gradient("tape", (np.asarray(density(POSITION)), slope(POSITION)), POSITION, uncalled, oracle)
    with pytest.raises(CompileError, match="the value"):
        verify_gradient("tape", (np.asarray(0.1), slope(POSITION)), POSITION, uncalled, oracle)


def test_an_oracle_is_asked_once_a_position() -> None:
    asked = []

    def oracle(function, position):
        asked.append(position)
        return np.array(density(position)), slope(position)

    ask = remembered(oracle)
    for position in (POSITION, POSITION.copy(), POSITION + 1.0):
        np.testing.assert_array_equal(ask(density, position)[1], slope(position))
    assert len(asked) == 2


def test_large_data_are_compared_at_fewer_points() -> None:
    assert len(list(points(3, np.random.default_rng(0), LARGE))) == 1


def test_points_cover_the_range_of_initial_points() -> None:
    found = list(points(50, np.random.default_rng(0)))
    assert all(p.shape == (50,) for p in found)
    assert max(abs(p).max() for p in found) > 1.8


def test_a_small_difference_of_large_numbers_has_the_digits_that_rounding_leaves() -> None:
    position = np.array([0.3, -0.2])

    def function(x: np.ndarray) -> tuple[np.ndarray]:
        return (np.array([(1e6 + 1e-4 * x[0]) - 1e6, x[1]]),)

    (expected,) = function(position)
    otherwise = np.array([1e-4 * position[0], position[1]])
    assert worst(otherwise, expected)[0] > 1.0
    verify_outputs("tape", (otherwise,), (expected,), position, function)
    with pytest.raises(CompileError, match="output 0"):
        verify_outputs("tape", (otherwise,), (expected,), position)
    for wrong in ([1.001e-4 * position[0], position[1]], [1e-4 * position[0], position[1] * (1 + 1e-8)]):
        with pytest.raises(CompileError, match="output 0"):
            verify_outputs("tape", (np.array(wrong),), (expected,), position, function)
