"""Mixtures of any distributions of one kind of value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Form, Parameter, valid
from exmc.distributions.bounded import bounded_form, has_edges
from exmc.distributions.law import Law
from exmc.errors import ModelError
from exmc.logspace import log_sum
from exmc.special import Array, xlogy
from exmc.transforms import SIMPLEX


def _form(parts: Mapping[str, Any]) -> Form:
    forms: tuple[Form, ...] = parts["components"]
    first = replace(forms[0], cumulative=all(form.cumulative for form in forms))
    for i, form in enumerate(forms):
        if form.rank != first.rank or form.discrete != first.discrete or bool(form.transform) != bool(first.transform):
            raise ModelError(
                f"component {i} has values of another kind than component 0.",
                where=("components", str(i)),
                remedy="All must be discrete or none, and numbers, vectors or matrices alike.",
            )
        if form.rank and form.support is not first.support:
            raise ModelError(f"component {i} has another support than component 0.", where=("components", str(i)))
    if all(form.support is first.support for form in forms) and not first.support.bounded:
        return first
    # The bounds of components differ, so that the mixture's are worked out.
    edges = [has_edges(form) for form in forms]
    low, high = all(low for low, _ in edges), all(high for _, high in edges)
    form = bounded_form(first.discrete, low, high, bool(first.transform))
    return replace(form, event=first.event, cumulative=first.cumulative)


def _limits(weights: Array, components: tuple[Law, ...]) -> tuple[Array, ...]:
    form = _form({"components": tuple(law.form for law in components)})
    if not form.support.bounded:
        return ()
    lows, highs = zip(*(law.edges for law in components), strict=True)
    low, high = _outermost(lows, np.minimum), _outermost(highs, np.maximum)
    if form.discrete:
        return -numpy.inf if low is None else low, numpy.inf if high is None else high
    return tuple(edge for edge in (low, high) if edge is not None)


def _outermost(edges: Sequence[Any], choose: Any) -> Any:
    """The outermost of `edges`; None if one has none."""
    if any(edge is None for edge in edges):
        return None
    found = edges[0]
    for edge in edges[1:]:
        found = choose(found, edge)
    return found


def _log_sum(weights: Array, terms: Sequence[Array]) -> Array:
    """log(sum of weight * exp(term))."""
    parts = [xlogy(1.0, weights[..., i]) + term for i, term in enumerate(terms)]
    density = log_sum(parts)
    return valid(np.all(weights >= 0.0, axis=-1), density)


def _log_density(value: Array, weights: Array, components: tuple[Law, ...]) -> Array:
    return _log_sum(weights, [law.log_density(value) for law in components])


def _log_cdf(value: Array, weights: Array, components: tuple[Law, ...]) -> Array:
    return _log_sum(weights, [law.log_cdf(value) for law in components])


def _log_ccdf(value: Array, weights: Array, components: tuple[Law, ...]) -> Array:
    return _log_sum(weights, [law.log_ccdf(value) for law in components])


def _draw(
    generator: numpy.random.Generator, shape: tuple[int, ...], weights: Array, components: tuple[Law, ...]
) -> NDArray[Any]:
    rank = components[0].form.rank
    batch = shape[: len(shape) - rank]
    below = numpy.cumsum(weights, axis=-1)
    place = numpy.sum(generator.random(batch)[..., None] >= below / below[..., -1:], axis=-1)
    place = numpy.reshape(place, (*batch, *(1,) * rank))
    found = components[0].draw(generator, shape)
    for i, law in enumerate(components[1:], start=1):
        found = numpy.where(place == i, law.draw(generator, shape), found)
    return numpy.asarray(found)


Mixture = Distribution(
    name="Mixture",
    parameters=(
        Parameter("weights", SIMPLEX, event=("k",)),
        Parameter("components", event=("k",), takes="distributions"),
    ),
    log_density=_log_density,
    draw=_draw,
    log_cdf=_log_cdf,
    log_ccdf=_log_ccdf,
    form=_form,
    limits=_limits,
)
