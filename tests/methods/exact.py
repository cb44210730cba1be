"""A posterior known in closed form by its parts: normal prior, normal likelihood, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity
from exmc.fitting import Map
from exmc.methods.method import Arrays, Method, Problem, pooled
from exmc.methods.random import generator
from exmc.sampling.options import SamplerOptions
from exmc.sampling.seeds import chain_key

FloatArray = NDArray[np.float64]
_SIGNATURE = "double(CPointer(double), CPointer(double), CPointer(double), CPointer(int64))"


@numba.extending.intrinsic
def _doubles(_typing_context, address):  # type: ignore[no-untyped-def]
    """An address as a pointer to doubles."""
    signature = numba.types.CPointer(numba.float64)(address)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = context.get_value_type(signature.return_type)
        return builder.inttoptr(arguments[0], kind)

    return signature, generate


@numba.cfunc(_SIGNATURE)
def _quadratic(position, gradient, _workspace, pointers):  # type: ignore[no-untyped-def]
    table = numba.carray(_doubles(pointers[0]), 2)
    dimension, value = int(table[0]), table[1]
    numbers = numba.carray(_doubles(pointers[0]), 2 + dimension + dimension * dimension)
    for i in range(dimension):
        slope = 0.0
        for j in range(dimension):
            slope -= numbers[2 + dimension + i * dimension + j] * position[j]
        value += position[i] * (numbers[2 + i] + 0.5 * slope)
        gradient[i] = numbers[2 + i] + slope
    return value


def quadratic(precision: FloatArray, linear: FloatArray, constant: float) -> LogDensity:
    """The log density constant + linear' x - x' precision x / 2, in machine code compiled once."""
    table = np.concatenate([[linear.size, constant], linear, precision.ravel()])
    return LogDensity(linear.size, _quadratic.address, 0, np.array([table.ctypes.data], dtype=np.int64), table)


@dataclass(frozen=True, eq=False)
class Conjugate:
    """x ~ N(0, prior_scale²), data ~ N(design x, 1).

    `design` has shape (data, dimension).
    """

    design: FloatArray
    data: FloatArray
    prior_scale: float = 2.0

    @property
    def precision(self) -> FloatArray:
        return self.design.T @ self.design + np.eye(self.design.shape[1]) / self.prior_scale**2

    @property
    def covariance(self) -> FloatArray:
        return np.linalg.inv(self.precision)

    @property
    def mean(self) -> FloatArray:
        return self.covariance @ self.design.T @ self.data

    @property
    def log_evidence(self) -> float:
        """log N(data; 0, I + prior_scale² design design')."""
        marginal = np.eye(self.data.size) + self.prior_scale**2 * self.design @ self.design.T
        square = self.data @ np.linalg.solve(marginal, self.data)
        return float(-0.5 * (square + np.linalg.slogdet(2 * np.pi * marginal)[1]))

    def density(self, temperature: float) -> LogDensity:
        dimension = self.design.shape[1]
        precision = temperature * self.design.T @ self.design + np.eye(dimension) / self.prior_scale**2
        prior = -dimension * np.log(np.sqrt(2 * np.pi) * self.prior_scale)
        likelihood = -0.5 * (self.data @ self.data + self.data.size * np.log(2 * np.pi))
        return quadratic(precision, temperature * self.design.T @ self.data, prior + temperature * likelihood)

    def draw_prior(self, chain: int, first: int, count: int) -> FloatArray:
        key, dimension = chain_key(0, chain), self.design.shape[1]
        rows = [generator(key, first + i, 99).standard_normal(dimension) for i in range(count)]
        return self.prior_scale * np.stack(rows)


def independent() -> Conjugate:
    """Three coordinates that do not know of each other, of different scales."""
    design = np.zeros((6, 3))
    design[:2, 0], design[2:4, 1], design[4:, 2] = 0.5, 2.0, 5.0
    return Conjugate(design, np.array([0.3, 1.0, -2.0, -1.0, 3.0, 2.0]))


def correlated(dimension: int = 5) -> Conjugate:
    """A correlated posterior."""
    generator = np.random.default_rng(7)
    return Conjugate(generator.normal(size=(2 * dimension, dimension)), generator.normal(size=2 * dimension))


def problem_for(target: Conjugate, settings: Any, **options: Any) -> Problem:
    """`target` as a method sees it."""
    return Problem(
        target.density(1.0), SamplerOptions(**({"seed": 1, "warmup": 0} | options)), settings, lambda: target
    )


def fitted(method: Method, problem: Problem, map_parts: Map = map) -> Arrays:
    """The finished fit."""
    fit: Arrays | None = None
    number = 0
    while parts := method.parts(problem.options, problem.settings, fit):
        before, this = fit, number
        results = map_parts(lambda part: method.work(problem, before, this, part), parts)  # noqa: B023
        fit = pooled(method, problem, fit, dict(zip(parts, results, strict=True)), {})
        number += 1
    assert fit is not None
    return fit


def drawn(method: Method, problem: Problem, fit: Arrays) -> FloatArray:
    """Draws of every chain, shape (chains, draws, dimension)."""
    options = problem.options
    return np.stack([method.draw(problem, fit, c, 0, options.draws).positions for c in range(options.chains)])


def z_over_chains(values: FloatArray, truth: FloatArray) -> FloatArray:
    """How many standard errors the mean of `values`, shape (chains, draws, ...), is from `truth`.

    The standard error is that of independent chains' means.
    """
    means = values.mean(axis=1)
    return (means.mean(axis=0) - truth) / (means.std(axis=0, ddof=1) / np.sqrt(len(means)))
