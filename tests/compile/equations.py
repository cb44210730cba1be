"""Differential equations, each with scipy's solution of it and a density: what the tests of solutions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as np
import numpy
from scipy.integrate import solve_ivp

from exmc.compile.ode import ode


class Problem(NamedTuple):
    """An initial value problem: `slope(t, y, *params(x))`, y a tuple of numbers, from `init(x)` at time 0."""

    name: str
    dimension: int
    slope: Callable[..., Any]
    init: Callable[[Any], tuple[Any, ...]]
    params: Callable[[Any], tuple[Any, ...]]
    times: numpy.ndarray
    method: str = "dormand_prince"
    scale: float = 1.0
    """The size of a component of y, which the absolute tolerance follows."""

    def solution(self, x: Any, tolerance: float, **options: Any) -> Any:
        """y at the times, shape (times, n), by exmc."""
        control = {"method": self.method, "relative_tolerance": tolerance} | options
        control.setdefault("absolute_tolerance", tolerance * self.scale)
        states = ode(self.slope, self.init(x), self.times, self.params(x), **control)
        return np.stack(list(states), axis=1)

    def density(self, tolerance: float, **options: Any) -> Callable[[Any], Any]:
        """A smooth function of the solution, of moderate size."""
        return lambda x: self.combined(self.solution(x, tolerance, **options), x)

    def combined(self, states: Any, x: Any) -> Any:
        """The density at x of states of shape (times, n)."""
        flat = np.reshape(states, (-1,)) / self.scale
        return np.sum(np.cos(numpy.arange(1.0 * np.size(states))) * flat) - 0.5 * np.sum(x**2)

    def exact(self, x: Any) -> numpy.ndarray:
        """y at the times, by another library at tight tolerances."""
        params = self.params(x)
        found = solve_ivp(
            lambda t, y: numpy.array(self.slope(t, tuple(y), *params)),
            (0.0, self.times[-1]),
            numpy.array(self.init(x), dtype=float),
            method="DOP853" if self.method == "dormand_prince" else "Radau",
            t_eval=self.times,
            rtol=1e-12 if self.method == "dormand_prince" else 1e-10,
            atol=1e-13 * self.scale,
        )
        return found.y.T


def _sir(t: Any, y: Any, contact: Any, recovery: Any) -> Any:
    susceptible, infected, _ = y
    new = contact * susceptible * infected
    return -new, new - recovery * infected, recovery * infected


def _robertson(t: Any, y: Any, slow: Any, fast: Any, middle: Any) -> Any:
    first = -slow * y[0] + middle * y[1] * y[2]
    last = fast * y[1] ** 2
    return first, -first - last, last


PROBLEMS = [
    Problem(
        "decay",
        2,
        lambda t, y, k: (-k * y[0],),
        lambda x: (np.exp(x[0]),),
        lambda x: (np.exp(x[1]),),
        numpy.arange(1.0, 6.0),
    ),
    Problem(
        "oscillator",
        3,
        lambda t, y, w: (y[1], -(w**2) * y[0]),
        lambda x: (x[0], x[1]),
        lambda x: (1.0 + np.exp(x[2]),),
        numpy.linspace(0.0, 9.0, 10),
    ),
    Problem(
        "Lotka-Volterra",
        6,
        lambda t, y, a, b, c, d: ((a - b * y[1]) * y[0], (d * y[0] - c) * y[1]),
        lambda x: (30.0 * np.exp(0.2 * x[0]), 4.0 * np.exp(0.2 * x[1])),
        lambda x: tuple(v * np.exp(0.1 * x[i + 2]) for i, v in enumerate((0.55, 0.028, 0.84, 0.026))),
        numpy.arange(1.0, 21.0),
        scale=30.0,
    ),
    Problem(
        "SIR",
        2,
        _sir,
        lambda x: (0.99, 0.01, 0.0),
        lambda x: (np.exp(0.3 * x[0]), 0.3 * np.exp(0.3 * x[1])),
        numpy.arange(1.0, 15.0),
    ),
    Problem(
        "forced",
        2,
        lambda t, y, a: (np.sin(3.0 * t) - a * np.cos(t) * y[0],),
        lambda x: (x[0],),
        lambda x: (np.exp(x[1]),),
        numpy.array([0.5, 2.0, 7.0]),
    ),
    Problem(
        "forced, by Rosenbrock",
        2,
        lambda t, y, a: (np.sin(3.0 * t) - a * np.cos(t) * y[0],),
        lambda x: (x[0],),
        lambda x: (np.exp(x[1]),),
        numpy.array([0.5, 2.0, 7.0]),
        method="rodas",
    ),
    Problem(
        "Robertson",
        3,
        _robertson,
        lambda x: (1.0, 0.0, 0.0),
        lambda x: (0.04 * np.exp(0.1 * x[0]), 3e7 * np.exp(0.1 * x[1]), 1e4 * np.exp(0.1 * x[2])),
        numpy.array([0.4, 4.0, 40.0]),
        method="rodas",
        scale=1e-3,
    ),
    Problem(
        "van der Pol",
        2,
        lambda t, y, mu: (y[1], mu * (1.0 - y[0] ** 2) * y[1] - y[0]),
        lambda x: (2.0 + 0.1 * x[0], 0.0),
        lambda x: (1000.0 * np.exp(0.1 * x[1]),),
        numpy.array([100.0, 900.0]),
        method="rodas",
    ),
]
