"""The page's curves are those of all draws, and few numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from exmc.viz.live import curves


@pytest.mark.parametrize("count", [1, 299, 300, 301, 5000])
def test_a_trace_keeps_its_ends_and_spacing(count: int) -> None:
    numbers = np.arange(count, dtype=np.int64) * 4
    x, y = curves.thinned(numbers, np.arange(count, dtype=np.float64))
    assert len(x) == len(y) <= 300
    assert x[0] == 0
    assert len(set(np.diff(x))) <= 1
    np.testing.assert_array_equal(x, 4 * y)


def test_a_density_is_that_of_a_kernel_estimate() -> None:
    values = np.random.default_rng(1).normal(2.0, 3.0, 4000)
    span = curves.span([values])
    assert span is not None
    x, y = curves.density(values, *span)
    quartiles = np.quantile(values, [0.25, 0.75])
    spread = min(values.std(), (quartiles[1] - quartiles[0]) / 1.34)
    kernel = scipy.stats.gaussian_kde(values, 0.9 * len(values) ** -0.2 * spread / values.std(ddof=1))
    # Binning moves a value by half a bin.
    np.testing.assert_allclose(y, kernel(x), atol=0.02 * kernel(x).max())
    assert y.sum() * (x[1] - x[0]) == pytest.approx(1.0, abs=0.01)


def test_constants_and_nothing_have_a_place() -> None:
    low, high = curves.span([np.full(9, 5.0)]) or (0.0, 0.0)
    assert low < 5.0 < high
    x, y = curves.density(np.full(9, 5.0), low, high)
    assert np.isfinite(y).all()
    assert abs(x[np.argmax(y)] - 5.0) < x[1] - x[0]
    assert curves.span([]) is None
    assert curves.span([np.array([np.nan])]) is None


def test_ranks_are_even_if_chains_agree_and_not_if_they_do_not() -> None:
    rng = np.random.default_rng(2)
    same = curves.rank_counts([rng.normal(size=1600) for _ in range(4)])
    # 100 of each chain are expected in each of 16 bins.
    assert np.abs(same - 1.0).max() < 5 / np.sqrt(100)
    np.testing.assert_allclose(same.mean(axis=1), 1.0)
    apart = curves.rank_counts([rng.normal(size=160), rng.normal(10.0, size=160)])
    assert apart[0, 0] == 2.0
    assert apart[1, 0] == 0.0
