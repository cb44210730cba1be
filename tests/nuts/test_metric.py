from __future__ import annotations

import numpy as np
import pytest

from exmc.errors import SamplingError
from exmc.nuts import metric, variance
from exmc.nuts.metric import METRICS

DIMENSIONS = [1, 2, 3, 8]


def _example(name: str, dimension: int) -> np.ndarray:
    """An inverse mass matrix of this metric, estimated from draws with correlations and unequal scales."""
    kind, random = METRICS[name], np.random.default_rng(dimension)
    window, scratch = variance.init(dimension, kind.rows(dimension)), np.zeros(dimension)
    mixing = random.normal(size=(dimension, dimension)) * 10.0 ** random.uniform(-1, 1, size=dimension)
    draws = 0
    for _ in range(40):
        position = mixing @ random.normal(size=dimension)
        draws = variance.update(draws, window.mean, window.squares, position, scratch)
    return kind.estimate(window._replace(draws=draws))


def _matrix(inverse_mass_matrix: np.ndarray) -> np.ndarray:
    return np.diag(inverse_mass_matrix) if inverse_mass_matrix.ndim == 1 else inverse_mass_matrix


def _factor_matrix(factor: np.ndarray) -> np.ndarray:
    return np.diag(factor[0]) if factor.shape[0] == 1 else factor


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("name", METRICS)
class TestEveryMetric:
    def test_factor_is_a_root_of_the_inverse_mass_matrix(self, name: str, dimension: int) -> None:
        inverse_mass = _example(name, dimension)
        factor = METRICS[name].factorise(inverse_mass)
        assert factor.shape == (METRICS[name].rows(dimension), dimension)
        assert factor.flags.c_contiguous
        root = _factor_matrix(factor)
        np.testing.assert_allclose(root @ root.T, _matrix(inverse_mass), rtol=1e-10)
        assert np.array_equal(root, np.tril(root))

    def test_drift_and_force_are_products_with_the_factor(self, name: str, dimension: int) -> None:
        kind, random = METRICS[name], np.random.default_rng(1)
        factor = kind.factorise(_example(name, dimension))
        momentum, position, gradient = random.normal(size=(3, dimension))
        moved, force = position.copy(), np.full(dimension, np.nan)
        kind.drift(factor, momentum, -0.3, moved)
        kind.whiten(factor, gradient, force)
        root = _factor_matrix(factor)
        np.testing.assert_allclose(moved, position - 0.3 * root @ momentum, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(force, root.T @ gradient, rtol=1e-10, atol=1e-12)

    def test_unit_metric(self, name: str, dimension: int) -> None:
        unit = METRICS[name].unit(dimension)
        assert np.array_equal(_matrix(unit), np.eye(dimension))
        assert np.array_equal(_factor_matrix(METRICS[name].factorise(unit)), np.eye(dimension))

    @pytest.mark.parametrize("fault", [np.nan, np.inf, -1.0, 0.0])
    def test_what_is_no_metric_is_refused(self, name: str, dimension: int, fault: float) -> None:
        inverse_mass = METRICS[name].unit(dimension)
        inverse_mass[(-1,) * inverse_mass.ndim] = fault
        with pytest.raises(SamplingError, match="positive definite") as caught:
            METRICS[name].factorise(inverse_mass)
        assert caught.value.remedy


def test_codes_are_the_rows_of_the_table() -> None:
    assert [metric.code(name) for name in METRICS] == list(range(len(METRICS)))
