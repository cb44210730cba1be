"""Gaussian processes by basis functions on a box, with independent coefficients: their Hilbert-space approximation.

On the box ``[-boundary_k, boundary_k]`` a process of stationary covariance is nearly ``sum_j s_j beta_j phi_j(x)``,
beta_j independent standard normals, phi_j the eigenfunctions of the Laplacian that vanish at the border, s_j² the
spectral density at the roots of their eigenvalues (Solin and Särkkä 2020, "Hilbert space methods for reduced-rank
Gaussian process regression"; Riutort-Mayol et al. 2022, "Practical Hilbert space approximate Bayesian Gaussian
processes", whose boundary factor c is ``boundary / max |x|``). In d coordinates functions are products of m_k
functions of each, the last coordinate's number running fastest; `m` is one number for all coordinates, or one for
each.
"""

from __future__ import annotations

import math

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.special import Array, select

Counts = int | tuple[int, ...]


def counts(m: Counts, coordinates: int) -> tuple[int, ...]:
    """The number of functions of each coordinate."""
    return (m,) * coordinates if isinstance(m, int) else m


def basis(x: Array, boundary: Array, m: Counts) -> Array:
    """The eigenfunctions at points x, shape (n, product of m); x has shape (n,), boundary (), or (n, d) and (d,).

    They are NaN outside the box: there they say nothing of the process.
    """
    if np.ndim(x) == 1:
        return _functions(x, boundary, counts(m, 1)[0])
    numbers = counts(m, np.shape(x)[1])
    result = _functions(x[:, 0], boundary[0], numbers[0])
    for k, number in enumerate(numbers[1:], start=1):
        product = result[:, :, None] * _functions(x[:, k], boundary[k], number)[:, None, :]
        result = np.reshape(product, (np.shape(x)[0], -1))
    return result


def exp_quad(boundary: Array, scale: Array, length: Array, m: Counts) -> Array:
    """The scales s_j of the coefficients for `exmc.covariances.exp_quad`, shape (product of m,)."""
    squares, logarithms, dimension = _spectrum(boundary, length, m)
    return scale * np.exp(0.5 * logarithms + 0.25 * dimension * math.log(2.0 * math.pi) - 0.25 * squares)


def matern12(boundary: Array, scale: Array, length: Array, m: Counts) -> Array:
    """The scales s_j of the coefficients for `exmc.covariances.matern12`, shape (product of m,)."""
    return _matern(0.5, boundary, scale, length, m)


def matern32(boundary: Array, scale: Array, length: Array, m: Counts) -> Array:
    """The scales s_j of the coefficients for `exmc.covariances.matern32`, shape (product of m,)."""
    return _matern(1.5, boundary, scale, length, m)


def matern52(boundary: Array, scale: Array, length: Array, m: Counts) -> Array:
    """The scales s_j of the coefficients for `exmc.covariances.matern52`, shape (product of m,)."""
    return _matern(2.5, boundary, scale, length, m)


def _functions(x: Array, boundary: Array, number: int) -> Array:
    """The eigenfunctions on ``[-boundary, boundary]``, shape (n, number)."""
    order = numpy.arange(1.0, number + 1.0)
    angle = (0.5 * math.pi * (x + boundary) / boundary)[:, None] * order
    inside = np.sin(angle) / np.sqrt(boundary)
    return select((np.abs(x) > boundary)[:, None], numpy.nan, inside)


def _matern(order: float, boundary: Array, scale: Array, length: Array, m: Counts) -> Array:
    squares, logarithms, dimension = _spectrum(boundary, length, m)
    power = order + 0.5 * dimension
    constant = dimension * math.log(2.0) + 0.5 * dimension * math.log(math.pi) + order * math.log(2.0 * order)
    constant += math.lgamma(power) - math.lgamma(order)
    return scale * np.exp(0.5 * (constant + logarithms) - 0.5 * power * np.log(2.0 * order + squares))


def _spectrum(boundary: Array, length: Array, m: Counts) -> tuple[Array, Array, int]:
    """``sum_k length_k² w_k²`` at each frequency w, the sum of the logarithms of lengths, the number of coordinates."""
    if np.ndim(boundary) == 0:
        return np.square(length * _orders(counts(m, 1))[0] * (0.5 * math.pi / boundary)), np.log(length), 1
    dimension = np.shape(boundary)[0]
    lengths = [length if np.ndim(length) == 0 else length[k] for k in range(dimension)]
    orders = _orders(counts(m, dimension))
    squares = [np.square(lengths[k] * orders[k] * (0.5 * math.pi / boundary[k])) for k in range(dimension)]
    logarithms = [np.log(one) for one in lengths]
    return sum(squares[1:], start=squares[0]), sum(logarithms[1:], start=logarithms[0]), dimension


def _orders(numbers: tuple[int, ...]) -> list[NDArray[numpy.float64]]:
    """For each coordinate, which of its functions is in each product, counted from 1."""
    return [1.0 + grid.ravel() for grid in numpy.indices(numbers)]
