"""A hidden Markov model of two states with normal emissions: the density of a whole sequence, and draws of it."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy

import exmc

HALF_LOG_TWO_PI = 0.9189385332046727


def log_density(value: Any, level: Any, stay: Any, sigma: Any) -> Any:
    """The states summed out by the forward algorithm; the first is either with equal chances.

    `value` has shape (steps,), `level` and `stay`, the chance of each state to be the next one too, shape (2,).
    """

    def step(predicted: Any, seen: Any, level: Any, stay: Any, sigma: Any) -> Any:
        emission = -0.5 * ((seen - level) / sigma) ** 2
        top = np.max(emission)
        joint = predicted * np.exp(emission - top)
        total = np.sum(joint)
        filtered = joint / total
        # The other state is the one that is not left alone.
        return stay * filtered + ((1.0 - stay) * filtered)[::-1], top + np.log(total)

    _, terms = exmc.scan(step, numpy.array([0.5, 0.5]), value, (level, stay, sigma))
    return np.sum(terms) - np.shape(value)[0] * (np.log(sigma) + HALF_LOG_TWO_PI)


def draw(generator: numpy.random.Generator, shape: tuple[int, ...], level: Any, stay: Any, sigma: Any) -> Any:
    """A sequence of `shape`, (steps,): states first, then what is seen of them."""
    states = [int(generator.integers(2))]
    for _ in range(shape[0] - 1):
        here = states[-1]
        states.append(here if generator.random() < stay[here] else 1 - here)
    return level[numpy.array(states)] + sigma * generator.standard_normal(shape)
