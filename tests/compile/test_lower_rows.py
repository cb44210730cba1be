"""Loops over rows run as they should: by group where the order is free, in blocks where there are products."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.kernel import compile_density
from exmc.compile.lower_frame import Frame
from exmc.compile.lower_loops import FusedLoop
from exmc.compile.lower_rows import BlockedLoop, GroupedLoop, loop_of
from exmc.compile.lower_text import Writer
from exmc.compile.preparation import Preparation
from exmc.compile.record import record
from exmc.compile.schedule import LoopStep, schedule
from exmc.compile.simplify import simplify
from tests.compile.cases import DUMMIES, LABELS, MANY, OUTCOME, ROWS


def kinds(function, dimension: int, *, gradient: bool = True) -> list[type]:
    tape = Preparation(()).absorb(simplify(record(function, dimension, gradient=gradient)))
    frame = Frame(tape, schedule(tape), Writer(), {e.result: e for e in tape.equations})
    steps = [s for s in frame.schedule.steps if isinstance(s, LoopStep) and s.domain == (ROWS,)]
    return [type(loop_of(frame, step)) for step in steps]


def test_rows_of_few_groups_are_sorted() -> None:
    assert kinds(lambda x: anp.sum((OUTCOME - x[LABELS]) ** 2), 5) == [GroupedLoop]


def test_rows_of_many_groups_are_not() -> None:
    assert kinds(lambda x: anp.sum((OUTCOME - x[MANY]) ** 2), 90) == [BlockedLoop]


def test_rows_that_leave_the_loop_stay_in_order() -> None:
    def pointwise(x):
        residual = OUTCOME - x[LABELS]
        return anp.sum(anp.cumsum(residual**2))

    assert GroupedLoop not in kinds(pointwise, 5)
    assert kinds(lambda x: (x[LABELS] - OUTCOME,), 5, gradient=False) == [FusedLoop]


def test_rows_that_depend_on_the_position_are_not_sorted() -> None:
    assert kinds(lambda x: anp.sum((x[5:] - x[:5][LABELS]) ** 2), 5 + ROWS) == [BlockedLoop]


def test_overlapping_slices_wait_for_each_other() -> None:
    def walk(x):
        return -0.5 * anp.sum((x[1:] - 0.9 * x[:-1]) ** 2)

    assert kinds(walk, ROWS + 1) == [BlockedLoop]


def test_products_are_part_of_one_pass() -> None:
    assert kinds(lambda x: anp.sum(anp.exp(DUMMIES @ x)), 3) == [BlockedLoop]


@pytest.mark.parametrize("rows", [16, 31, 32, 33, 64, 255, 256, 257, 600])
def test_every_row_counts_once(rows: int, tmp_path) -> None:
    design = np.random.default_rng(rows).normal(size=(rows, 9))
    value, gradient = compile_density(lambda x: anp.sum(anp.sin(design @ x)), 9, cache=tmp_path).load()(np.ones(9))
    assert value == pytest.approx(np.sin(design @ np.ones(9)).sum(), rel=1e-12)
    np.testing.assert_allclose(gradient, design.T @ np.cos(design @ np.ones(9)), rtol=1e-11, atol=1e-13)
