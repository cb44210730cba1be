"""Methods by themselves: their order, their control, and when they give up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy.integrate import RK45

from exmc.integrators import METHODS, Control, Equation, Path, attempt, first_state, integrate, step


def equation(slope: Callable[[Any, Any], Any]) -> Equation:
    def jacobian(t: Any, y: Any) -> Any:
        return autograd.jacobian(lambda z: slope(z[-1], z[:-1]))(np.concatenate([y, [t]]))

    return Equation(slope, jacobian)


def solve(slope: Callable[[Any, Any], Any], method: str, start: list[float], times: list[float], **given: Any) -> Path:
    """By default at tolerances of 1e-6 with up to 10 000 steps."""
    problem = equation(slope)
    control = Control(method, given.get("tolerance", 1e-6), given.get("tolerance", 1e-6))

    def first(v: np.ndarray) -> np.ndarray:
        return np.concatenate([v[:-2], first_state(problem, control, v[-2], v[:-2], v[-1])])

    def tried(v: np.ndarray) -> np.ndarray:
        found: np.ndarray = attempt(problem, control, v[:-1], v[-1])
        return found

    with np.errstate(all="ignore"):
        return integrate(first, tried, np.array(start), np.array(times), given.get("max_steps", 10_000))


def forced(t: Any, y: Any) -> Any:
    """A nonlinear equation with time in it."""
    return anp.array([y[1] + anp.sin(t), -y[0] * y[1] + anp.cos(2.0 * t)])


@pytest.mark.parametrize(("method", "order"), [("dormand_prince", 5), ("rodas", 4)])
def test_steps_of_equal_size_have_the_order_of_the_method(method: str, order: int) -> None:
    """Twice as many steps leave an error 2 ** order times as small: the table of coefficients is right."""
    problem, control = equation(forced), Control(method, 1.0, 1.0)

    def end(count: int) -> np.ndarray:
        y = np.array([1.0, 0.5])
        for i in range(count):
            y = step(problem, control, 2.0 * i / count, y, 2.0 / count)
        return y

    exact = end(1000)
    errors = [np.max(np.abs(end(count) - exact)) for count in (40, 80, 160)]
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(rates, order, atol=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_the_error_follows_the_tolerance(method: str) -> None:
    exact = np.exp(-np.arange(1.0, 6.0))
    errors = []
    for tolerance in (1e-3, 1e-5, 1e-7):
        path = solve(lambda t, y: -y, method, [1.0], [0, 1, 2, 3, 4, 5], tolerance=tolerance)
        errors.append(np.max(np.abs(path.states[:, 0] - exact)))
        assert errors[-1] < 10.0 * tolerance
    assert errors[0] > 10.0 * errors[1] > 100.0 * errors[2]


def test_a_stiff_equation_takes_few_rosenbrock_steps_and_many_others() -> None:
    """y' = -1000 (y - cos t): an explicit method is held to steps of about 3 / 1000."""
    counts = {m: len(solve(lambda t, y: -1e3 * (y - anp.cos(t)), m, [0.0], [0.0, 3.0]).steps) for m in METHODS}
    assert counts["dormand_prince"] > 800
    assert counts["rodas"] < 250


@pytest.mark.parametrize("method", METHODS)
def test_accepted_steps_lead_from_time_to_time(method: str) -> None:
    path = solve(forced, method, [1.0, 0.5], [0.0, 0.3, 2.0])
    t, h, arrived, before = path.steps[:, 0], path.steps[:, 1], path.steps[:, 2], path.steps[:, 3:]
    np.testing.assert_allclose(t[:-1] + h[:-1], t[1:], rtol=1e-14)
    np.testing.assert_array_equal(before[0], [1.0, 0.5])
    places = np.flatnonzero(arrived >= 0)
    np.testing.assert_array_equal(arrived[places], [0.0, 1.0])
    assert places[-1] == len(t) - 1
    assert t[places[0] + 1] == 0.3
    np.testing.assert_array_equal(before[places[0] + 1], path.states[0])


@pytest.mark.parametrize("tolerance", [1e-3, 1e-9])
def test_the_first_step_is_that_of_another_library(tolerance: float) -> None:
    theirs = RK45(lambda t, y: np.array(forced(t, y)), 0.0, [1.0, 0.5], 3.0, rtol=tolerance, atol=tolerance).h_abs
    control = Control("dormand_prince", tolerance, tolerance)
    assert first_state(equation(forced), control, 0.0, np.array([1.0, 0.5]), 3.0)[1] == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_it_gives_up(method: str) -> None:
    """On an explosion, on the end of the domain, and when the steps are used up."""
    exploded = solve(lambda t, y: y**2, method, [1.0], [0.0, 0.5, 2.0])
    assert np.isfinite(exploded.states[0]).all()
    assert np.isnan(exploded.states[1]).all()
    assert len(exploded.steps) < 3000
    left = solve(lambda t, y: anp.sqrt(1.0 - t) + 0.0 * y, method, [0.0], [0.0, 2.0])
    assert np.isnan(left.states).all()
    short = solve(forced, method, [1.0, 0.5], [0.0, 50.0], max_steps=10)
    assert np.isnan(short.states).all()
    assert 0 < len(short.steps) <= 10


def test_times_that_fall_are_not_reached() -> None:
    path = solve(forced, "rodas", [1.0, 0.5], [0.0, 1.0, 0.5, 2.0])
    assert np.isfinite(path.states[0]).all()
    assert np.isnan(path.states[1:]).all()
