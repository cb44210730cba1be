"""Scans against the same loops unrolled: values, gradients, machine code, and what does not grow with the steps."""

from __future__ import annotations

from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.kernel import Kernel, compile_density, compile_outputs
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.compile.record import record
from exmc.compile.scan import scan
from exmc.errors import CompileError
from tests.compile.sequences import SEQUENCES, Sequence


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda s: s.name)
def test_a_scan_is_the_unrolled_loop(sequence: Sequence, tmp_path: Path) -> None:
    density = compile_density(sequence.scanned, sequence.dimension, cache=tmp_path).load()
    generator = np.random.default_rng(1)
    for _ in range(5):
        position = generator.uniform(-1.5, 1.5, sequence.dimension)
        value, gradient = autograd_value_and_gradient(sequence.unrolled, position)
        for found in (autograd_value_and_gradient(sequence.scanned, position), density(position)):
            assert float(found[0]) == pytest.approx(float(value), rel=1e-12)
            np.testing.assert_allclose(found[1], gradient, rtol=1e-11, atol=1e-12)


def sum_of_squares(steps: int):
    series = np.linspace(0.0, 1.0, steps)

    def density(x):
        def step(carry, y, rate):
            carry = rate * carry + y
            return carry, -(carry**2)

        _, terms = scan(step, 0.0, series, (anp.tanh(x[0]),))
        return anp.sum(terms)

    return density


def test_neither_tape_nor_code_grows_with_the_steps(tmp_path: Path) -> None:
    kernels = [compile_density(sum_of_squares(steps), 1, cache=tmp_path) for steps in (50, 400)]
    lengths = [len(record(sum_of_squares(steps), 1, gradient=True).equations) for steps in (50, 400)]
    assert lengths[0] == lengths[1]
    sizes = [len(kernel.text) for kernel in kernels if isinstance(kernel, Kernel)]
    assert abs(sizes[0] - sizes[1]) < 100


def test_steps_without_inputs_and_matrices_as_carry(tmp_path: Path) -> None:
    def powers(x):
        matrix = anp.reshape(x, (2, 2))
        last, _ = scan(lambda carry, _, m: (anp.dot(m, carry), None), np.eye(2), None, (matrix,), length=4)
        return (last,)

    found = compile_outputs(powers, 4, cache=tmp_path)(np.array([[0.3, 1.0, -0.5, 0.9]]))[0][0]
    matrix = np.array([[0.3, 1.0], [-0.5, 0.9]])
    np.testing.assert_allclose(found, np.linalg.matrix_power(matrix, 4), rtol=1e-13)


def test_scans_inside_a_scan_with_data_of_their_own(tmp_path: Path) -> None:
    weights = np.array([0.2, -0.4, 0.1])

    def density(x):
        def inner(carry, w, rate):
            return anp.sin(carry * rate + w), carry * weights[0]

        def outer(carry, y, rate):
            last, terms = scan(inner, carry, weights, (rate,))
            return last + y, anp.sum(terms * weights)

        _, terms = scan(outer, x[0], np.arange(4.0), (x[1],))
        return anp.sum(terms)

    def unrolled(x):
        carry, total = x[0], 0.0
        for y in np.arange(4.0):
            for w in weights:
                total = total + carry * weights[0] * w
                carry = anp.sin(carry * x[1] + w)
            carry = carry + y
        return total

    kernel = compile_density(density, 2, cache=tmp_path).load()
    position = np.array([0.3, 0.8])
    expected = autograd_value_and_gradient(unrolled, position)
    assert kernel(position)[0] == pytest.approx(float(expected[0]), rel=1e-12)
    np.testing.assert_allclose(kernel(position)[1], expected[1], rtol=1e-11)


def test_a_step_that_reaches_for_a_parameter_is_refused() -> None:
    def density(x):
        _, terms = scan(lambda carry, y: (carry * x[0], carry + y), 1.0, np.arange(3.0))
        return anp.sum(terms)

    with pytest.raises(CompileError, match="not its argument"):
        record(density, 1, gradient=True)


@pytest.mark.parametrize(
    ("init", "xs", "length", "message"),
    [
        (0.0, np.zeros(0), None, "above 0"),
        (0.0, None, None, "one number of steps"),
        (0.0, (np.zeros(3), np.zeros(4)), None, "one number of steps"),
        (np.zeros(2), np.zeros((3, 3)), None, "changes from"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(init, xs, length, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        scan(lambda carry, x: (x, None), init, xs, length=length)
