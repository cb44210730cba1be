"""Any distribution of numbers, seen through a detector with limits, or only to within an interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Form, Parameter, masked
from exmc.distributions.bounded import BOUNDED, bounded_form, has_edges, limits_within, log_mass, require_probabilities
from exmc.distributions.law import Law
from exmc.special import Array, select


def _form(parts: Mapping[str, Any]) -> Form:
    form = require_probabilities(parts["of"], "Censored")
    low, high = has_edges(form)
    return bounded_form(form.discrete, low or "lower" in parts, high or "upper" in parts, free=False)


def _log_density(value: Array, of: Law, lower: Array | None = None, upper: Array | None = None) -> Array:
    density, outside = of.log_density(value), False
    if lower is not None:
        density, outside = select(value <= lower, log_mass(of, None, lower), density), value < lower
    if upper is not None:
        density = select(value >= upper, log_mass(of, upper, None), density)
        outside = np.logical_or(outside, value > upper)
    return masked(outside, density)


def _draw(
    generator: numpy.random.Generator,
    shape: tuple[int, ...],
    of: Law,
    lower: Array | None = None,
    upper: Array | None = None,
) -> NDArray[Any]:
    found = of.draw(generator, shape)
    clipped = found if lower is None else numpy.maximum(found, lower)
    return numpy.asarray(clipped if upper is None else numpy.minimum(clipped, upper)).astype(found.dtype)


def _interval_form(parts: Mapping[str, Any]) -> Form:
    return Form(require_probabilities(parts["of"], "IntervalCensored").support, "")


def _interval_limits(of: Law, upper: Array) -> tuple[Array, ...]:
    return of.bounds


def _interval_log_density(value: Array, of: Law, upper: Array) -> Array:
    if of.form.discrete:
        return log_mass(of, value, upper)
    exact = value == upper
    wide = log_mass(of, value, select(exact, value + 1.0, upper))
    return select(exact, of.log_density(value), wide)


def _interval_draw(generator: numpy.random.Generator, shape: tuple[int, ...], of: Law, upper: Array) -> NDArray[Any]:
    return of.draw(generator, shape)


# A value at or beyond `lower` or `upper` is known to be no nearer; their probabilities stand for it (Stan user's guide,
# "Truncated or censored data").
Censored = Distribution(
    name="Censored",
    parameters=BOUNDED,
    log_density=_log_density,
    draw=_draw,
    form=_form,
    limits=limits_within,
)

# An observation between its value and `upper`; where the two are equal, the value itself. Draws are of the values.
IntervalCensored = Distribution(
    name="IntervalCensored",
    parameters=(Parameter("of", takes="distribution"), Parameter("upper")),
    log_density=_interval_log_density,
    draw=_interval_draw,
    form=_interval_form,
    limits=_interval_limits,
)
