"""Arrays with a short last axis become columns, and mean what they meant."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.columns import split_columns
from exmc.compile.record import record
from exmc.compile.schedule import LoopStep, schedule
from exmc.compile.simplify import simplify
from tests.compile.cases import CASES, Case

OUTCOME = np.random.default_rng(0).normal(size=80)


def mixture(x):
    terms = x[:3] - 0.5 * (OUTCOME[:, None] - x[3:]) ** 2
    largest = anp.max(terms, axis=1, keepdims=True)
    return anp.sum(largest[:, 0] + anp.log(anp.sum(anp.exp(terms - largest), axis=1)))


def test_a_mixture_is_one_pass_over_its_rows() -> None:
    tape = split_columns(simplify(record(mixture, 6, gradient=True)))
    plan = schedule(tape)
    loops = [s for s in plan.steps if isinstance(s, LoopStep) and 80 in s.domain]
    assert len(loops) == 1
    assert not [v for v in plan.stored if 80 in tape.types[v].shape]
    assert not [kind for kind in tape.types if kind.shape == (80, 3)]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_columns_mean_the_same(case: Case) -> None:
    tape = simplify(record(lambda x: (case.function(x),), case.dimension, gradient=False))
    split = split_columns(tape)
    split.check()
    position = np.random.default_rng(1).uniform(-1, 1, case.dimension)
    for mine, theirs in zip(split.evaluate(position), tape.evaluate(position), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-14)


def test_a_tape_without_short_axes_is_left_alone() -> None:
    tape = simplify(record(lambda x: anp.sum(anp.exp(x)), 40, gradient=True))
    assert split_columns(tape) is tape
