from __future__ import annotations

import numpy as np
import pytest

from exmc.errors import SamplingError
from exmc.nuts import metric
from exmc.nuts.estimate import FISHER
from exmc.nuts.metric import METRICS
from tests.nuts.driving import matrix_of
from tests.nuts.test_estimate import example, normal_window

DIMENSIONS = [1, 2, 3, 8]


def _example(name: str, dimension: int) -> np.ndarray:
    """An inverse mass matrix of this metric, estimated from draws with correlations and unequal scales."""
    window = normal_window(example(dimension), 70)
    return METRICS[name].estimate(FISHER, window, FISHER.variances(window.moments, np.ones(dimension), False))


def _root(name: str, factor: np.ndarray) -> np.ndarray:
    """The matrix L that a factor stands for."""
    if name == "low_rank":
        inner = np.eye(factor.shape[1]) + factor[2:].T @ np.diag(factor[1, : len(factor) - 2]) @ factor[2:]
        return factor[0][:, np.newaxis] * inner
    return np.diag(factor[0]) if name == "diagonal" else np.tril(factor)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("name", METRICS)
class TestEveryMetric:
    def test_factor_is_a_root_of_the_inverse_mass_matrix(self, name: str, dimension: int) -> None:
        inverse_mass = _example(name, dimension)
        factor = METRICS[name].factorise(inverse_mass)
        assert factor.ndim == 2
        assert factor.flags.c_contiguous
        root, expected = _root(name, factor), matrix_of(name, inverse_mass)
        np.testing.assert_allclose(root @ root.T, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())

    def test_drift_and_force_are_products_with_the_factor(self, name: str, dimension: int) -> None:
        kind, random = METRICS[name], np.random.default_rng(1)
        factor = kind.factorise(_example(name, dimension))
        momentum, position, gradient = random.normal(size=(3, dimension))
        moved, force = position.copy(), np.full(dimension, np.nan)
        kind.drift(factor, momentum, -0.3, moved)
        kind.whiten(factor, gradient, force)
        root = _root(name, factor)
        np.testing.assert_allclose(moved, position - 0.3 * root @ momentum, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(force, root.T @ gradient, rtol=1e-10, atol=1e-9)

    def test_a_metric_without_correlations(self, name: str, dimension: int) -> None:
        variances = 10.0 ** np.arange(dimension)
        plain = METRICS[name].with_variances(variances)
        assert METRICS[name].fits(plain, dimension)
        np.testing.assert_allclose(matrix_of(name, plain), np.diag(variances), rtol=1e-15)
        assert np.array_equal(METRICS[name].variances(plain), variances)
        root = _root(name, METRICS[name].factorise(plain))
        np.testing.assert_allclose(root, np.diag(np.sqrt(variances)), rtol=1e-15)

    def test_what_is_estimated_fits(self, name: str, dimension: int) -> None:
        found = _example(name, dimension)
        assert METRICS[name].fits(found, dimension)
        assert not METRICS[name].fits(found, dimension + 1)
        assert np.all(METRICS[name].variances(found) > 0)

    def test_the_estimate_needs_the_draws_themselves_if_it_says_so(self, name: str, dimension: int) -> None:
        kind, window = METRICS[name], normal_window(example(dimension), 70)
        variances = FISHER.variances(window.moments, np.ones(dimension), False)
        bare = window._replace(positions=window.positions[:0], gradients=window.gradients[:0])
        if not kind.needs_draws:
            assert np.array_equal(kind.estimate(FISHER, bare, variances), kind.estimate(FISHER, window, variances))

    @pytest.mark.parametrize("fault", [np.nan, np.inf, -1.0, 0.0])
    def test_what_is_no_metric_is_refused(self, name: str, dimension: int, fault: float) -> None:
        variances = np.ones(dimension)
        variances[-1] = fault
        inverse_mass = METRICS[name].with_variances(variances)
        with pytest.raises(SamplingError, match="positive definite") as caught:
            METRICS[name].factorise(inverse_mass)
        assert caught.value.remedy


def test_codes_are_the_rows_of_the_table() -> None:
    assert [metric.code(name) for name in METRICS] == list(range(len(METRICS)))


@pytest.mark.parametrize("fault", [np.nan, np.inf, -1.0, 0.0])
def test_eigenvalues_that_are_not_positive_are_refused(fault: float) -> None:
    bad = np.array([[1.0, 2.0], [fault, 0.0], [1.0, 0.0]])
    with pytest.raises(SamplingError, match="eigenvalues"):
        METRICS["low_rank"].factorise(bad)
