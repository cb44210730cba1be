"""The densities that the benches time, written once for every library, with the data they are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from exmc import linalg, special
from exmc.compile.function import DataFunction
from exmc.compile.ode import ode
from exmc.compile.scan import scan

_SOURCE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()

LOG_2_PI = float(np.log(2.0 * np.pi))

AUTOGRAD = SimpleNamespace(
    exp=anp.exp,
    log=anp.log,
    log1p=anp.log1p,
    sqrt=anp.sqrt,
    tanh=anp.tanh,
    sum=anp.sum,
    max=anp.max,
    dot=anp.dot,
    softplus=special.softplus,
    scan=scan,
    concatenate=anp.concatenate,
    reshape=anp.reshape,
    ode=ode,
    normal_form=lambda covariance, y: (
        0.5 * anp.dot(y, linalg.solve_posdef(covariance, y)) + 0.5 * linalg.logdet(covariance)
    ),
)
"""The functions that a density takes from its library: here autograd's, for exmc."""


class Model(NamedTuple):
    """A density of a flat vector of length `dimension`: `density(ops, x, *data)`, `ops` being a library's functions.

    `peers` have all functions of `ops` that it takes; values agree with theirs to `agreement`, relative.
    """

    name: str
    dimension: int
    density: Callable[..., Any]
    data: tuple[Any, ...]
    peers: tuple[str, ...] = ("jax", "nutpie")
    agreement: float = 1e-9

    @property
    def function(self) -> DataFunction:
        """The log density for exmc, known by this file and the model's name."""
        return DataFunction(partial(self.density, AUTOGRAD), self.data, f"{_SOURCE} {self.name}")


def eight_schools() -> Model:
    """Eight schools, non-centred: the overhead of a small model."""

    def density(ops: Any, x: Any, effect: Any, error: Any) -> Any:
        mu, log_tau, z = x[0], x[1], x[2:]
        tau = ops.exp(log_tau)
        prior = -0.5 * (mu / 5.0) ** 2 - ops.log1p((tau / 5.0) ** 2) + log_tau - 0.5 * ops.sum(z**2)
        return prior - 0.5 * ops.sum(((effect - mu - tau * z) / error) ** 2)

    effect = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    error = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    return Model("eight schools, non-centred", 10, density, (effect, error))


def varying_intercepts(rows: int, groups: int = 171) -> Model:
    """A hierarchical normal model with a gather."""

    def density(ops: Any, x: Any, outcome: Any, group: Any, floor: Any) -> Any:
        intercepts, slope, mu, log_tau, log_sigma = x[:groups], x[groups], x[groups + 1], x[groups + 2], x[groups + 3]
        residual = (outcome - intercepts[group] - slope * floor) / ops.exp(log_sigma)
        likelihood = -0.5 * ops.sum(residual**2) - rows * log_sigma
        prior = -0.5 * ops.sum(((intercepts - mu) / ops.exp(log_tau)) ** 2) - groups * log_tau
        return likelihood + prior - 0.5 * (slope**2 + mu**2 + log_tau**2 + log_sigma**2)

    generator = np.random.default_rng(2)
    group, floor = generator.integers(0, groups, rows), generator.integers(0, 2, rows)
    outcome = np.round(generator.normal(size=rows), 2)
    return Model(f"varying intercepts, N={rows}", groups + 4, density, (outcome, group, floor))


def logistic(rows: int, columns: int = 25) -> Model:
    """A logistic regression: products with a matrix, and transcendental functions."""

    def density(ops: Any, x: Any, design: Any, outcome: Any) -> Any:
        linear = ops.dot(design, x)
        return ops.sum(outcome * linear - ops.softplus(linear)) - 0.5 * ops.sum(x**2)

    generator = np.random.default_rng(1)
    design = generator.normal(size=(rows, columns))
    chances = special.expit(design @ generator.normal(size=columns) * 0.5)
    outcome = (generator.uniform(size=rows) < chances) * 1
    return Model(f"logistic, p={columns}, N={rows}", columns, density, (design, outcome))


