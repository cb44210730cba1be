"""What a distribution is: its parameters, support, log density and draws, as one value."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.errors import ModelError, suggest
from exmc.special import Array, select, xlogy
from exmc.transforms import REAL, Support

HALF_LOG_TWO_PI = 0.9189385332046727
LOG_TWO = 0.6931471805599453
LOG_PI = 1.1447298858494002


Takes: TypeAlias = Literal["value", "distribution", "distributions", "text", "size"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a distribution.

    Attributes
    ----------
    name
        Its name in models.
    support
        Where its values lie.
    default
        What stands for it where a model gives nothing; None if the model must give it.
    event
        The names of its event axes, the last ones of its value, as in numpy's signatures of generalised functions:
        ``("n",)`` for the mean of a multivariate normal, ``("n", "n")`` for its covariance. Axes of one name have one
        length, also with the distribution's own. A number stands for a vector of equal elements. Of a distribution:
        the axes of what it is asked about, which its parameters have too, if they are not numbers or vectors' own.
    optional
        Whether a model may leave it out; the functions then do not get it.
    takes
        What it is: a value, a distribution (the functions get a `Law`), several of them (a tuple), a literal text, or
        a literal whole number, the length of the event axis of its name (as a text too).
    steps
        Name of an event axis of the distribution from each of whose places to the next it may have another value: then
        it has an axis before its event's, one shorter than that axis, or of length 1. "" if it may not.
    """

    name: str
    support: Support = REAL
    default: float | str | None = None
    event: tuple[str, ...] = ()
    optional: bool = False
    takes: Takes = "value"
    steps: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """What is known of a distribution before its parameters have values.

    Attributes
    ----------
    support
        Where its density is positive; it has at most as many event axes as `event`.
    transform
        Name of the transform that a free variable gets by default; "" if it can only be observed.
    event
        Names of the axes of one value: () for a number, ("n",) for a vector.
    cumulative
        Whether there are cumulative probabilities, as far as the parts are concerned.
    """

    support: Support
    transform: str
    event: tuple[str, ...] = ()
    cumulative: bool = True

    @property
    def rank(self) -> int:
        """How many event axes a value has."""
        return len(self.event)

    @property
    def discrete(self) -> bool:
        """Whether values are integers."""
        return self.support.discrete


