"""Sequential models, each as a scan and unrolled: what the tests of scans share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as np
import numpy

from exmc.compile.scan import scan

STEPS = 12
SERIES = numpy.random.default_rng(8).normal(size=STEPS)
PAIRS = numpy.random.default_rng(9).normal(size=(STEPS, 2))


class Sequence(NamedTuple):
    """A log density by a scan, and the same in a Python loop."""

    name: str
    dimension: int
    scanned: Callable[[Any], Any]
    unrolled: Callable[[Any], Any]


def _run(step: Callable[..., Any], init: Any, xs: Any, params: tuple[Any, ...]) -> tuple[Any, list[Any]]:
    carry, outputs = init, []
    for x in zip(*xs, strict=True) if isinstance(xs, tuple) else xs:
        carry, output = step(carry, x, *params)
        outputs.append(output)
    return carry, outputs


def _sequence(
    name: str, dimension: int, step: Callable[..., Any], prepare: Callable[[Any], Any], finish: Callable[..., Any]
) -> Sequence:
    """`prepare(x)` gives init, xs and params; `finish(x, carry, outputs)` the log density."""

    def scanned(x: Any) -> Any:
        return finish(x, *scan(step, *prepare(x)))

    def unrolled(x: Any) -> Any:
        carry, outputs = _run(step, *prepare(x))
        stacked = tuple(np.array(o) for o in zip(*outputs, strict=True)) if isinstance(outputs[0], tuple) else None
        return finish(x, carry, None if outputs[0] is None else stacked or np.array(outputs))

    return Sequence(name, dimension, scanned, unrolled)


def _garch_step(carry: Any, y: Any, mu: Any, base: Any, shock: Any, memory: Any) -> Any:
    variance, before = carry
    variance = base + shock * (before - mu) ** 2 + memory * variance
    return (variance, y), -0.5 * np.log(variance) - 0.5 * (y - mu) ** 2 / variance


def _garch(x: Any) -> Any:
    shares = np.exp(x[2:]) / (1.0 + np.sum(np.exp(x[2:])))
    return (np.exp(x[1]), 0.3), SERIES, (x[0], np.exp(x[1]), shares[0], shares[1])


def _autoregressive_step(carry: Any, y: Any, weights: Any, log_scale: Any) -> Any:
    mean = np.dot(weights, carry)
    return np.concatenate([np.reshape(y, (1,)), carry[:-1]]), -log_scale - 0.5 * ((y - mean) / np.exp(log_scale)) ** 2


def _hidden_markov_step(carry: Any, y: Any, log_transition: Any, means: Any) -> Any:
    paths = carry[:, None] + log_transition
    top = np.max(paths, axis=0)
    after = top + np.log(np.sum(np.exp(paths - top), axis=0)) - 0.5 * (y - means) ** 2
    return after, None


def _hidden_markov(x: Any) -> Any:
    logits = np.reshape(x[3:], (3, 3))
    return np.zeros(3), SERIES, (logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True)), x[:3])


def _log_sum(x: Any, carry: Any, outputs: Any) -> Any:
    return np.log(np.sum(np.exp(carry)))


def _kalman_step(carry: Any, y: Any, state_variance: Any, noise_variance: Any) -> Any:
    mean, variance = carry
    variance = variance + state_variance
    total = variance + noise_variance
    gain = variance / total
    error = y - mean
    return (mean + gain * error, (1.0 - gain) * variance), -0.5 * np.log(total) - 0.5 * error**2 / total


def _walk_step(carry: Any, given: Any, drift: Any) -> Any:
    innovation, scale = given
    after = carry + drift + np.exp(scale) * innovation
    return after, (after, np.sin(after) * np.array([1.0, 2.0]))


SEQUENCES = [
    _sequence("GARCH", 4, _garch_step, _garch, lambda x, carry, ys: np.sum(ys) + carry[0]),
    _sequence(
        "autoregression",
        4,
        _autoregressive_step,
        lambda x: (np.zeros(3), SERIES, (0.3 * x[:3], x[3])),
        lambda x, carry, ys: np.sum(ys),
    ),
    _sequence("hidden Markov", 12, _hidden_markov_step, _hidden_markov, _log_sum),
    _sequence(
        "local level by Kalman",
        3,
        _kalman_step,
        lambda x: ((x[0], np.exp(x[1])), SERIES, (np.exp(x[1]), np.exp(x[2]))),
        lambda x, carry, ys: np.sum(ys) + carry[0] ** 2,
    ),
    _sequence(
        "states as inputs",
        STEPS + 2,
        _walk_step,
        lambda x: (x[0], (x[2:], PAIRS[:, 0] * x[1]), (0.1,)),
        lambda x, carry, ys: np.sum(ys[0] * PAIRS[:, 1]) + np.sum(ys[1] ** 2) + carry,
    ),
]
