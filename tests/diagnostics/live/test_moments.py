"""Moments of parts add up to those of the whole."""

from __future__ import annotations

import numpy as np

from exmc.diagnostics.live.moments import Moments, together


def test_parts_make_the_whole() -> None:
    draws = np.random.default_rng(1).normal(1e6, 1e-2, (3, 100))
    parts = [Moments.of(part) for part in np.split(draws, [1, 7, 8, 60], axis=1)]
    found = together(parts, (3,))
    assert found.draws == 100
    # Sums of squares of such numbers would have no digit of the variance left.
    np.testing.assert_allclose(found.mean, draws.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(found.variance, draws.var(axis=1, ddof=1), rtol=1e-6)


def test_of_one_draw_there_is_no_variance() -> None:
    assert np.isnan(Moments.of(np.ones((2, 1))).variance).all()
    assert together([], (2,)).draws == 0
