"""Batches say of draws what the draws themselves say, however they come."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.diagnostics.live.batches import Batches


def added(draws: np.ndarray[tuple[int, ...], np.dtype[np.float64]], cuts: list[int], most: int) -> Batches:
    batches = Batches(len(draws), most)
    for part in np.split(draws, cuts, axis=1):
        batches.add(part)
    return batches


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 40, 513, 1000])
@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 14], [100, 700]], ids=["whole", "bits", "large"])
def test_means_and_halves_are_those_of_the_draws(count: int, cuts: list[int]) -> None:
    draws = np.random.default_rng(count).normal(size=(3, count))
    batches = added(draws, [cut for cut in cuts if cut < count], 16)
    assert batches.draws == count
    assert batches.full == count // batches.size <= 16
    assert batches.size == 1 or batches.full >= 8
    for size in (batches.size, 2 * batches.size):
        whole = count // size
        expected = draws[:, : whole * size].reshape(3, whole, size).mean(axis=2)
        np.testing.assert_allclose(batches.means(size), expected, atol=1e-14)
    first, second = batches.halves()
    assert first.draws + second.draws == count
    assert abs(first.draws - count / 2) <= batches.size / 2
    for half, part in ((first, draws[:, : first.draws]), (second, draws[:, first.draws :])):
        if half.draws > 1:
            np.testing.assert_allclose(half.mean, part.mean(axis=1), atol=1e-14)
            np.testing.assert_allclose(half.variance, part.var(axis=1, ddof=1), rtol=1e-12)
