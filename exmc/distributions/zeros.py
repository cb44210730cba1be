"""Distributions with more zeros than another one has: zero-inflated and hurdle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Form, Parameter, inside, log_of_probability, masked, valid_probability
from exmc.distributions.bounded import require_numbers
from exmc.distributions.law import Law
from exmc.errors import ModelError
from exmc.special import Array, log1mexp, select
from exmc.transforms import (
    NONNEGATIVE,
    NONNEGATIVE_INTEGER,
    OPEN_UNIT_INTERVAL,
    POSITIVE,
    POSITIVE_INTEGER,
    UNIT_INTERVAL,
)


def _inflated_form(parts: Mapping[str, Any]) -> Form:
    form = require_numbers(parts["of"], "ZeroInflated")
    if not form.discrete:
        raise ModelError(
            "ZeroInflated takes a distribution of whole numbers.", where=("of",), remedy="Use Hurdle for others."
        )
    return _with_zero(form)


def _hurdle_form(parts: Mapping[str, Any]) -> Form:
    form = require_numbers(parts["of"], "Hurdle")
    low = form.support.edges[0]
    if low is None or (low != "bound" and low < 0):
        raise ModelError("Hurdle takes a distribution of values that are not negative.", where=("of",))
    return _with_zero(form)


_CLOSED = {POSITIVE: NONNEGATIVE, OPEN_UNIT_INTERVAL: UNIT_INTERVAL, POSITIVE_INTEGER: NONNEGATIVE_INTEGER}


def _with_zero(form: Form) -> Form:
    """The form of what is zero or has the given form; the bounds of its support are those of `_limits`."""
    return Form(_CLOSED.get(form.support, form.support), "")


def _limits(of: Law, zero: Array) -> tuple[Array, ...]:
    outwards = zip(of.form.support.edges, (np.minimum, np.maximum), strict=True)
    choices = [choose for edge, choose in outwards if edge == "bound"]
    return tuple(choose(bound, 0.0) for choose, bound in zip(choices, of.bounds, strict=True))


def _inflated_log_density(value: Array, of: Law, zero: Array) -> Array:
    rest = _passed(zero, of.log_density(value))
    at_zero = _log_either(log_of_probability(zero, 1.0 - zero), rest)
    return valid_probability(zero, select(value == 0, at_zero, rest))


def _passed(zero: Array, density: Array) -> Array:
    """log(1 - zero) + density; -inf with a gradient of zero where the density is."""
    impossible = density == -numpy.inf
    return masked(impossible, log_of_probability(1.0 - zero, zero) + inside(impossible, density, 0.0))


def _log_either(first: Array, second: Array) -> Array:
    """log(exp(first) + exp(second)), -inf with a gradient of zero where both are."""
    top = np.maximum(first, second)
    impossible = top == -numpy.inf
    gap = select(impossible, 0.0, np.minimum(first, second) - select(impossible, 0.0, top))
    return select(impossible, -numpy.inf, top + np.log1p(np.exp(gap)))


def _inflated_draw(generator: numpy.random.Generator, shape: tuple[int, ...], of: Law, zero: Array) -> NDArray[Any]:
    extra = generator.random(shape) < zero
    found = of.draw(generator, shape)
    return numpy.where(extra, numpy.zeros((), found.dtype), found)


def _hurdle_log_density(value: Array, of: Law, zero: Array) -> Array:
    is_zero = value == 0
    # Of numbers with a density, zero has no probability to take away.
    left_out = of.log_density(0.0 * value) if of.form.discrete else None
    density = of.log_density(select(is_zero, 1.0, value))
    passed = _passed(zero, density if left_out is None else density - log1mexp(left_out))
    return valid_probability(zero, select(is_zero, log_of_probability(zero, 1.0 - zero), passed))


def _hurdle_draw(generator: numpy.random.Generator, shape: tuple[int, ...], of: Law, zero: Array) -> NDArray[Any]:
    stopped = generator.random(shape) < zero
    found = of.draw(generator, shape)
    for _ in range(_ROUNDS):
        again = (found == 0) & ~stopped
        if not again.any():
            break
        found = numpy.where(again, of.draw(generator, shape), found)
    else:
        raise ModelError(
            f"fewer than one in {_ROUNDS} draws of {of.distribution.name} is not 0.",
            where=("of",),
            remedy="Give it a larger mean.",
        )
    return numpy.where(stopped, numpy.zeros((), found.dtype), found)


_ROUNDS = 10_000

# `zero` is the probability of an extra zero, beside those of the distribution itself (Lambert 1992).
ZeroInflated = Distribution(
    name="ZeroInflated",
    parameters=(Parameter("of", takes="distribution"), Parameter("zero", UNIT_INTERVAL)),
    log_density=_inflated_log_density,
    draw=_inflated_draw,
    form=_inflated_form,
    limits=_limits,
)

# `zero` is the probability of zero; what passes the hurdle has the distribution without its zeros (Mullahy 1986).
Hurdle = Distribution(
    name="Hurdle",
    parameters=(Parameter("of", takes="distribution"), Parameter("zero", UNIT_INTERVAL)),
    log_density=_hurdle_log_density,
    draw=_hurdle_draw,
    form=_hurdle_form,
    limits=_limits,
)
