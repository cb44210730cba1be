"""Covariance functions of Gaussian processes: matrices over one set of points, or between two.

Points are numbers, shape (n,), or vectors, shape (n, d). With ``r² = sum_k (x_k - z_k)² / length_k²`` (`length` is one
number for all coordinates, or one for each, shape (d,)), and `scale` the standard deviation of the process:

================================================== ====================================================
`exp_quad`                                         ``scale² exp(-r² / 2)``
`matern12`, `matern32`, `matern52`                 ``scale² p(a) exp(-a)``, ``a = sqrt(2 nu) r``
`rational_quadratic`                               ``scale² (1 + r² / (2 alpha))**-alpha``
`periodic`                                         ``scale² exp(-2 sum_k sin²(pi (x_k - z_k) / period) / length_k²)``
`linear`                                           ``sum_k scale_k² x_k z_k``
`white_noise`                                      ``scale²`` of a point with itself, 0 of two points
================================================== ====================================================

with p(a) = 1, 1 + a, 1 + a + a² / 3 (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapter 4;
of periodic coordinates the product, as sums of squared sines stay positive definite).

**Of one set of points** (z is None) the diagonal is larger than these by `JITTER` of the process's variance (for
`linear`, of its mean): smooth covariances of many points are singular to rounding, and would have no Cholesky factor.
White noise is left as it is. ``exp_quad(x, x, scale, length)``, between two equal sets, is the bare formula.
"""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np
import numpy

from exmc.special import Array, select

JITTER = 1e-6
"""What is added to the diagonal, relative to the variance: noise whose scale is a thousandth of the process's."""


def exp_quad(x: Array, z: Array | None, scale: Array, length: Array) -> Array:
    """The squared exponential covariance, of infinitely smooth functions; shape (n, n), or (n, m) of x with z."""
    return _scaled(np.exp(-0.5 * _squared_distance(x, z, length)), z, scale)


def matern12(x: Array, z: Array | None, scale: Array, length: Array) -> Array:
    """The exponential covariance, that of the Ornstein-Uhlenbeck process; shape as in `exp_quad`."""
    return _scaled(np.exp(-_distance(x, z, length)), z, scale)


def matern32(x: Array, z: Array | None, scale: Array, length: Array) -> Array:
    """The Matérn covariance of order 3/2, of functions with one derivative; shape as in `exp_quad`."""
    a = 3.0**0.5 * _distance(x, z, length)
    return _scaled((1.0 + a) * np.exp(-a), z, scale)


def matern52(x: Array, z: Array | None, scale: Array, length: Array) -> Array:
    """The Matérn covariance of order 5/2, of functions with two derivatives; shape as in `exp_quad`."""
    a = 5.0**0.5 * _distance(x, z, length)
    return _scaled((1.0 + a + a * a / 3.0) * np.exp(-a), z, scale)


def rational_quadratic(x: Array, z: Array | None, scale: Array, length: Array, alpha: Array) -> Array:
    """A mixture of `exp_quad` over lengths, the wider the smaller `alpha` is; shape as in `exp_quad`."""
    half = _squared_distance(x, z, length) / (2.0 * alpha)
    return _scaled(np.exp(-alpha * np.log1p(half)), z, scale)


def periodic(x: Array, z: Array | None, scale: Array, length: Array, period: Array) -> Array:
    """The covariance of functions that repeat themselves each `period`; shape as in `exp_quad`."""

    def of_coordinate(difference: Array) -> Array:
        return np.square(np.sin(numpy.pi * difference / period))

    return _scaled(np.exp(-2.0 * _weighted_sum(of_coordinate, x, z, length)), z, scale)


def linear(x: Array, z: Array | None, scale: Array) -> Array:
    """The covariance of linear functions through the origin, slopes having `scale`; shape as in `exp_quad`."""
    left = 1.0 * scale * (x if np.ndim(x) == 2 else x[:, None])
    if z is None:
        return np.matmul(left, np.transpose(left)) + JITTER * np.sum(left * left) / len(left) * numpy.eye(len(left))
    right = scale * (z if np.ndim(z) == 2 else z[:, None])
    return np.matmul(left, np.transpose(right))


def white_noise(x: Array, scale: Array) -> Array:
    """The covariance of noise that is independent at each point, shape (n, n); `scale` has shape () or (n,)."""
    return np.square(scale) * numpy.eye(len(x))


def _scaled(correlation: Array, z: Array | None, scale: Array) -> Array:
    if z is None:
        correlation = correlation + JITTER * numpy.eye(np.shape(correlation)[0])
    return np.square(scale) * correlation


def _squared_distance(x: Array, z: Array | None, length: Array) -> Array:
    return _weighted_sum(np.square, x, z, length)


def _distance(x: Array, z: Array | None, length: Array) -> Array:
    if np.ndim(length) == 0:
        # The distances of points that are data are computed once, not at each evaluation.
        return _root(_weighted_sum(np.square, x, z, 1.0)) / length
    return _root(_squared_distance(x, z, length))


def _root(square: Array) -> Array:
    """The square root, at 0 with a derivative of 0: points that coincide do so whatever the length."""
    zero = square <= 0.0
    return select(zero, 0.0, np.sqrt(select(zero, 1.0, square)))


def _weighted_sum(of_coordinate: Callable[[Array], Array], x: Array, z: Array | None, length: Array) -> Array:
    """The sum over coordinates of a function of their differences, each over its squared length; shape (n, m)."""
    z = x if z is None else z
    if np.ndim(x) == 1:
        return of_coordinate(x[:, None] - z[None, :]) / np.square(length)
    terms = [of_coordinate(x[:, k, None] - z[None, :, k]) for k in range(np.shape(x)[1])]
    if np.ndim(length) == 0:
        return sum(terms[1:], start=terms[0]) / np.square(length)
    weighted = [term / np.square(length[k]) for k, term in enumerate(terms)]
    return sum(weighted[1:], start=weighted[0])