def poisson(rows: int, columns: int = 5) -> Model:
    """A Poisson regression with a log link."""

    def density(ops: Any, x: Any, design: Any, outcome: Any) -> Any:
        linear = ops.dot(design, x)
        return ops.sum(outcome * linear - ops.exp(linear)) - 0.5 * ops.sum(x**2)

    generator = np.random.default_rng(3)
    design = generator.normal(size=(rows, columns))
    outcome = generator.poisson(np.exp(design @ generator.normal(size=columns) * 0.3))
    return Model(f"Poisson, p={columns}, N={rows}", columns, density, (design, outcome))


def mixture(rows: int) -> Model:
    """Three normal components with free weights, means and scales."""

    def density(ops: Any, x: Any, outcome: Any) -> Any:
        logits, means, log_scales = x[:3], x[3:6], x[6:9]
        top = ops.max(logits)
        weights = logits - top - ops.log(ops.sum(ops.exp(logits - top)))
        scaled = (outcome[:, None] - means) / ops.exp(log_scales)
        terms = weights - 0.5 * scaled**2 - log_scales - 0.5 * LOG_2_PI
        largest = ops.max(terms, axis=1, keepdims=True)
        likelihood = ops.sum(largest[:, 0] + ops.log(ops.sum(ops.exp(terms - largest), axis=1)))
        return likelihood - 0.5 * ops.sum(x**2)

    generator = np.random.default_rng(4)
    outcome = generator.normal(size=rows) + 3.0 * generator.integers(-1, 2, rows)
    return Model(f"mixture of 3, N={rows}", 9, density, (outcome,))


def stochastic_volatility(steps: int) -> Model:
    """A centred stochastic volatility model: log variances that follow an autoregression."""

    def density(ops: Any, x: Any, returns: Any) -> Any:
        mu, phi, log_sigma, h = x[0], ops.tanh(x[1]), x[2], x[3:]
        sigma = ops.exp(log_sigma)
        first = (h[0] - mu) * ops.sqrt(1.0 - phi**2) / sigma
        rest = (h[1:] - mu - phi * (h[:-1] - mu)) / sigma
        states = -0.5 * (first**2 + ops.sum(rest**2)) - steps * log_sigma + 0.5 * ops.log1p(-(phi**2))
        likelihood = -0.5 * ops.sum(h + returns**2 * ops.exp(-h))
        return states + likelihood - 0.5 * (mu**2 + x[1] ** 2 + log_sigma**2)

    returns = np.random.default_rng(5).normal(size=steps) * 0.3
    return Model(f"stochastic volatility, T={steps}", steps + 3, density, (returns,))


def item_response(persons: int, items: int) -> Model:
    """A two-parameter logistic item response model: two gathers, two scatters."""

    def density(ops: Any, x: Any, outcome: Any, person: Any, item: Any) -> Any:
        ability, difficulty, log_slope = x[:persons], x[persons : persons + items], x[persons + items :]
        linear = ops.exp(log_slope)[item] * (ability[person] - difficulty[item])
        return ops.sum(outcome * linear - ops.softplus(linear)) - 0.5 * ops.sum(x**2)

    person, item = np.repeat(np.arange(persons), items), np.tile(np.arange(items), persons)
    outcome = np.random.default_rng(6).integers(0, 2, persons * items)
    return Model(f"2PL, {persons} x {items}", persons + 2 * items, density, (outcome, person, item))


def gaussian_process(points: int) -> Model:
    """An exact Gaussian process: a Cholesky factor for each evaluation."""

    def density(ops: Any, x: Any, distance: Any, y: Any, identity: Any) -> Any:
        covariance = ops.exp(2.0 * x[0]) * ops.exp(-0.5 * distance * ops.exp(-2.0 * x[1])) + ops.exp(x[2]) * identity
        return -ops.normal_form(covariance, y) - 0.5 * ops.sum(x**2)

    grid = np.linspace(0.0, 10.0, points)
    data = ((grid[:, None] - grid) ** 2, np.sin(grid), np.eye(points))
    return Model(f"exact GP, n={points}", 3, density, data)


