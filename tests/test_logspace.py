"""Sums on the log scale against scipy's, at infinities, and with derivatives that are numbers."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from autograd import elementwise_grad, grad

from exmc import logspace

VALUES = np.array([[-800.0, 0.3, 1.0], [700.0, 710.0, -np.inf], [-1e-3, 5.0, 5.0]])
INF = np.inf


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [True, False])
def test_logsumexp_is_scipys(axis, keepdims: bool) -> None:
    found = logspace.logsumexp(VALUES, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(found, scipy.special.logsumexp(VALUES, axis=axis, keepdims=keepdims), rtol=1e-15)


@pytest.mark.parametrize(
    ("x", "expected"),
    [([-INF, -INF], -INF), ([INF, 0.0], INF), ([-INF, 2.0], 2.0), ([np.nan, 0.0], np.nan), ([], -INF)],
)
def test_logsumexp_of_infinities(x: list[float], expected: float) -> None:
    np.testing.assert_equal(float(logspace.logsumexp(np.array(x))), expected)


def test_a_sum_of_zeros_has_the_derivative_zero() -> None:
    np.testing.assert_array_equal(grad(logspace.logsumexp)(np.array([-INF, -INF])), [0.0, 0.0])
    np.testing.assert_allclose(grad(logspace.logsumexp)(np.array([-INF, 1.0])), [0.0, 1.0])


@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_and_its_logarithm_are_scipys(axis: int) -> None:
    np.testing.assert_allclose(logspace.softmax(VALUES, axis), scipy.special.softmax(VALUES, axis), rtol=1e-14)
    expected = scipy.special.log_softmax(VALUES, axis)
    np.testing.assert_allclose(logspace.log_softmax(VALUES, axis), expected, rtol=1e-14)


def test_derivatives_sum_to_zero_and_agree() -> None:
    x, weights = np.array([0.3, -1.0, 2.0]), np.array([1.0, -2.0, 0.5])
    plain = grad(lambda v: anp.sum(weights * logspace.softmax(v)))(x)
    by_logarithm = grad(lambda v: anp.sum(weights * anp.exp(logspace.log_softmax(v))))(x)
    np.testing.assert_allclose(plain, by_logarithm, rtol=1e-13, atol=1e-15)
    assert plain.sum() == pytest.approx(0.0, abs=1e-15)


def test_logdiffexp() -> None:
    np.testing.assert_allclose(logspace.logdiffexp(np.log(5.0), np.log(3.0)), np.log(2.0), rtol=1e-15)
    np.testing.assert_allclose(logspace.logdiffexp(1000.0, 999.0), 1000.0 + np.log1p(-np.exp(-1.0)), rtol=1e-15)
    np.testing.assert_array_equal(
        logspace.logdiffexp(np.array([2.0, -INF, 1.0]), np.array([2.0, -INF, -INF])), [-INF, -INF, 1.0]
    )
    with np.errstate(invalid="ignore"):
        assert np.isnan(logspace.logdiffexp(1.0, 2.0))
    slope = elementwise_grad(logspace.logdiffexp, 0)(np.array([2.0]), np.array([1.0]))
    np.testing.assert_allclose(slope, 1.0 / (1.0 - np.exp(-1.0)), rtol=1e-14)
