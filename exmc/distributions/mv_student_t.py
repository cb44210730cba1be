"""The multivariate Student t distribution, by its scale matrix, that matrix's Cholesky factor or its inverse."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import LOG_PI, Distribution, Parameter, valid
from exmc.distributions.mv_normal import MATRICES, spread, square_and_log_scale
from exmc.distributions.stable import log_rising
from exmc.special import Array
from exmc.transforms import POSITIVE, REAL


def _log_density(value: Array, nu: Array, mu: Array, **matrix: Array) -> Array:
    size = np.shape(value)[-1]
    square, log_scale = square_and_log_scale(value - mu, **matrix)
    constant = log_rising(0.5 * nu, 0.5 * size) - 0.5 * size * (np.log(nu) + LOG_PI) - log_scale
    return valid(nu > 0.0, constant - 0.5 * (nu + size) * np.log1p(square / nu))


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], nu: Array, mu: Array, **matrix: Array
) -> NDArray[numpy.float64]:
    narrow = numpy.sqrt(generator.chisquare(nu, size=shape[:-1]) / nu)
    return numpy.asarray(mu + spread(generator, shape, **matrix) / narrow[..., None])


MvStudentT = Distribution(
    name="MvStudentT",
    parameters=(Parameter("nu", POSITIVE), Parameter("mu", event=("n",), default=0.0), *MATRICES),
    support=REAL,
    transform="identity",
    log_density=_log_density,
    draw=_draw,
    alternatives=(("nu", "mu", "cov"), ("nu", "mu", "chol"), ("nu", "mu", "precision")),
    event=("n",),
)
"""Names as in MvNormal. `cov` is the scale matrix, PyMC's `scale`: the covariance is nu / (nu - 2) times that."""
