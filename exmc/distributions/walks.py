"""Gaussian random walks, of numbers and of vectors, and autoregressive series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, Distribution, Form, Parameter, Recurrence, with_axis
from exmc.distributions.law import Law
from exmc.distributions.mv_normal import MATRICES, spread, square_and_log_scale
from exmc.errors import ModelError
from exmc.special import Array
from exmc.transforms import POSITIVE, REAL


def _real_start(parts: Mapping[str, Any], rank: int) -> None:
    """Raise a ModelError unless the start is of real numbers, in vectors of at most `rank` axes."""
    form: Form = parts["init_dist"]
    if form.support is not REAL or not form.transform or form.rank > rank:
        kind = "numbers or vectors" if rank else "numbers"
        raise ModelError(
            f"a series starts with a distribution of {kind} on the whole real line.",
            where=("init_dist",),
            remedy="Use Normal, StudentT or another of them; a series of logarithms is positive when exponentiated.",
        )


def _normal_steps(residual: Array, sigma: Array) -> Array:
    """The log density of each series of independent normals of mean 0, over the last axis."""
    z = residual / with_axis(sigma)
    steps = np.shape(residual)[-1]
    return -0.5 * np.sum(z * z, axis=-1) - steps * (np.log(sigma) + HALF_LOG_TWO_PI)


# --- A walk of numbers -----------------------------------------------------------------------------------------------


def _walk_form(parts: Mapping[str, Any]) -> Form:
    _real_start(parts, 0)
    return Form(REAL, "identity", ("t",))


def _walk_log_density(value: Array, mu: Array, sigma: Array, init_dist: Law) -> Array:
    steps = value[..., 1:] - value[..., :-1]
    return init_dist.log_density(value[..., 0]) + _normal_steps(steps - with_axis(mu), sigma)


def _walk_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, sigma: Array, init_dist: Law
) -> NDArray[numpy.float64]:
    start = init_dist.draw(generator, shape[:-1])[..., None]
    steps = with_axis(mu) + with_axis(sigma) * generator.standard_normal((*shape[:-1], shape[-1] - 1))
    return numpy.cumsum(numpy.concatenate([start, steps], axis=-1), axis=-1)


GaussianRandomWalk = Distribution(
    name="GaussianRandomWalk",
    parameters=(
        Parameter("mu", default=0.0),
        Parameter("sigma", POSITIVE, default=1.0),
        Parameter("init_dist", takes="distribution"),
    ),
    support=REAL,
    transform="identity",
    log_density=_walk_log_density,
    draw=_walk_draw,
    recurrence=Recurrence("mu", ("sigma",), "init_dist"),
    event=("t",),
    form=_walk_form,
)
"""Names as in PyMC, but the start's distribution is the user's to give; the time axis is the last one."""


# --- A walk of vectors -----------------------------------------------------------------------------------------------


def _vector_form(parts: Mapping[str, Any]) -> Form:
    _real_start(parts, 1)
    return Form(REAL, "identity", ("t", "n"))


def _vector_log_density(value: Array, mu: Array, init_dist: Law, **matrix: Array) -> Array:
    steps = value[..., 1:, :] - value[..., :-1, :] - _over_time(mu, 1)
    square, log_scale = square_and_log_scale(steps, **{name: _over_time(m, 2) for name, m in matrix.items()})
    terms = -0.5 * square - log_scale - np.shape(value)[-1] * HALF_LOG_TWO_PI
    return init_dist.log_density_of_vectors(value[..., 0, :]) + np.sum(terms, axis=-1)


def _over_time(value: Array, rank: int) -> Array:
    """`value`, whose last `rank` axes belong to each step, with an axis for time before those if it has others."""
    shape = np.shape(value)
    lead = len(shape) - rank
    return np.reshape(value, (*shape[:lead], 1, *shape[lead:])) if lead > 0 else value


def _vector_draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], mu: Array, init_dist: Law, **matrix: Array
) -> NDArray[numpy.float64]:
    start = init_dist.draw(generator, (*shape[:-2], shape[-1]))[..., None, :]
    matrices = {name: _over_time(m, 2) for name, m in matrix.items()}
    steps = _over_time(mu, 1) + spread(generator, (*shape[:-2], shape[-2] - 1, shape[-1]), **matrices)
    return numpy.cumsum(numpy.concatenate([start, steps], axis=-2), axis=-2)


MvGaussianRandomWalk = Distribution(
    name="MvGaussianRandomWalk",
    parameters=(
        Parameter("mu", event=("n",), default=0.0),
        *MATRICES,
        Parameter("init_dist", event=("n",), takes="distribution"),
    ),
    support=REAL,
    transform="identity",
    log_density=_vector_log_density,
    draw=_vector_draw,
    recurrence=Recurrence("mu", tuple(matrix.name for matrix in MATRICES), "init_dist"),
    alternatives=tuple(("mu", matrix.name, "init_dist") for matrix in MATRICES),
    event=("t", "n"),
    form=_vector_form,
)
"""Names as in PyMC, whose `tau` is `precision`; one value has an axis of time, then the vector's."""


