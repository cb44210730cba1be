"""What wrappers need of bounds: the form of a bounded distribution, and probabilities between two bounds."""

from __future__ import annotations

import autograd.numpy as np
import numpy

from exmc.distributions.base import LOG_TWO, Form, Parameter
from exmc.distributions.law import Law
from exmc.errors import ModelError
from exmc.special import Array, log1mexp, select
from exmc.transforms import AT_LEAST, AT_MOST, INTEGER_RANGE, INTERVAL, REAL

BOUNDED = (
    Parameter("of", takes="distribution"),
    Parameter("lower", optional=True),
    Parameter("upper", optional=True),
)
"""The parameters of a wrapper that bounds a distribution."""


def has_edges(form: Form) -> tuple[bool, bool]:
    """Whether the values of `form`, numbers, have a least and a largest one."""
    low, high = form.support.edges
    return low is not None, high is not None


def bounded_form(discrete: bool, low: bool, high: bool, free: bool = True) -> Form:
    """The form of numbers with these bounds; its support takes those that there are (if discrete, both).

    With `free` False it is for observations only.
    """
    if discrete:
        return Form(INTEGER_RANGE, "")
    support, transform = {
        (False, False): (REAL, "identity"),
        (True, False): (AT_LEAST, "lower"),
        (False, True): (AT_MOST, "upper"),
        (True, True): (INTERVAL, "interval"),
    }[low, high]
    return Form(support, transform if free else "")


def require_numbers(form: Form, name: str) -> Form:
    """`form`, if its values are numbers; else a ModelError of the wrapper called `name`."""
    if form.rank:
        raise ModelError(f"{name} takes a distribution of numbers, not of vectors or matrices.", where=("of",))
    return form


def require_probabilities(form: Form, name: str) -> Form:
    """`form`, if it is of numbers with cumulative probabilities; else a ModelError of the wrapper called `name`."""
    if not require_numbers(form, name).cumulative:
        raise ModelError(
            f"{name} needs cumulative probabilities, which this distribution does not have.",
            where=("of",),
            remedy="Use one of another family.",
        )
    return form


def edges_within(law: Law, lower: Array | None, upper: Array | None) -> tuple[Array | None, Array | None]:
    """The least and the largest value of `law` between `lower` and `upper`; None where there is none."""
    low, high = law.edges
    low = lower if low is None else low if lower is None else np.maximum(low, lower)
    high = upper if high is None else high if upper is None else np.minimum(high, upper)
    return low, high


def limits_within(of: Law, lower: Array | None = None, upper: Array | None = None) -> tuple[Array, ...]:
    """The bounds of the support that `bounded_form` gives to `of` between `lower` and `upper`."""
    low, high = edges_within(of, lower, upper)
    if of.form.discrete:
        return -numpy.inf if low is None else low, numpy.inf if high is None else high
    return tuple(edge for edge in (low, high) if edge is not None)


def log_mass(law: Law, lower: Array | None, upper: Array | None) -> Array:
    """The logarithm of P(lower <= X <= upper), accurate in both tails; None stands for no bound.

    -inf, with a gradient of zero, where `lower` is not below `upper` (above it, for integers).
    """
    if law.form.discrete and lower is not None:
        lower = np.ceil(lower) - 1.0  # P(X > ceil(lower) - 1)
    if lower is None:
        return 0.0 if upper is None else law.log_cdf(upper)
    if upper is None:
        return law.log_ccdf(lower)
    empty = np.logical_not(lower < upper)
    # A place for what is masked: any two bounds of which one is smaller.
    high = select(empty, lower + 1.0, upper)
    below, above = law.log_cdf(lower), law.log_ccdf(high)
    # Differences of probabilities on the side where both are small.
    left = below < -LOG_TWO
    from_left = _log_difference(law.log_cdf(high), below, left)
    from_right = _log_difference(law.log_ccdf(lower), above, np.logical_not(left))
    mass = select(empty, -numpy.inf, select(left, from_left, from_right))
    return mass + 0.0 * select(empty, upper - lower, 0.0)  # a NaN stays one


def _log_difference(larger: Array, smaller: Array, used: Array) -> Array:
    """log(exp(larger) - exp(smaller)) where `used`; elsewhere a number with a finite slope."""
    gap = select(np.logical_and(used, smaller < larger), smaller - larger, -1.0)
    equal = np.logical_and(used, np.logical_not(smaller < larger))
    return select(equal, -numpy.inf, select(used, larger, 0.0) + log1mexp(gap))
