"""Covariance functions against formulas written out for two points at a time, and what holds of all of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special

from exmc import covariances, linalg

_RANDOM = np.random.default_rng(0)
VECTORS, OTHERS = _RANDOM.normal(size=(6, 3)), _RANDOM.normal(size=(4, 3))
LENGTHS = np.array([0.7, 1.3, 2.1])


def bessel(order: float) -> Callable[[float], float]:
    """The Matérn correlation by its general formula (Rasmussen and Williams, equation 4.14)."""

    def correlation(r: float) -> float:
        a = np.sqrt(2.0 * order) * r
        if a == 0.0:
            return 1.0
        return 2.0 ** (1.0 - order) / scipy.special.gamma(order) * a**order * scipy.special.kv(order, a)

    return correlation


# Correlations by distance, the other parameters being fixed.
STATIONARY: dict[str, tuple[tuple[float, ...], Callable[[float], float]]] = {
    "exp_quad": ((), lambda r: np.exp(-0.5 * r**2)),
    "matern12": ((), bessel(0.5)),
    "matern32": ((), bessel(1.5)),
    "matern52": ((), bessel(2.5)),
    "rational_quadratic": ((0.8,), lambda r: (1.0 + r**2 / 1.6) ** -0.8),
}
SETS = {
    "numbers": (VECTORS[:, 0], OTHERS[:, 0], 0.9),
    "one length": (VECTORS, OTHERS, 0.9),
    "lengths": (VECTORS, OTHERS, LENGTHS),
}


def written_out(pair: Callable, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.array([[pair(a, b) for b in z] for a in x])


@pytest.mark.parametrize(("name", "points"), list(product(STATIONARY, SETS)))
def test_stationary_covariances_are_their_formulas(name: str, points: str) -> None:
    more, correlation = STATIONARY[name]
    x, z, length = SETS[points]

    def pair(a: np.ndarray, b: np.ndarray) -> float:
        return 1.7**2 * correlation(float(np.sqrt(np.sum(((a - b) / length) ** 2))))

    function = getattr(covariances, name)
    np.testing.assert_allclose(function(x, z, 1.7, length, *more), written_out(pair, x, z), rtol=1e-12)
    jitter = covariances.JITTER * 1.7**2 * np.eye(len(x))
    np.testing.assert_allclose(function(x, None, 1.7, length, *more), written_out(pair, x, x) + jitter, rtol=1e-12)
    np.testing.assert_allclose(function(x, x, 1.7, length, *more), written_out(pair, x, x), rtol=1e-12)


@pytest.mark.parametrize("points", SETS)
def test_periodic_covariances_repeat_themselves(points: str) -> None:
    x, z, length = SETS[points]

    def pair(a: np.ndarray, b: np.ndarray) -> float:
        return 1.7**2 * np.exp(-2.0 * np.sum(np.sin(np.pi * (a - b) / 2.5) ** 2 / length**2))

    np.testing.assert_allclose(covariances.periodic(x, z, 1.7, length, 2.5), written_out(pair, x, z), rtol=1e-12)
    np.testing.assert_allclose(covariances.periodic(x, z + 2.5, 1.7, length, 2.5), written_out(pair, x, z), rtol=1e-12)


@pytest.mark.parametrize("points", SETS)
def test_linear_covariances_are_products(points: str) -> None:
    x, z, scale = SETS[points]

    def pair(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sum(scale**2 * a * b))

    np.testing.assert_allclose(covariances.linear(x, z, scale), written_out(pair, x, z), rtol=1e-12)
    bare = written_out(pair, x, x)
    jitter = covariances.JITTER * np.mean(np.diag(bare)) * np.eye(len(x))
    np.testing.assert_allclose(covariances.linear(x, None, scale), bare + jitter, rtol=1e-12)


def test_noise_is_white() -> None:
    scales = np.arange(6.0)
    np.testing.assert_array_equal(covariances.white_noise(VECTORS, scales), np.diag(scales**2))
    np.testing.assert_array_equal(covariances.white_noise(VECTORS[:, 0], 2.0), 4.0 * np.eye(6))


ALL: dict[str, Callable] = {
    **{
        name: lambda x, length, name=name: getattr(covariances, name)(x, None, 1.3, length, *STATIONARY[name][0])
        for name in STATIONARY
    },
    "periodic": lambda x, length: covariances.periodic(x, None, 1.3, length, 3.0),
    "linear": lambda x, length: covariances.linear(x, None, length),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("length", [0.01, 1.0, 100.0])
def test_many_points_have_a_factor_even_where_they_coincide(name: str, length: float) -> None:
    x = np.repeat(np.linspace(-1.0, 1.0, 150), 2)
    assert np.all(np.isfinite(linalg.cholesky(ALL[name](x, length))))
    assert np.all(np.isfinite(linalg.cholesky(ALL[name](np.stack([x, x], axis=1), np.array([length, 1.0])))))


@pytest.mark.parametrize("name", ALL)
def test_derivatives_equal_differences_where_points_coincide(name: str) -> None:
    weights = _RANDOM.normal(size=(7, 7))
    points = np.concatenate([VECTORS, VECTORS[:1]])

    def scalar(t: np.ndarray) -> float:
        return anp.sum(weights * ALL[name](points * t[3], t[:3])) + anp.sum(weights * ALL[name](points[:, 0], t[0]))

    at, step = np.array([*LENGTHS, 1.1]), 1e-3
    found = autograd.grad(scalar)(at)
    for k, unit in enumerate(np.eye(4)):
        a, b, c, d = (scalar(at + n * step * unit) for n in (-2, -1, 1, 2))
        assert found[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=1e-7, abs=1e-8)
