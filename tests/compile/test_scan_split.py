"""Split scans: the same values, and as little as possible left in the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from exmc import linalg
from exmc.compile import kernel
from exmc.compile.kernel import compile_density
from exmc.compile.optimise import optimised
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.compile.preparation import Preparation
from exmc.compile.record import record
from exmc.compile.recurrence import Core
from exmc.compile.scan import scan
from exmc.compile.scan_split import split_scans
from exmc.compile.simplify import simplify
from exmc.compile.tape import Tape
from tests.compile.sequences import SEQUENCES, STEPS, Sequence

SERIES = np.random.default_rng(3).normal(size=STEPS)


def cores(tape: Tape) -> list[Core]:
    return [e.static["loop"].body for e in tape.equations if e.primitive == "recurrence"]


def split(function: Any, dimension: int) -> tuple[Tape, Tape]:
    tape = simplify(record(function, dimension, gradient=True))
    return tape, split_scans(tape, Preparation(()).absorb)


def same(tape: Tape, other: Tape) -> None:
    other.check()
    for seed in range(3):
        position = np.random.default_rng(seed).uniform(-1.0, 1.0, tape.dimension)
        for found, expected in zip(other.evaluate(position), tape.evaluate(position), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda s: s.name)
def test_the_same_values(sequence: Sequence) -> None:
    tape, other = split(sequence.scanned, sequence.dimension)
    assert not any(e.primitive.startswith("scan") for e in other.equations)
    same(tape, other)
    same(tape, optimised(tape, Preparation(()).absorb))


def moving_average(x: Any) -> Any:
    def step(error: Any, y: Any, mean: Any, weight: Any) -> Any:
        error = y - mean - weight * error
        return error, anp.exp(-(error**2))

    _, terms = scan(step, 0.0, SERIES, (x[0], anp.tanh(x[1])))
    return anp.sum(terms)


def test_the_loops_of_a_linear_recurrence_are_one_product_and_one_sum_each() -> None:
    tape, other = split(moving_average, 2)
    same(tape, other)
    forward, backward = cores(other)
    assert (forward.reverse, backward.reverse) == (False, True)
    for core in (forward, backward):
        places = ("slice", "reshape", "broadcast", "scatter")
        work = [e.primitive for e in core.tape.equations if e.primitive not in places]
        assert work in (["multiply", "add"], ["multiply", "subtract"])


def test_a_carry_that_only_remembers_needs_no_loop() -> None:
    def density(x: Any) -> Any:
        def step(carry: Any, y: Any, weight: Any) -> Any:
            before, earlier = carry
            return (y, before), (y - weight * before - earlier) ** 2

        (last, _), terms = scan(step, (x[1], 0.5), x[2:] * SERIES, (x[0],))
        return anp.sum(terms) + last

    tape, other = split(density, STEPS + 2)
    assert not cores(other)
    same(tape, other)


def test_one_step_and_states_used_as_outputs() -> None:
    def density(x: Any) -> Any:
        def step(carry: Any, y: Any, rate: Any) -> Any:
            position, speed = carry
            speed = speed - rate * anp.sin(position) + y
            return (position + speed, speed), position

        (position, speed), path = scan(step, (x[0], x[1]), x[3:], (x[2],))
        return anp.sum(path**2) + position * speed

    for steps in (1, 2, 5):
        same(*split(density, steps + 3))


def test_large_steps_keep_their_arrays() -> None:
    weights = np.random.default_rng(4).normal(size=(9, 9)) / 9

    def density(x: Any) -> Any:
        def step(carry: Any, y: Any, scale: Any) -> Any:
            after = anp.tanh(anp.dot(weights, carry) * scale + y)
            return after, anp.sum(after**2)

        last, terms = scan(step, x[:9], SERIES, (x[9],))
        return anp.sum(terms * SERIES) + anp.sum(last)

    tape, other = split(density, 10)
    same(tape, other)
    assert all(core.states == 9 for core in cores(other))


def test_what_cannot_be_done_for_all_steps_stays_in_the_loop() -> None:
    def density(x: Any) -> Any:
        def step(carry: Any, y: Any, noise: Any) -> Any:
            covariance = carry * 0.5 + np.eye(2) * anp.exp(noise)
            lower = linalg.cholesky(covariance)
            return covariance + 0.1 * anp.dot(lower, lower.T), anp.sum(anp.log(anp.diag(lower))) * y

        last, terms = scan(step, np.eye(2) * anp.exp(x[0]), SERIES, (x[1],))
        return anp.sum(terms) + anp.sum(last)

    same(*split(density, 2))


def test_a_loop_without_a_state(tmp_path: Path) -> None:
    def density(x: Any) -> Any:
        def step(carry: Any, y: Any, noise: Any) -> Any:
            lower = linalg.cholesky(np.eye(2) * anp.exp(noise * y) + 0.1)
            return y, anp.sum(lower) + carry

        last, terms = scan(step, x[0], SERIES, (x[1],))
        return anp.sum(terms * SERIES) + last

    same(*split(density, 2))
    kernel = compile_density(density, 2, cache=tmp_path)
    assert np.isfinite(kernel.load()(np.array([0.3, -0.4]))[0])


@pytest.mark.parametrize(("steps", "expected"), [(20, 4), (1000, 1)])
def test_long_recurrences_are_compared_at_fewer_points(
    steps: int, expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def counting(function: Any, position: Any) -> Any:
        asked.append(position)
        return autograd_value_and_gradient(function, position)

    def density(x: Any) -> Any:
        def step(variance: Any, y: Any, shock: Any) -> Any:
            variance = 0.5 * variance + shock * y**2
            return variance, -(y**2) / variance

        return anp.sum(scan(step, 1.0, np.ones(steps), (anp.exp(x[0]),))[1])

    monkeypatch.setattr(kernel, "autograd_value_and_gradient", counting)
    compile_density(density, 1, cache=tmp_path)
    assert len(asked) == expected