def garch(steps: int) -> Model:
    """GARCH(1, 1): a variance that follows the shocks."""

    def density(ops: Any, x: Any, y: Any, lagged: Any) -> Any:
        def step(variance: Any, given: Any, mu: Any, base: Any, shock: Any, memory: Any) -> Any:
            now, before = given
            variance = base + shock * (before - mu) ** 2 + memory * variance
            return variance, -0.5 * ops.log(variance) - 0.5 * (now - mu) ** 2 / variance

        shock, memory = 0.5 + 0.5 * ops.tanh(x[2]), 0.5 + 0.5 * ops.tanh(x[3])
        params = (x[0], ops.exp(x[1]), shock, (1.0 - shock) * memory)
        _, terms = ops.scan(step, ops.exp(x[1]), (y, lagged), params)
        return ops.sum(terms) - 0.5 * ops.sum(x**2)

    y = np.random.default_rng(7).normal(size=steps)
    return Model(f"GARCH, T={steps}", 4, density, (y, np.concatenate([y[:1], y[:-1]])))


def arma(steps: int) -> Model:
    """ARMA(1, 1): errors that follow from the errors before."""

    def density(ops: Any, x: Any, y: Any, lagged: Any) -> Any:
        def step(error: Any, given: Any, mu: Any, phi: Any, theta: Any) -> Any:
            now, before = given
            error = now - mu - phi * before - theta * error
            return error, error

        sigma = ops.exp(x[3])
        _, errors = ops.scan(step, 0.0 * x[0], (y, lagged), (x[0], ops.tanh(x[1]), ops.tanh(x[2])))
        return -0.5 * ops.sum((errors / sigma) ** 2) - steps * x[3] - 0.5 * ops.sum(x**2)

    y = np.random.default_rng(9).normal(size=steps)
    return Model(f"ARMA, T={steps}", 4, density, (y, np.concatenate([[0.0], y[:-1]])))


def hidden_markov(steps: int) -> Model:
    """A hidden Markov model of three states, its forward algorithm in log space."""

    def density(ops: Any, x: Any, y: Any, zeros: Any) -> Any:
        def step(carry: Any, now: Any, transition: Any, means: Any) -> Any:
            paths = carry[:, None] + transition
            top = ops.max(paths, axis=0)
            total = top + ops.log(ops.sum(ops.exp(paths - top), axis=0))
            return total - 0.5 * (now - means) ** 2, None

        logits = x[3:].reshape((3, 3))
        transition = logits - ops.log(ops.sum(ops.exp(logits), axis=1, keepdims=True))
        last, _ = ops.scan(step, zeros, y, (transition, x[:3]))
        top = ops.max(last)
        return top + ops.log(ops.sum(ops.exp(last - top))) - 0.5 * ops.sum(x**2)

    return Model(f"hidden Markov, T={steps}", 12, density, (np.random.default_rng(8).normal(size=steps), np.zeros(3)))


def predators() -> Model:
    """Lotka and Volterra's equations on twenty years of pelts, solved at tolerances of 1e-6."""

    def density(ops: Any, x: Any, times: Any, pelts: Any, typical: Any) -> Any:
        def slope(t: Any, y: Any, theta: Any) -> Any:
            hares, lynxes = (theta[0] - theta[1] * y[1]) * y[0], (theta[3] * y[0] - theta[2]) * y[1]
            return ops.concatenate([ops.reshape(hares, (1,)), ops.reshape(lynxes, (1,))])

        states = ops.ode(slope, ops.exp(x[4:6]), times, (typical * ops.exp(x[:4]),))
        residual = (pelts - ops.log(states)) / ops.exp(x[6:8])
        return -0.5 * ops.sum(residual**2) - len(times) * ops.sum(x[6:8]) - 0.5 * ops.sum(x**2)

    times, typical = np.arange(1.0, 21.0), np.array([0.55, 0.028, 0.84, 0.026])
    phase = 0.6 * times[:, None] + np.array([0.0, 1.2])
    # Each library chooses steps of its own: far from the data, the error at this tolerance is seen in the density.
    data = (times, 3.0 + np.cos(phase), typical)
    return Model("Lotka-Volterra, 20 years", 8, density, data, peers=("jax",), agreement=1e-3)
