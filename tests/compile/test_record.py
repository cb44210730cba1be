"""Recording: what is on the tape must hold at every point, and what cannot be recorded must be refused."""

from __future__ import annotations

import threading
import warnings

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.extend import defvjp, primitive
from autograd.tracer import Box, notrace_primitives, trace_stack

from exmc import special
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.compile.record import record
from exmc.errors import CompileError

EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
GROUP = np.array([0, 1, 1, 2, 0, 2, 1, 0])


def cauchy(x):
    return -anp.sum(anp.log1p((x / 2.0) ** 2))


def half_normal_with_jacobian(x):
    scale = anp.exp(x[0])
    return -0.5 * (scale / 2.0) ** 2 + x[0] - 0.5 * anp.sum((x[1:] / scale) ** 2) - 3 * anp.log(scale)


def ordered(x):
    cuts = anp.concatenate([x[:1], x[0] + anp.cumsum(anp.exp(x[1:]))])
    return anp.sum(x[1:]) - 0.5 * anp.sum(cuts**2)


def reversed_slices(x):
    return anp.sum(x[::-1] * anp.exp(x)) + anp.sum(x[::-2] ** 2)


def repeated_gather(x):
    return anp.sum(x[GROUP] * anp.exp(x[GROUP])) + x[0] * x[0] + anp.sum(x)


def eight_schools(x):
    theta = x[0] + anp.exp(x[1]) * x[2:]
    prior = -0.5 * anp.sum(x[2:] ** 2) - 0.5 * (x[0] / 5.0) ** 2 + x[1] - anp.log1p((anp.exp(x[1]) / 5.0) ** 2)
    return prior - 0.5 * anp.sum(((EFFECT - theta) / ERROR) ** 2)


def one_parameter_twice(x):
    y = anp.exp(x[0])
    return y * y + y * anp.sin(y) + (y + y)


def where_of_scalar(x):
    return anp.sum(anp.where(EFFECT > 5.0, x[0], x[1] * EFFECT))


def chosen_by_comparison(x):
    return anp.where(anp.logical_and(x[0] > 0.0, x[1] > 0.0), x[0], x[1] ** 2)


TRAPS = [
    (cauchy, 3),
    (half_normal_with_jacobian, 4),
    (ordered, 4),
    (reversed_slices, 5),
    (repeated_gather, 3),
    (eight_schools, 10),
    (one_parameter_twice, 1),
    (where_of_scalar, 2),
    (chosen_by_comparison, 2),
]


@pytest.mark.parametrize(("function", "dimension"), TRAPS, ids=lambda v: getattr(v, "__name__", ""))
def test_tape_holds_at_points_where_it_was_not_recorded(function, dimension) -> None:
    tape = record(function, dimension, gradient=True, example=np.full(dimension, 0.3))
    tape.check()
    generator = np.random.default_rng(0)
    step = 1e-3
    for _ in range(5):
        position = generator.uniform(-1.5, 1.5, dimension)
        value, gradient = tape.evaluate(position)
        assert value == pytest.approx(function(position), rel=1e-13)
        for k in range(dimension):
            shift = step * np.eye(dimension)[k]
            a, b, c, d = (float(function(position + n * shift)) for n in (-2, -1, 1, 2))
            assert gradient[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda x: x[0] if x[0] > 0 else x[1], "truth"),
        (lambda x: x[1] if anp.isnan(x[0]) else x[0], "truth"),
        (lambda x: x[0] * float(x[1]), "float"),
        (lambda x: x[0] * int(x[1] + 2.0), "int"),
        (lambda x: [1.0, 2.0][x[0]] * x[1], "index"),
        (lambda x: x[0] and x[1], "truth"),
        (lambda x: max(x[0], x[1]), "truth"),
    ],
)
@pytest.mark.parametrize("gradient", [True, False])
def test_python_control_of_a_parameter_is_refused(function, what, gradient) -> None:
    wrapped = function if gradient else lambda x: (function(x),)
    with pytest.raises(CompileError, match=what) as caught:
        record(wrapped, 2, gradient=gradient)
    assert "np.where" in str(caught.value)
    assert "test_record.py" in str(caught.value)


def test_function_that_differs_from_call_to_call_is_refused() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(CompileError, match="disagrees with the function in the value"):
        record(lambda x: anp.sum(x) + generator.normal(), 2, gradient=True)
    with pytest.raises(CompileError, match="output 1"):
        record(lambda x: (x, x * generator.normal()), 2, gradient=False)


