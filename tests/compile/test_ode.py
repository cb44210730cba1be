"""Solutions against another library, their gradients against differences, machine code against autograd."""

from __future__ import annotations

from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.cache import ObjectCache
from exmc.compile.columns import split_columns
from exmc.compile.function import DataFunction
from exmc.compile.kernel import Kernel, build_kernel, compile_density, compile_outputs
from exmc.compile.lower import lower
from exmc.compile.ode import ode
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.compile.record import record, record_function
from exmc.compile.scan import scan
from exmc.compile.simplify import simplify
from exmc.errors import CompileError
from tests.compile.equations import PROBLEMS, Problem


def position_of(problem: Problem, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, problem.dimension)


def loaded(function, problem: Problem, folder: Path):
    """A compiled density without its comparison with autograd, which takes seconds at tight tolerances."""
    tape = split_columns(
        simplify(record(function, problem.dimension, gradient=True, oracle=autograd_value_and_gradient))
    )
    return build_kernel(
        lower(tape, scalar_first=True), problem.dimension, tape.output_shapes, ObjectCache(folder)
    ).load()


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_machine_code_takes_the_steps_of_autograd(problem: Problem, tmp_path: Path) -> None:
    function = problem.density(1e-3)
    density = compile_density(function, problem.dimension, cache=tmp_path).load()
    position = position_of(problem)
    value, gradient = autograd_value_and_gradient(function, position)
    found = density(position)
    assert found[0] == pytest.approx(float(value), rel=1e-10)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-9, atol=1e-9 * np.max(np.abs(gradient)))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_tight_solutions_and_gradients_are_those_of_another_library(problem: Problem, tmp_path: Path) -> None:
    """Gradients by fourth-order differences of the tight solution."""
    function = problem.density(1e-10, max_steps=100_000)
    density = loaded(function, problem, tmp_path)
    position, step = position_of(problem), 3e-3
    value, gradient = density(position)
    assert value == pytest.approx(problem.combined(problem.exact(position), position), rel=1e-6, abs=1e-6)
    for k in range(problem.dimension):
        a, b, c, d = (density(position + n * step * np.eye(problem.dimension)[k])[0] for n in (-2, -1, 1, 2))
        assert gradient[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=1e-5, abs=1e-5)


def test_start_and_times_may_depend_on_the_position(tmp_path: Path) -> None:
    """y' = -y + t, with all that can depend on the position; in closed form."""

    def density(x):
        begin, times = 0.1 * x[1], 1.0 + anp.exp(0.3 * x[2]) * np.array([0.0, 1.0, 4.0])
        states = ode(
            lambda t, y: t - y,
            anp.reshape(x[0], (1,)),
            times,
            start=begin,
            relative_tolerance=1e-11,
            absolute_tolerance=1e-11,
        )
        return anp.sum(states[:, 0] * np.array([1.0, -2.0, 3.0]))

    def closed(x):
        begin, times = 0.1 * x[1], 1.0 + anp.exp(0.3 * x[2]) * np.array([0.0, 1.0, 4.0])
        states = times - 1.0 + (x[0] - begin + 1.0) * anp.exp(begin - times)
        return anp.sum(states * np.array([1.0, -2.0, 3.0]))

    position = np.array([0.7, -0.4, 0.2])
    expected = autograd_value_and_gradient(closed, position)
    for found in (
        compile_density(density, 3, cache=tmp_path).load()(position),
        autograd_value_and_gradient(density, position),
    ):
        assert float(found[0]) == pytest.approx(float(expected[0]), rel=1e-9)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-8)


def test_the_first_time_may_be_the_start() -> None:
    states = ode(lambda t, y: -y, np.ones(2), np.array([0.0, 1.0]), method="rodas")
    np.testing.assert_array_equal(states[0], np.ones(2))
    np.testing.assert_allclose(states[1], np.exp(-1.0) * np.ones(2), rtol=1e-5)


