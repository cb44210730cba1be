"""The order of work: every value before its use, one loop for what belongs together."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest

from exmc import special
from exmc.compile.record import record
from exmc.compile.schedule import BlockStep, LoopStep, Part, ScalarStep, schedule
from exmc.compile.simplify import simplify
from tests.compile.cases import CASES
from tests.compile.test_record import eight_schools

ROWS = 50
OUTCOME = np.random.default_rng(0).normal(size=ROWS)
GROUP = np.random.default_rng(1).integers(0, 3, ROWS)


def varying_intercepts(x):
    residual = (OUTCOME - x[:3][GROUP]) / anp.exp(x[3])
    return -0.5 * anp.sum(residual**2) - ROWS * x[3]


def row_loops(function, dimension: int, rows: int) -> list[LoopStep]:
    steps = schedule(simplify(record(function, dimension, gradient=True))).steps
    return [s for s in steps if isinstance(s, LoopStep) and s.domain == (rows,)]


def test_forward_and_backward_of_a_likelihood_share_one_pass() -> None:
    assert len(row_loops(varying_intercepts, 4, ROWS)) == 1


def test_row_values_are_never_stored() -> None:
    tape = simplify(record(varying_intercepts, 4, gradient=True))
    plan = schedule(tape)
    assert not [v for v in plan.stored if tape.types[v].shape == (ROWS,)]


def test_eight_schools_is_one_loop() -> None:
    assert len(row_loops(eight_schools, 10, 8)) == 1


def test_softmax_needs_one_loop_a_reduction() -> None:
    def density(x):
        largest = anp.max(x)
        return x[0] - largest - anp.log(anp.sum(anp.exp(x - largest)))

    assert len(row_loops(density, 40, 40)) <= 4


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_nothing_is_used_before_it_is_complete(case) -> None:
    tape = record(lambda x: (case.function(x), special.softplus(x)), case.dimension, gradient=False)
    plan = schedule(tape)
    equations = {e.result: e for e in tape.equations}
    done = {0, *tape.literals, *tape.constants}
    parts_left = {e.result: len(e.static["parts"]) for e in tape.equations if e.primitive == "scatter"}

    def complete(value: int) -> bool:
        if plan.roles.get(value) == "view":
            return complete(equations[value].operands[0])
        return value in done or parts_left.get(value) == 0 or value in plan.repeated

    for step in plan.steps:
        if isinstance(step, ScalarStep | BlockStep):
            items: tuple[int | Part, ...] = (step.item,)
        else:
            items = step.items
        inside: set[int] = set()
        for item in items:
            if isinstance(item, Part):
                needed = (equations[item.scatter].operands[item.number],)
            else:
                needed = equations[item].operands
            assert all(complete(o) or o in inside for o in needed), (step, needed)
            if isinstance(item, Part):
                parts_left[item.scatter] -= 1
            else:
                inside.add(item)
        done |= inside
    assert all(complete(o) for o in tape.outputs)
