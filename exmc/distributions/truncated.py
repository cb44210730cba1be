"""Any distribution of numbers, truncated to lie between bounds and normalised anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Form, inside, masked
from exmc.distributions.bounded import (
    BOUNDED,
    bounded_form,
    edges_within,
    has_edges,
    limits_within,
    log_mass,
    require_probabilities,
)
from exmc.distributions.law import Law
from exmc.errors import ModelError
from exmc.special import Array, select

_ROUNDS = 20  # of rejection
_HALVINGS = 64  # as many as a double has bits: none lies between what the last leaves, however far the ends were


def _form(parts: Mapping[str, Any]) -> Form:
    form = require_probabilities(parts["of"], "Truncated")
    low, high = has_edges(form)
    return bounded_form(form.discrete, low or "lower" in parts, high or "upper" in parts, bool(form.transform))


def _outside(value: Array, lower: Array | None, upper: Array | None) -> Array:
    """Whether `value` is beyond a bound."""
    beyond = False if lower is None else value < lower
    return beyond if upper is None else np.logical_or(beyond, value > upper)


def _log_density(value: Array, of: Law, lower: Array | None = None, upper: Array | None = None) -> Array:
    density = of.log_density(value)
    outside = np.logical_or(_outside(value, lower, upper), density == -numpy.inf)
    return masked(outside, inside(outside, density, 0.0) - log_mass(of, lower, upper))


def _log_cdf(value: Array, of: Law, lower: Array | None = None, upper: Array | None = None) -> Array:
    below = False if lower is None else value < lower
    above = False if upper is None else value >= upper
    within = select(np.logical_or(below, above), _any_bound(lower, upper), value)
    mass = log_mass(of, lower, within) - log_mass(of, lower, upper)
    return masked(below, select(above, 0.0, mass))


def _log_ccdf(value: Array, of: Law, lower: Array | None = None, upper: Array | None = None) -> Array:
    below = False if lower is None else value < lower
    above = False if upper is None else value >= upper
    within = select(np.logical_or(below, above), _any_bound(lower, upper), value)
    start = np.floor(within) + 1.0 if of.form.discrete else within
    mass = log_mass(of, start, upper) - log_mass(of, lower, upper)
    return masked(above, select(below, 0.0, mass))


def _any_bound(lower: Array | None, upper: Array | None) -> Array:
    return (0.0 if upper is None else upper) if lower is None else lower


def _draw(
    generator: numpy.random.Generator,
    shape: tuple[int, ...],
    of: Law,
    lower: Array | None = None,
    upper: Array | None = None,
) -> NDArray[Any]:
    """By rejection; what is left after a few rounds by inverting the distribution function."""
    found = of.draw(generator, shape)
    for _ in range(_ROUNDS):
        left = numpy.asarray(_outside(found, lower, upper))
        if not left.any():
            return found
        found = numpy.where(left, of.draw(generator, shape), found)
    left = numpy.asarray(_outside(found, lower, upper))
    return numpy.where(left, _inverted(generator, shape, of, lower, upper), found).astype(found.dtype)


def _inverted(
    generator: numpy.random.Generator, shape: tuple[int, ...], of: Law, lower: Array | None, upper: Array | None
) -> NDArray[Any]:
    """Draws by bisection of the smaller of the two tails' probabilities."""
    with numpy.errstate(all="ignore"):
        log_u = numpy.log1p(-generator.random(shape))
        limits = [numpy.broadcast_to(bound, shape).astype(float) for bound in _finite_limits(of, lower, upper, shape)]
        integers = of.form.discrete

        def too_far(x: Array) -> Array:
            # P(X <= x | within) > u, as a comparison of probabilities of which neither is near 1.
            reached = numpy.floor(x) if integers else x
            return numpy.asarray(_log_cdf(reached, of=of, lower=lower, upper=upper)) >= log_u

        low, high = limits
        for _ in range(_HALVINGS):
            middle = _between(low, high)
            far = too_far(middle)
            low, high = numpy.where(far, low, middle), numpy.where(far, middle, high)
    if not numpy.all(numpy.isfinite(high)):
        raise ModelError("Truncated has no probability between its bounds.", remedy="Widen them, or mend the priors.")
    # The last halving's middle: a draw on a bound itself has no place on the unconstrained scale.
    return high if integers else _between(low, high)


def _between(low: Array, high: Array) -> Array:
    """The number in the middle of all doubles between two."""
    first, last = (_ordinal(numpy.asarray(bound, dtype=numpy.float64).view(numpy.int64)) for bound in (low, high))
    middle = (first >> 1) + (last >> 1) + (first & last & 1)
    return numpy.asarray(_ordinal(middle).view(numpy.float64))


def _ordinal(bits: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """The bits of doubles as integers of the same order, and back."""
    return numpy.where(bits < 0, numpy.int64(-(2**63)) - numpy.minimum(bits, 0), bits)


def _finite_limits(of: Law, lower: Array | None, upper: Array | None, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Bounds between which all draws but a part of 1e-300 lie, by doubling where there is none."""
    low, high = edges_within(of, lower, upper)
    start = numpy.broadcast_to(next((bound for bound in (low, high) if bound is not None), 0.0), shape)
    whole = log_mass(of, lower, upper)
    if low is None:
        low = _reached(start, -1.0, lambda x: log_mass(of, lower, x) - whole)
    if high is None:
        high = _reached(start, 1.0, lambda x: log_mass(of, x, upper) - whole)
    if of.form.discrete:
        # The lower end is one before the first that is possible.
        return numpy.ceil(low) - 1.0, numpy.floor(high) if upper is not None else numpy.ceil(high)
    return low, high


def _reached(start: Array, sign: float, log_beyond: Callable[[Array], Array]) -> Array:
    """How far from `start` one must go for hardly any probability to lie beyond."""
    distance = numpy.ones(numpy.shape(start))
    for _ in range(1000):
        more = numpy.asarray(log_beyond(start + sign * distance)) > -690.0
        if not more.any():
            break
        distance = numpy.where(more, 2.0 * distance, distance)
    return start + sign * distance


Truncated = Distribution(
    name="Truncated",
    parameters=BOUNDED,
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
    form=_form,
    limits=limits_within,
)
