"""A distribution whose parameters have values: what wrappers are given of their components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Form
from exmc.errors import ModelError
from exmc.special import Array


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """A row of the table with the values of its parameters, which may be traced.

    Attributes
    ----------
    distribution
        The row.
    parameters
        Values by name: arrays, for distributions among them a `Law` or a tuple of them, and texts.
    """

    distribution: Distribution
    parameters: Mapping[str, Any]

    @property
    def form(self) -> Form:
        """Support, transform and event axes."""
        return self.distribution.form_of({name: _form_of(value) for name, value in self.parameters.items()})

    @property
    def bounds(self) -> tuple[Any, ...]:
        """The bounds of the support, in the order in which it takes them."""
        if self.distribution.limits is not None:
            return self.distribution.limits(**self.parameters)
        return tuple(self.parameters[name] for name in self.distribution.bounds)

    @property
    def edges(self) -> tuple[Any, Any]:
        """The least and the largest possible value, None where there is no bound; for distributions of numbers."""
        bounds = iter(self.bounds)
        low, high = (next(bounds) if edge == "bound" else edge for edge in self.form.support.edges)
        return low, high

    def log_density(self, value: Array) -> Array:
        """The log density of each event of `value`, shape: its batch axes, broadcast with the parameters'."""
        return self.distribution.log_density(value, **self._filled(np.shape(value)))

    def log_density_of_vectors(self, value: Array) -> Array:
        """The log density of each vector in the last axis of `value`, of numbers that of independent elements."""
        density = self.log_density(value)
        return density if self.form.rank else np.sum(density + numpy.zeros(np.shape(value)), axis=-1)

    def log_cdf(self, value: Array) -> Array:
        """The logarithm of the probability of at most `value`; its form says whether there is one."""
        assert self.distribution.log_cdf is not None
        return self.distribution.log_cdf(value, **self.parameters)

    def log_ccdf(self, value: Array) -> Array:
        """The logarithm of the probability of more than `value`, under the same terms."""
        assert self.distribution.log_ccdf is not None
        return self.distribution.log_ccdf(value, **self.parameters)

    def check(self) -> None:
        """Raise a ModelError for the first parameter, of components too, with a value outside its support."""
        self.distribution.check_parameters(**self.parameters)
        for name, value in self.parameters.items():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Law):
                    try:
                        part.check()
                    except ModelError as error:
                        raise error.within(name) from None

    def draw(self, generator: numpy.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        """Independent draws of exactly `shape`, event axes included, given legal parameters."""
        return self.distribution.draw(generator, shape, **self._filled(shape))

    def complete(self, drawn: NDArray[Any], given: NDArray[Any], known: NDArray[numpy.bool_]) -> NDArray[Any]:
        """`given` where `known`, and elsewhere a draw given that: events are independent, and `drawn` is one of all."""
        if self.distribution.condition is None:
            return numpy.where(known, given, drawn)
        return numpy.asarray(self.distribution.condition(drawn, given, known, **self._filled(drawn.shape)))

    def map(self, change: Callable[[Any], Any]) -> Law:
        """The same with `change` applied to each value, those of components included."""
        return Law(self.distribution, {name: _mapped(value, change) for name, value in self.parameters.items()})

    def _filled(self, shape: tuple[int, ...]) -> Mapping[str, Any]:
        """The parameters, numbers in place of vectors spread over the event axes of a value of `shape`."""
        short = {
            p.name: p.event
            for p in self.distribution.parameters
            if p.takes == "value"
            and len(p.event) == 1
            and p.name in self.parameters
            and np.ndim(self.parameters[p.name]) == 0
        }
        if not short:
            return self.parameters
        event = self.form.event
        sizes = dict(zip(event, shape[len(shape) - len(event) :], strict=True))
        filled = {name: self.parameters[name] + numpy.zeros(sizes[axes[0]]) for name, axes in short.items()}
        return dict(self.parameters) | filled


def _form_of(value: Any) -> Any:
    if isinstance(value, Law):
        return value.form
    if isinstance(value, tuple):
        return tuple(law.form for law in value)
    return value if isinstance(value, str) else None


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, Law):
        return value.map(change)
    if isinstance(value, tuple):
        return tuple(law.map(change) for law in value)
    return value if isinstance(value, str) else change(value)
