from __future__ import annotations

import numpy as np
import pytest

from exmc.nuts import variance


def _window(rows: int, draws: np.ndarray) -> variance.Welford:
    window, scratch = variance.init(draws.shape[1], rows), np.zeros(draws.shape[1])
    count = 0
    for draw in draws:
        count = variance.update(count, window.mean, window.squares, draw, scratch)
    return window._replace(draws=count)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_are_numpys(offset: float) -> None:
    draws = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 10.0, 0.1, 1.0] + offset
    n = len(draws)
    kept, added = n / (n + 5), 1e-3 * 5 / (n + 5)
    diagonal, dense = _window(1, draws), _window(4, draws)
    covariance = np.cov((draws - offset).T)
    np.testing.assert_allclose(diagonal.mean, draws.mean(0), rtol=1e-12)
    np.testing.assert_allclose(variance.final_variance(diagonal), kept * np.diag(covariance) + added, rtol=1e-6)
    np.testing.assert_allclose(
        variance.final_covariance(dense), kept * covariance + added * np.eye(4), rtol=1e-6, atol=1e-6
    )


def test_the_estimated_covariance_is_exactly_symmetric() -> None:
    draws = np.random.default_rng(1).normal(size=(9, 5)) @ np.random.default_rng(2).normal(size=(5, 5))
    covariance = variance.final_covariance(_window(5, draws))
    assert np.array_equal(covariance, covariance.T)
