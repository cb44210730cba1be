from __future__ import annotations

import warnings

import arviz_stats
import numpy as np
import pytest

from exmc.diagnostics.compare import compare
from exmc.diagnostics.stacking import stacking_weights
from tests.diagnostics.trees import conjugate

RANDOM = np.random.default_rng(2)
CASES = {
    "alike": np.zeros((5, 3)),
    "one best": RANDOM.normal(size=(40, 1)) + np.array([0.0, -1.0, -3.0]),
    "each good at some": RANDOM.normal(scale=2.0, size=(60, 4)),
    "one good at little": np.where(RANDOM.random((50, 1)) < 0.1, [[-6.0, -1.0]], [[-1.0, -2.0]]),
    "twice the same": RANDOM.normal(size=(30, 2))[:, [0, 1, 1]],
    "far below zero": RANDOM.normal(size=(30, 3)) - 2000.0,
    "impossible under one": np.array([[-1.0, -5000.0], [-5000.0, -1.0], [-1.0, -2.0]]),
    "one point": np.array([[-1.0, -3.0]]),
    "many models": RANDOM.normal(size=(200, 15)),
}


@pytest.mark.parametrize("name", CASES)
def test_no_change_of_weights_predicts_better(name: str) -> None:
    """The Karush-Kuhn-Tucker conditions of a concave maximum: the slope is 1 where a weight is, at most 1 elsewhere."""
    pointwise = CASES[name]
    weights = stacking_weights(pointwise)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0.0).all()
    densities = np.exp(pointwise - pointwise.max(axis=1, keepdims=True))
    slopes = np.mean(densities / (densities @ weights)[:, None], axis=0)
    # A slope over 1 by e is a mean score that could be better by e at most.
    assert slopes.max() < 1.0 + 1e-5
    assert np.abs(slopes - 1.0)[weights > 1e-3].max() < 1e-3


def test_weights_are_arvizs() -> None:
    trees = {"tight": conjugate(0, 0.05), "wide": conjugate(1, 5.0), "mid": conjugate(2, 0.3)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = arviz_stats.compare(trees)["weight"]
    ours = {row.name: row.weight for row in compare(trees)}
    # The table of ArviZ 1 is rounded to two places.
    assert ours == pytest.approx({name: float(theirs[name]) for name in trees}, abs=0.006)


def test_equal_models_share_and_a_worse_one_has_nothing() -> None:
    good = RANDOM.normal(size=30)
    np.testing.assert_allclose(stacking_weights(np.stack([good, good], axis=1)), 0.5)
    np.testing.assert_allclose(stacking_weights(np.stack([good - 1.0, good], axis=1)), [0.0, 1.0], atol=1e-9)
