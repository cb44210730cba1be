"""Independent normals conditioned on a sum of zero."""

from __future__ import annotations

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import HALF_LOG_TWO_PI, Distribution, Parameter, masked, with_axis
from exmc.special import Array
from exmc.transforms import POSITIVE, SUM_TO_ZERO
from exmc.transforms.supports import TOLERANCE


def _log_density(value: Array, sigma: Array) -> Array:
    size = np.shape(value)[-1]
    scaled = value / with_axis(sigma)
    # On the plane of sum zero there are size - 1 independent normals, whatever its orthonormal coordinates.
    density = -0.5 * np.sum(scaled * scaled, axis=-1) - (size - 1) * (np.log(sigma) + HALF_LOG_TWO_PI)
    largest = 1.0 + np.max(np.abs(value), axis=-1)
    outside = np.abs(np.sum(value, axis=-1)) > TOLERANCE * largest
    return masked(outside, density)


def _draw(generator: numpy.random.Generator, shape: tuple[int, ...], sigma: Array) -> NDArray[numpy.float64]:
    standard = generator.standard_normal(shape)
    centred = standard - numpy.mean(standard, axis=-1, keepdims=True)
    return numpy.asarray(numpy.asarray(sigma)[..., None] * centred)


ZeroSumNormal = Distribution(
    name="ZeroSumNormal",
    parameters=(Parameter("sigma", POSITIVE, default=1.0),),
    support=SUM_TO_ZERO,
    transform="sum_to_zero",
    log_density=_log_density,
    draw=_draw,
    event=("n",),
)