@dataclass(frozen=True, slots=True)
class Given:
    """A distribution with the arguments a user wrote, which `Builder.rv` and wrappers such as `Truncated` take.

    `distribution` may be a name; arguments are numbers, texts, expressions, arrays, or distributions of their own.
    """

    distribution: Distribution | str
    arguments: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How a series of normal steps is made: each value is drift + coefficients @ values before + scale * innovation.

    Innovations are independent standard normals, of numbers or of vectors. Attributes are names of parameters.

    Attributes
    ----------
    drift
        What is added at each step.
    scales
        Those of which one says how far a step goes: a standard deviation, or of vectors a covariance matrix, its
        Cholesky factor or its inverse, by the names of `MvNormal`.
    start
        The distribution of the values that nothing comes before, as many as there are coefficients.
    coefficients
        Those of the values before, the latest first; "" where each value is added to the one before it.
    """

    drift: str
    scales: tuple[str, ...]
    start: str
    coefficients: str = ""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A family of distributions of numbers, vectors or matrices, applied to each event of an array.

    Called with parameters, by place or by name, it is a `Given`: ``Normal("mu", sigma=1)``.

    Attributes
    ----------
    name
        Its name in models and in the table ``DISTRIBUTIONS``.
    parameters
        Its parameters, in the order of positional use.
    support, transform, event
        Its `Form`, where that is the same for all parameters.
    log_density
        ``log_density(value, **parameters)`` -> natural logarithm of the density (or probability), one number an event:
        of the broadcast shape without the event axes. It is -inf outside the support, there with a gradient of zero; on
        an edge it is the limit from inside. It is NaN or -inf, never a number, where a parameter is outside its own
        support, and NaN where anything it depends on is NaN. No branch depends on a value, so that it can be recorded.
    draw
        ``draw(generator, shape, **parameters)``: what `random` does, given legal parameters. `shape` ends with the
        event's axes.
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
        Names of location and scale, for families closed under increasing affine maps; they can be non-centred.
    symmetric
        Whether such a family is symmetric about its location, and so closed under decreasing affine maps too.
    recurrence
        How a value is made of independent innovations, for families of series of normal steps along the first of its
        event axes; they can be non-centred, too.
    form
        ``form(parts)`` -> `Form`, where it depends on which parameters are given or on the distributions and texts
        among them: `parts` has a `Form`, a tuple of them, a text, or None (a value) by name. Raises ModelError for
        parts that do not fit, with the parameter's name as its place.
    limits
        ``limits(**parameters)`` -> the bounds of the support, where they are no parameters themselves.
    objection
        ``objection(event, parameters)`` -> what is wrong with the parameters together, "" if nothing is: `event` is the
        shape of one value, `parameters` has the values of those that are data.
    condition
        ``condition(drawn, given, known, **parameters)`` -> a draw of the others among the entries of `drawn`, itself a
        draw from the whole, given that the entries `known` have the values `given`. None: not available; entries of
        one event then cannot be drawn beside known ones.
    open
        Whether it takes parameters of any other name too.
    """

    name: str
    parameters: tuple[Parameter, ...]
    log_density: Callable[..., Array]
    draw: Callable[..., NDArray[numpy.generic]]
    support: Support = REAL
    transform: str = ""
    alternatives: tuple[tuple[str, ...], ...] = ()
    bounds: tuple[str, ...] = ()
    log_cdf: Callable[..., Array] | None = None
    log_ccdf: Callable[..., Array] | None = None
    location_scale: tuple[str, str] | None = None
    symmetric: bool = False
    recurrence: Recurrence | None = None
    event: tuple[str, ...] = ()
    form: Callable[[Mapping[str, Any]], Form] | None = None
    limits: Callable[..., tuple[Array, ...]] | None = None
    objection: Callable[[tuple[int, ...], Mapping[str, Any]], str] | None = None
    condition: Callable[..., NDArray[numpy.generic]] | None = None
    open: bool = False

    def __post_init__(self) -> None:
        names = tuple(parameter.name for parameter in self.parameters)
        if not self.alternatives:
            object.__setattr__(self, "alternatives", (names,))
        if (self.log_cdf is None) != (self.log_ccdf is None):
            raise ModelError(f"{self.name} has a log_cdf or a log_ccdf without the other.")
        used = {name for names_together in self.alternatives for name in names_together}
        used.update(self.bounds, self.location_scale or ())
        if self.recurrence is not None:
            used.update((self.recurrence.drift, self.recurrence.start, *self.recurrence.scales))
            used.update([self.recurrence.coefficients] if self.recurrence.coefficients else [])
        if unknown := used - set(names):
            raise ModelError(f"{self.name} names {sorted(unknown)}, which are none of its parameters {names}.")

    def __call__(self, *positional: Any, **named: Any) -> Given:
        """This distribution with parameters, by place or by name; which there are is checked when a model is built."""
        names = [parameter.name for parameter in self.parameters]
        if len(positional) > len(names):
            raise ModelError(f"{self.name} takes at most {len(names)} parameters, not {len(positional)}.")
        placed = dict(zip(names, positional, strict=False))
        if twice := sorted(placed.keys() & named.keys()):
            raise ModelError(f"{self.name} is given {twice[0]!r} twice.", where=(twice[0],))
        return Given(self, tuple((placed | named).items()))

    def form_of(self, parts: Mapping[str, Any]) -> Form:
        """Its form, given the forms and texts among its parameters, by name."""
        form = Form(self.support, self.transform, self.event) if self.form is None else self.form(parts)
        return form if self.log_cdf is not None else replace(form, cumulative=False)

    def accepts(self, names: Collection[str]) -> bool:
        """Whether `names` are one of the alternatives, with or without optional parameters."""
        optional = {p.name for p in self.parameters if p.optional}
        known = {p.name for p in self.parameters}
        given = set(names) & known if self.open else set(names)
        return any(set(legal) - optional <= given <= set(legal) for legal in self.alternatives)

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
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in parameters.items():
            if name not in known or known[name].takes != "value":
                continue
            support = known[name].support
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


def with_axis(value: Array) -> Array:
    """`value` with a last axis of length 1, over which the elements of a vector broadcast."""
    return np.reshape(value, (*np.shape(value), 1))


def chosen(values: Array, place: Array) -> Array:
    """``values[..., place]`` for each vector: `place` holds whole numbers, one a vector, and broadcasts with them."""
    size = np.shape(values)[-1]
    numbers = np.astype(place, numpy.int64)
    if np.ndim(values) == 1:
        return values[numbers]
    batch = numpy.broadcast_shapes(np.shape(numbers), np.shape(values)[:-1])
    rows = np.reshape(values + numpy.zeros((*batch, 1)), (-1,))
    return rows[numpy.arange(math.prod(batch)).reshape(batch) * size + numbers]


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
