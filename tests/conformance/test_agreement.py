"""Machine code against interpreted autograd: every config, and every distribution as a variable and as an observation.

The values must agree within 1e-12 of the value, the gradients within 1e-12 of the gradient's norm. Where the terms of
a log density cancel, no two orders of summation do: there the difference may be what rounding explains. If every
operation of either side is within ERROR units of rounding, the difference of the two has a standard deviation of at
most sqrt(2) * ERROR * spread (see `rounding.spread`), of which six are allowed. For the one case known, Gamma(800,
200), that is 5e-14 of the terms' size: tighter than 1e-12 of it. Rounding also moves the steps of solvers of
differential equations, which choose them by small differences (see `solver_steps`); the same number of units is
allowed.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from exmc.compile.logp import log_density_function
from exmc.compile.program import compile_model
from exmc.compile.record import autograd_value_and_gradient, record
from exmc.compile.tape import Tape
from exmc.ir.model import Model
from exmc.rewrite.run import rewrite
from tests.conformance.agreement_models import Subject, subjects
from tests.conformance.rounding import spread
from tests.conformance.solver_steps import step_spread, tolerances

RELATIVE = 1e-12
ERROR = 56.0
"""Units of rounding, halves of a unit in the last place: the largest error of a density's functions, gammaln's."""
ALLOWED = 6.0 * math.sqrt(2.0) * ERROR

POINTS = 50
FEW_POINTS = 5
LARGE = 200_000
"""Data of so many elements, and solvers, are compared at fewer points: interpreted, each takes about a second."""

Difference = tuple[float, float]


def points_for(model: Model) -> int:
    elements = sum(np.size(data.values) for data in model.data.values())
    return POINTS if elements < LARGE and not tolerances(model) else FEW_POINTS


def disagreement(found: np.ndarray, expected: np.ndarray) -> float:
    """The norm of the difference; infinite unless NaN and infinities are in the same places."""
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return math.inf
    return float(np.linalg.norm(found[finite] - expected[finite]))


def unexplained(
    found: tuple[np.ndarray, ...],
    expected: tuple[np.ndarray, ...],
    tape: Tape,
    position: np.ndarray,
    steps: tuple[float, float] = (0.0, 0.0),
) -> list[str]:
    """Which of value and gradient differ by more than 1e-12, and by more than rounding explains."""
    problems = []
    for number, name in enumerate(("value", "gradient")):
        difference = disagreement(np.atleast_1d(found[number]), np.atleast_1d(expected[number]))
        finite = expected[number][np.isfinite(expected[number])]
        if difference <= RELATIVE * float(np.linalg.norm(finite)) + ALLOWED * steps[number]:
            continue
        scale = spread(tape, position, np.random.default_rng(1))[number]
        if not difference <= ALLOWED * scale:
            problems.append(
                f"{name}: {found[number]} instead of {expected[number]}, which rounding moves by {scale:.1e}"
            )
    return problems


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objects")


@pytest.mark.parametrize("subject", list(subjects()), ids=lambda s: s.name)
def test_machine_code_agrees_with_autograd(subject: Subject, cache: Path) -> None:
    model = subject.build()
    rewritten = rewrite(model).model
    compiled = compile_model(model, rewritten, cache=cache)
    assert compiled.engine == "native", compiled.notes
    function, density = log_density_function(rewritten), compiled.density()
    tape = record(function, compiled.layout.dimension, gradient=True)
    generator, steps = np.random.default_rng(3), step_spread(model, cache)
    finite = 0
    for _ in range(points_for(model)):
        position = generator.uniform(-2.0, 2.0, compiled.layout.dimension)
        value, gradient = density(position)
        expected = autograd_value_and_gradient(function, position)
        assert unexplained((np.asarray(value), gradient), expected, tape, position, steps(position)) == []
        finite += bool(np.isfinite(expected[0]))
    assert finite >= points_for(model) / 2


def test_a_part_in_ten_to_the_eleventh_is_a_disagreement() -> None:
    subject = Subject("Gamma 3 observed")
    function = log_density_function(rewrite(subject.build()).model)
    tape = record(function, 2, gradient=True)
    position = np.array([0.3, -0.2])
    expected = autograd_value_and_gradient(function, position)
    assert unexplained(expected, expected, tape, position) == []
    for number in range(2):
        wrong = list(expected)
        wrong[number] = expected[number] * (1.0 + 1e-11)
        assert len(unexplained(tuple(wrong), expected, tape, position)) == 1


def test_data_over_the_bound_are_compared_at_fewer_points() -> None:
    assert points_for(Subject("eight_schools.yaml").build()) == POINTS