def test_a_derivative_that_the_user_defined_is_taken_at_his_word() -> None:
    @primitive
    def half(x):
        return 0.5 * x

    defvjp(half, lambda ans, x: lambda g: g * 0.7)
    record(lambda x: (half(x),), 2, gradient=False)
    # Recording agrees with autograd, which repeats what the user said; only a difference would tell.
    tape = record(lambda x: anp.sum(half(x)), 2, gradient=True)
    np.testing.assert_allclose(tape.evaluate(np.zeros(2))[1], 0.7)


def test_vector_valued_density_is_refused() -> None:
    with pytest.raises(CompileError, match=r"shape \(2,\)"):
        record(lambda x: x * 2.0, 2, gradient=True)


def test_output_independent_of_the_input() -> None:
    tape = record(lambda x: 3.0, 2, gradient=True)
    value, gradient = tape.evaluate(np.ones(2))
    assert value == 3.0
    np.testing.assert_array_equal(gradient, np.zeros(2))
    value, gradient = autograd_value_and_gradient(lambda x: 3.0, np.ones(2))
    assert (float(value), gradient.tolist()) == (3.0, [0.0, 0.0])


def test_dimension_zero() -> None:
    value, gradient = record(lambda x: anp.sum(x) - 1.5, 0, gradient=True).evaluate(np.zeros(0))
    assert (float(value), gradient.shape) == (-1.5, (0,))


def test_external_functions_evaluate_through_themselves() -> None:
    tape = record(lambda x: (anp.partition(x, 1), anp.linalg.eigh(anp.reshape(x, (2, 2)))[0]), 4, gradient=False)
    assert {e.static["call"].name for e in tape.equations if e.primitive == "external"} >= {"numpy.partition"}
    position = np.array([3.0, 1.0, 1.0, 3.0])
    ordered_values, eigenvalues = tape.evaluate(position)
    np.testing.assert_array_equal(ordered_values, [1.0, 1.0, 3.0, 3.0])
    np.testing.assert_allclose(eigenvalues, [2.0, 4.0])


def test_derivatives_that_autograd_lacks_or_gets_wrong_are_checked_by_differences() -> None:
    for function in (
        lambda x: anp.sum(anp.flip(x) * anp.exp(x)),
        lambda x: anp.sum(anp.take(x, np.array([0, 2, 2])) ** 2),
        lambda x: anp.sum(anp.broadcast_to(x, (4, 3)) ** 2),
        lambda x: anp.sum(anp.sort(x) * np.arange(3.0)),
        lambda x: anp.sum(anp.diagonal(anp.outer(x, anp.exp(x)))),
    ):
        record(function, 3, gradient=True)


def test_autograds_state_is_left_as_found() -> None:
    before = dict(Box.type_mappings), set(Box.types), trace_stack.top, set(notrace_primitives)
    record(eight_schools, 10, gradient=True)
    with pytest.raises(CompileError):
        record(lambda x: x[0] if x[0] > 0 else x[1], 2, gradient=True)
    with pytest.raises(CompileError):
        record(lambda x: anp.sum(x + np.ones(7)), 2, gradient=True)
    assert (dict(Box.type_mappings), set(Box.types), trace_stack.top, set(notrace_primitives)) == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bool(grad(lambda x: x * 2.0 if x > 0 else x)(1.0) == 2.0)


def test_threads_record_one_after_the_other() -> None:
    results: list[str] = []

    def work() -> None:
        for _ in range(3):
            results.append(str(record(eight_schools, 10, gradient=True)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 12
    assert len(set(results)) == 1


def test_special_functions_stay_whole() -> None:
    tape = record(lambda x: anp.sum(special.softplus(x) + special.gammaln(special.softplus(x))), 3, gradient=True)
    names = {e.primitive for e in tape.equations}
    assert {"softplus", "gammaln", "digamma", "expit"} <= names
    assert "external" not in names


def test_error_in_the_function_says_what_it_was() -> None:
    with pytest.raises(CompileError, match="ValueError"):
        record(lambda x: anp.sum(x + np.ones(7)), 2, gradient=True)


def test_assignment_into_arrays_is_refused() -> None:
    def density(x):
        total = np.zeros(2)
        total[0] = x[0]
        return anp.sum(total)

    with pytest.raises(CompileError, match="not assign into arrays"):
        record(density, 2, gradient=True)
