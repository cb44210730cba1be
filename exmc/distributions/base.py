"""What a distribution is: its parameters, support, log density and draws, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.errors import ModelError, suggest
from exmc.special import Array, select, xlogy
from exmc.transforms import REAL, Support

HALF_LOG_TWO_PI = 0.9189385332046727
LOG_TWO = 0.6931471805599453
LOG_PI = 1.1447298858494002


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a distribution; `default` is None where the model must give a value."""

    name: str
    support: Support = REAL
    default: float | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """A univariate family of distributions, applied elementwise.

    Attributes
    ----------
    name
        Its name in models and in the table ``DISTRIBUTIONS``.
    parameters
        Its parameters, in the order of positional use.
    support
        Where its density is positive; `bounds` are passed to ``support.contains`` and to its transform.
    transform
        Name of the transform that a free variable of this family gets by default; "" if it is discrete.
    log_density
        ``log_density(value, **parameters)`` -> natural logarithm of the density (or probability), of the broadcast
        shape. It is -inf outside the support, there with a gradient of zero; on an edge it is the limit from
        inside. It is NaN or -inf, never a number, where a parameter is outside its own support, and NaN where
        anything it depends on is NaN. No branch depends on a value, so that it can be recorded.
    draw
        ``draw(generator, shape, **parameters)``: what `random` does, given legal parameters.
    alternatives
        The legal sets of parameter names, by default one set of them all. The functions take one set by keyword.
    bounds
        Names of the parameters that bound the support, in the order in which it takes them.
    log_cdf
        ``log_cdf(value, **parameters)`` -> logarithm of the probability of at most `value`, or None if not
        available. It keeps its digits in both tails and is differentiable in every parameter that is not an integer.
    log_ccdf
        ``log_ccdf(value, **parameters)`` -> logarithm of the probability of more than `value`, the complement of
        `log_cdf`, under the same terms; there is both or neither.
    location_scale
        Names of location and scale, for families closed under affine maps; they can be non-centred.
    """

    name: str
    parameters: tuple[Parameter, ...]
    support: Support
    transform: str
    log_density: Callable[..., Array]
    draw: Callable[..., NDArray[numpy.generic]]
    alternatives: tuple[tuple[str, ...], ...] = ()
    bounds: tuple[str, ...] = ()
    log_cdf: Callable[..., Array] | None = None
    log_ccdf: Callable[..., Array] | None = None
    location_scale: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        names = tuple(parameter.name for parameter in self.parameters)
        if not self.alternatives:
            object.__setattr__(self, "alternatives", (names,))
        if (self.log_cdf is None) != (self.log_ccdf is None):
            raise ModelError(f"{self.name} has a log_cdf or a log_ccdf without the other.")
        used = {name for names_together in self.alternatives for name in names_together}
        used.update(self.bounds, self.location_scale or ())
        if unknown := used - set(names):
            raise ModelError(f"{self.name} names {sorted(unknown)}, which are none of its parameters {names}.")

    @property
    def discrete(self) -> bool:
        """Whether its values are integers."""
        return self.support.discrete

    def parameter(self, name: str) -> Parameter:
        """The parameter called `name`; a ModelError names the nearest known one."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = [parameter.name for parameter in self.parameters]
        raise ModelError(f"{self.name} has no parameter {name!r}.", where=(name,), remedy=suggest(name, known))

    def check_parameters(self, **parameters: Array) -> None:
        """Raise a ModelError for the first parameter with a value outside its support."""
        for name, value in parameters.items():
            support = self.parameter(name).support
            legal = support.contains(value)
            if not numpy.all(legal):
                culprit = numpy.asarray(value)[~legal].flat[0]
                raise ModelError(
                    f"{self.name} needs {support.description} for {name!r}, not {culprit}.",
                    where=(name,),
                    remedy="Give it a legal value, or a prior or an expression that can take no other.",
                )

    def random(
        self, generator: numpy.random.Generator, shape: tuple[int, ...], **parameters: Array
    ) -> NDArray[numpy.generic]:
        """Independent draws of exactly `shape`, float64, or int64 if discrete; `parameters` broadcast to it.

        Raises
        ------
        ModelError
            If the distribution is improper, if a parameter is outside its support, or if no float or integer of the
            machine could hold the draws.
        """
        self.check_parameters(**parameters)
        try:
            return self.draw(generator, shape, **parameters)
        except ValueError as error:
            raise ModelError(f"{self.name} cannot be drawn with these parameters: {error}.") from error


def masked(outside: Array, log_density: Array) -> Array:
    """`log_density`, and -inf with a gradient of zero where `outside`.

    Evaluate `log_density` at ``inside(outside, value, point)``: a NaN behind the mask would still reach the gradient.
    """
    return select(outside, -numpy.inf, log_density)


def inside(outside: Array, value: Array, point: float) -> Array:
    """`value`, replaced where `outside` by a harmless point inside the support."""
    return select(outside, point, value)


def lower_tail(below: Array, above: Array, log_probability: Array) -> Array:
    """A log_cdf: -inf `below` the support, 0 `above` it, there with a gradient of zero."""
    return masked(below, select(above, 0.0, log_probability))


def upper_tail(below: Array, above: Array, log_probability: Array) -> Array:
    """A log_ccdf: 0 `below` the support, -inf `above` it, there with a gradient of zero."""
    return masked(above, select(below, 0.0, log_probability))


def not_integer(value: Array) -> Array:
    """Whether `value` is a number but not an integer; infinities count as such, NaN does not."""
    return np.logical_or(np.floor(value) < value, np.abs(value) == numpy.inf)


def valid(legal: Array, log_density: Array) -> Array:
    """`log_density`, and NaN where a parameter is not `legal`, for formulas which would give a number there."""
    return select(legal, log_density, numpy.nan)


def valid_probability(p: Array, log_density: Array) -> Array:
    """`log_density`, and NaN where `p` is no probability: the formulas give numbers there for all-equal outcomes."""
    return valid(np.logical_and(p >= 0.0, p <= 1.0), log_density)


def log_of_probability(lower: Array, upper: Array) -> Array:
    """log(lower), accurate near 1 too, given that ``lower + upper == 1``; -inf with a gradient of zero at 0."""
    impossible = lower <= 0.0
    near_one = lower > 0.5
    left = xlogy(1.0, select(np.logical_or(impossible, near_one), 1.0, lower))
    right = np.log1p(-select(near_one, upper, 0.0))
    return select(impossible, -numpy.inf, select(near_one, right, left))