# --- Autoregression --------------------------------------------------------------------------------------------------


def _series_form(parts: Mapping[str, Any]) -> Form:
    _real_start(parts, 1)
    return Form(REAL, "identity", ("t",))


def _order(rho: Array, steps: int) -> int:
    order = int(np.shape(rho)[-1])
    if steps < order:
        raise ModelError(
            f"a series of {steps} values is shorter than its {order} coefficients.",
            where=("rho",),
            remedy="Give the variable more values, or fewer coefficients.",
        )
    return order


def _series_log_density(value: Array, rho: Array, sigma: Array, intercept: Array, init_dist: Law) -> Array:
    steps = np.shape(value)[-1]
    order = _order(rho, steps)
    residual = value[..., order:] - with_axis(intercept)
    for lag in range(1, order + 1):
        residual = residual - rho[..., lag - 1 : lag] * value[..., order - lag : steps - lag]
    return init_dist.log_density_of_vectors(value[..., :order]) + _normal_steps(residual, sigma)


def _series_draw(
    generator: numpy.random.Generator,
    shape: tuple[int, ...],
    rho: Array,
    sigma: Array,
    intercept: Array,
    init_dist: Law,
) -> NDArray[numpy.float64]:
    order = _order(rho, shape[-1])
    shocks = with_axis(intercept) + with_axis(sigma) * generator.standard_normal((*shape[:-1], shape[-1] - order))
    found = numpy.concatenate([init_dist.draw(generator, (*shape[:-1], order)), shocks], axis=-1)
    latest_first = numpy.asarray(rho)[..., ::-1]
    for t in range(order, shape[-1]):
        found[..., t] += numpy.sum(latest_first * found[..., t - order : t], axis=-1)
    return numpy.asarray(found)


AR = Distribution(
    name="AR",
    parameters=(
        Parameter("rho", event=("p",)),
        Parameter("sigma", POSITIVE, default=1.0),
        Parameter("intercept", default=0.0),
        Parameter("init_dist", event=("p",), takes="distribution"),
    ),
    support=REAL,
    transform="identity",
    log_density=_series_log_density,
    draw=_series_draw,
    recurrence=Recurrence("intercept", ("sigma",), "init_dist", coefficients="rho"),
    event=("t",),
    form=_series_form,
)
"""Names as in PyMC, but for `intercept`: there a flag, `constant`, says that the first of `rho` is it.

``x[t] = intercept + rho[0] x[t - 1] + rho[1] x[t - 2] + ... + sigma e[t]``; `init_dist` has the first values, one for
each coefficient: independent numbers, or a vector. Nothing keeps the series stationary but the prior of `rho`.
"""