def test_states_keep_their_shapes(tmp_path: Path) -> None:
    """A matrix and a vector side by side, with data that the slope holds."""
    matrix = np.array([[0.0, 1.0], [-1.0, 0.0]])

    def outputs(x):
        def slope(t, y, rate):
            turned, shrunk = y
            return rate * anp.dot(matrix, turned), -rate * shrunk

        return ode(
            slope, (np.eye(2), x), np.array([0.5, 1.0]), (x[0],), relative_tolerance=1e-10, absolute_tolerance=1e-10
        )

    position = np.array([0.9, -1.0, 2.0])
    turned, shrunk = compile_outputs(outputs, 3, cache=tmp_path)(position[None])
    assert turned.shape == (1, 2, 2, 2)
    expected = np.array([[np.cos(0.9), np.sin(0.9)], [-np.sin(0.9), np.cos(0.9)]])
    np.testing.assert_allclose(turned[0, 1], expected, atol=1e-8)
    np.testing.assert_allclose(shrunk[0, 1], position * np.exp(-0.9), rtol=1e-8)


def test_data_are_traced_and_have_no_cotangents(tmp_path: Path) -> None:
    """Times, start and a table that the slope looks things up in are data: other data need no other code."""

    def density(x, init, times, table):
        def slope(t, y, knots, rate):
            return -rate * y * anp.sum(knots)

        return anp.sum(ode(slope, init, times, (table, anp.exp(x[0])), relative_tolerance=1e-10))

    def closed(x, init, times, table):
        return anp.sum(init * anp.exp(-anp.exp(x[0]) * anp.sum(table) * times)[:, None])

    position = np.array([-0.4])
    texts = set()
    for scale in (1.0, 0.7):
        data = (scale * np.ones(2), scale * np.array([0.5, 1.0, 3.0]), scale * np.linspace(0.0, 0.2, 7))
        function = DataFunction(density, data, identity="the same")
        found = record_function(function, 1, gradient=True)
        assert not found.bound
        (reverse,) = (e for e in found.tape.equations if e.primitive == "ode_reverse")
        assert found.tape.types[reverse.result].shape == (2 + 1,)
        kernel = compile_density(function, 1, cache=tmp_path)
        assert isinstance(kernel, Kernel)
        texts.add(kernel.text)
        value, gradient = kernel.load()(position)
        expected = autograd_value_and_gradient(lambda x, data=data: closed(x, *data), position)
        assert value == pytest.approx(float(expected[0]), rel=1e-7)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-6)
    assert len(texts) == 1


def test_a_solution_of_data_alone_is_a_constant(tmp_path: Path) -> None:
    def density(x, times):
        return x[0] * anp.sum(ode(lambda t, y: -y, 1.0, times, relative_tolerance=1e-9))

    times = np.array([0.5, 2.0])
    kernel = compile_density(DataFunction(density, (times,), identity="of data"), 1, cache=tmp_path)
    value, gradient = kernel.load()(np.array([2.0]))
    assert value == pytest.approx(2.0 * np.sum(np.exp(-times)), rel=1e-5)
    assert gradient[0] == pytest.approx(0.5 * value)


def test_a_scan_inside_a_slope(tmp_path: Path) -> None:
    """A slope whose rate is made by a loop: rate ** 3."""

    def density(x):
        def slope(t, y, rate):
            last, _ = scan(lambda carry, _, factor: (carry * factor, None), 1.0, None, (rate,), length=3)
            return -last * y

        return anp.sum(ode(slope, anp.ones(1), np.array([1.0, 2.0]), (x[0],), relative_tolerance=1e-9))

    position = np.array([0.8])
    value, gradient = compile_density(density, 1, cache=tmp_path).load()(position)
    expected = np.exp(-(0.8**3) * np.array([1.0, 2.0]))
    assert value == pytest.approx(expected.sum(), rel=1e-6)
    assert gradient[0] == pytest.approx(np.sum(-3 * 0.8**2 * np.array([1.0, 2.0]) * expected), rel=1e-5)


