from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from exmc.compile.layout import layout_of
from exmc.compile.logp import pointwise_function
from exmc.ir.builder import Builder
from exmc.ir.nodes import RandomVariable
from exmc.predictive import log_likelihood as module
from exmc.predictive.log_likelihood import pointwise


def one_by_one(function: Callable[[np.ndarray], Sequence[Any]]) -> Callable[[np.ndarray], list[np.ndarray]]:
    """A batch form of a function of one position: the slow way."""

    def evaluate(positions: np.ndarray) -> list[np.ndarray]:
        rows = [[np.asarray(term, dtype=np.float64) for term in function(position)] for position in positions]
        return [np.stack(column) for column in zip(*rows, strict=True)]

    return evaluate


def test_groups_hold_the_models_densities() -> None:
    source = (
        Builder()
        .rv("mu", "Normal", mu=0.0, sigma=5.0)
        .rv("sigma", "HalfNormal", sigma=2.0)
        .rv("y", "Normal", mu="mu", sigma="sigma", observed=[1.0, 2.0, 4.0], mask=[True, False, True])
        .build()
    )
    transforms = {"mu": "identity", "sigma": "log"}
    nodes = [replace(n, transform=transforms[n.name]) if isinstance(n, RandomVariable) else n for n in source.nodes]
    model = source.with_nodes(tuple(nodes))
    positions = np.random.default_rng(0).normal(size=(2, 11, layout_of(model).dimension))
    function, likelihoods, priors = pointwise_function(source, model)
    found = pointwise(one_by_one(function), likelihoods, priors, positions)
    mu, sigma = positions[..., 0], np.exp(positions[..., 1])
    likelihood = stats.norm.logpdf([1.0, 2.0, 4.0], mu[..., None], sigma[..., None])
    likelihood[..., 1] = 0.0
    np.testing.assert_allclose(found["log_likelihood"]["y"], likelihood, rtol=1e-12)
    np.testing.assert_allclose(found["log_prior"]["mu"], stats.norm.logpdf(mu, 0, 5), rtol=1e-12)
    np.testing.assert_allclose(found["log_prior"]["sigma"], stats.halfnorm.logpdf(sigma, 0, 2), rtol=1e-12)
    assert set(found["log_prior"]) == {"mu", "sigma"}


def test_blocks_are_joined_in_order() -> None:
    positions = np.arange(3 * 700, dtype=float).reshape(3, 700, 1)
    calls: list[int] = []

    def evaluate(block: np.ndarray) -> list[np.ndarray]:
        calls.append(len(block))
        return [block * np.ones(2), block[:, 0]]

    found = pointwise(evaluate, ["x"], ["x"], positions)
    assert max(calls) <= module._POSITIONS_AT_ONCE < sum(calls) == 2100
    np.testing.assert_array_equal(found["log_likelihood"]["x"], positions * np.ones(2))
    np.testing.assert_array_equal(found["log_prior"]["x"], positions[..., 0])
