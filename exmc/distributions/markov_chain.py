"""The distribution of a Markov chain of whole numbers from 0, by probabilities or by logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as np
import numpy
from numpy.typing import NDArray

from exmc.distributions.base import Distribution, Parameter, chosen, masked, not_integer, valid_probability
from exmc.late import Late
from exmc.logspace import log_softmax
from exmc.special import Array, xlogy
from exmc.transforms import INTEGER_INTERVAL, REAL, SIMPLEX

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")


def _log_density(
    value: Array,
    initial: Array = None,
    transition: Array = None,
    initial_logits: Array = None,
    transition_logits: Array = None,
) -> Array:
    start, after = _logs(initial, initial_logits), _logs(transition, transition_logits)
    states = np.shape(start)[-1]
    outside = np.logical_or(np.logical_or(value < 0, value > states - 1), not_integer(value))
    missing = np.isnan(value)
    place = np.where(np.logical_or(outside, missing), 0, value)
    total = chosen(start, place[..., 0])
    if np.shape(value)[-1] > 1:
        # A matrix as a vector of its entries, in which each pair of states has a place.
        pairs = np.reshape(after, (*np.shape(after)[:-2], states * states))
        total = total + np.sum(chosen(pairs, place[..., :-1] * states + place[..., 1:]), axis=-1)
    return masked(np.any(outside, axis=-1), total + np.where(np.any(missing, axis=-1), numpy.nan, 0.0))


def _logs(p: Array, logits: Array) -> Array:
    """The logarithms of probabilities along the last axis."""
    return log_softmax(logits, axis=-1) if p is None else valid_probability(p, xlogy(1.0, p))


def _draw(
    generator: numpy.random.Generator,
    shape: tuple[int, ...],
    initial: Array = None,
    transition: Array = None,
    initial_logits: Array = None,
    transition_logits: Array = None,
) -> NDArray[numpy.int64]:
    luck = generator.random(shape)
    start = _next(_probabilities(initial, initial_logits), luck[..., 0])
    after = _probabilities(transition, transition_logits)
    # From each state the next one, had the chain come there: what is left to do step by step is to follow them.
    ways = _next(after, luck[..., 1:, None])
    found = numpy.empty((start.size, shape[-1]), dtype=numpy.int64)
    series = ways.reshape(start.size, shape[-1] - 1, after.shape[-1]).tolist()
    for row, state, steps in zip(found, start.ravel().tolist(), series, strict=True):
        path = [state]
        for step in steps:
            path.append(step[path[-1]])
        row[:] = path
    return found.reshape(shape)


def _probabilities(p: Array, logits: Array) -> NDArray[numpy.float64]:
    return numpy.asarray(scipy_special.softmax(logits, axis=-1) if p is None else p)


def _next(weights: NDArray[numpy.float64], luck: NDArray[numpy.float64]) -> NDArray[numpy.int64]:
    """The state that a number between 0 and 1 chooses by the probabilities in the last axis of `weights`."""
    below = numpy.cumsum(weights, axis=-1)
    return numpy.asarray(numpy.sum(luck[..., None] >= below / below[..., -1:], axis=-1), dtype=numpy.int64)


def _limits(initial: Array = None, initial_logits: Array = None, **_transition: Array) -> tuple[int, ...]:
    return (np.shape(initial_logits if initial is None else initial)[-1] - 1,)


MarkovChain = Distribution(
    name="MarkovChain",
    parameters=(
        Parameter("initial", SIMPLEX, event=("k",)),
        Parameter("transition", SIMPLEX, event=("k", "k"), steps="t"),
        Parameter("initial_logits", REAL, event=("k",)),
        Parameter("transition_logits", REAL, event=("k", "k"), steps="t"),
    ),
    alternatives=(
        ("initial", "transition"),
        ("initial_logits", "transition_logits"),
        ("initial", "transition_logits"),
        ("initial_logits", "transition"),
    ),
    support=INTEGER_INTERVAL,
    log_density=_log_density,
    draw=_draw,
    event=("t",),
    limits=_limits,
)
"""Time is the last axis. ``transition[i, j]`` is the probability of state j after state i; with one more axis before
these, of a length one less than the series or of 1, ``transition[t]`` leads from place t to the next. Several series
with a matrix each take ``transition[:, None]``."""