def test_a_solution_inside_a_scan(tmp_path: Path) -> None:
    """Doses given again and again, with decay between them, in closed form."""
    doses = np.array([1.0, 0.5, 2.0])

    def density(x):
        def step(amount, dose, rate):
            options = {"relative_tolerance": 1e-9, "absolute_tolerance": 1e-9}
            after = ode(lambda t, y, k: -k * y, amount + dose, np.ones(1), (rate,), **options)[0]
            return after, after

        _, amounts = scan(step, 0.0, doses, (anp.exp(x[0]),))
        return anp.sum(amounts * np.array([1.0, 2.0, 3.0]))

    def closed(x):
        kept, amount, total = anp.exp(-anp.exp(x[0])), 0.0, 0.0
        for weight, dose in enumerate(doses, start=1):
            amount = (amount + dose) * kept
            total = total + weight * amount
        return total

    position = np.array([-0.3])
    expected = autograd_value_and_gradient(closed, position)
    found = compile_density(density, 1, cache=tmp_path).load()(position)
    assert found[0] == pytest.approx(float(expected[0]), rel=1e-8)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-7)


def test_neither_tape_nor_code_grows_with_times_or_steps(tmp_path: Path) -> None:
    def density(times, tolerance):
        return lambda x: anp.sum(ode(lambda t, y, k: -k * y, x, times, (x[0],), relative_tolerance=tolerance))

    cases = [(np.arange(1.0, 5.0), 1e-3), (np.arange(1.0, 30.0), 1e-5)]
    kernels = [compile_density(density(*case), 2, cache=tmp_path) for case in cases]
    lengths = [len(record(density(*case), 2, gradient=True).equations) for case in cases]
    assert lengths[0] == lengths[1]
    sizes = [len(kernel.text) for kernel in kernels if isinstance(kernel, Kernel)]
    assert abs(sizes[0] - sizes[1]) < 100


@pytest.mark.parametrize("method", ["dormand_prince", "rodas"])
@pytest.mark.parametrize(
    ("slope", "max_steps"),
    [
        (lambda t, y: -y * np.cos(40.0 * t), 20),
        (lambda t, y: y**2, 500),
        (lambda t, y: anp.log(0.5 - t) - y, 500),
        (lambda t, y: np.nan * y, 10_000),
    ],
    ids=["out of steps", "explosion", "end of the domain", "never a number"],
)
def test_where_there_is_no_solution_there_are_no_numbers(slope, max_steps: int, method: str, tmp_path: Path) -> None:
    """And no exception, and no endless loop; what was reached before is kept."""
    times = np.array([0.25, 3.0])

    def states(x):
        return (ode(slope, anp.exp(x), times, method=method, max_steps=max_steps),)

    position = np.zeros(1)
    found = compile_outputs(states, 1, cache=tmp_path)(position[None])[0][0]
    np.testing.assert_array_equal(found[1], [np.nan])
    np.testing.assert_allclose(found, states(position)[0], rtol=1e-9)
    value, _ = compile_density(lambda x: anp.sum(states(x)[0]), 1, cache=tmp_path).load()(position)
    assert np.isnan(value)


def test_a_slope_that_reaches_for_a_parameter_is_refused() -> None:
    with pytest.raises(CompileError, match="not its argument"):
        record(lambda x: anp.sum(ode(lambda t, y: -x[0] * y, 1.0, np.ones(1))), 1, gradient=True)


@pytest.mark.parametrize("times", [[2.0, 1.0], [1.0, 1.0], [1.0, np.nan], [-1.0, 1.0]])
def test_times_that_are_data_must_increase_from_the_start(times: list[float]) -> None:
    """Of a function of numbers alone nobody knows which follow from the position: then there is no solution."""

    def density(x):
        return anp.sum(ode(lambda t, y: -y, x[0], np.array(times)))

    with pytest.raises(CompileError, match="must increase from its start"):
        record(density, 1, gradient=True)
    if times[0] != times[1]:
        assert np.isnan(density(np.ones(1)))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((1.0, np.zeros((2, 2))), {}, "a vector"),
        ((1.0, np.zeros(0)), {}, "at least one"),
        ((np.ones(2), np.ones(1)), {"slope": lambda t, y: y[:1]}, r"shapes \(\(1,\),\)"),
        ((1.0, np.ones(1)), {"method": "rk45"}, "no method 'rk45'"),
        ((1.0, np.ones(1)), {"relative_tolerance": 0.0}, "above 0"),
        ((1.0, np.ones(1)), {"max_steps": 0}, "above 0"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, message: str) -> None:
    slope = options.pop("slope", lambda t, y: -y)
    with pytest.raises(CompileError, match=message):
        ode(slope, *arguments, **options)
