"""The densities that the benches time, in autograd.numpy, with the data they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from exmc import special

LOG_2_PI = float(np.log(2.0 * np.pi))


class Model(NamedTuple):
    """A density of a flat vector of length `dimension`, and what peers need to build the same one.

    `family` names the peers' versions of it, `data` are the arrays that these take, in order.
    """

    name: str
    family: str
    dimension: int
    density: Callable[[Any], Any]
    data: tuple[Any, ...]


def eight_schools() -> Model:
    """Eight schools, non-centred: the overhead of a small model."""
    effect = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    error = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

    def density(x: Any) -> Any:
        mu, log_tau, z = x[0], x[1], x[2:]
        tau = anp.exp(log_tau)
        prior = -0.5 * (mu / 5.0) ** 2 - anp.log1p((tau / 5.0) ** 2) + log_tau - 0.5 * anp.sum(z**2)
        return prior - 0.5 * anp.sum(((effect - mu - tau * z) / error) ** 2)

    return Model("eight schools, non-centred", "schools", 10, density, (effect, error))


def varying_intercepts(rows: int, groups: int = 171) -> Model:
    """A hierarchical normal model with a gather."""
    generator = np.random.default_rng(2)
    group = generator.integers(0, groups, rows)
    floor = generator.integers(0, 2, rows)
    outcome = np.round(generator.normal(size=rows), 2)

    def density(x: Any) -> Any:
        intercepts, slope, mu, log_tau, log_sigma = x[:groups], x[groups], x[groups + 1], x[groups + 2], x[groups + 3]
        residual = (outcome - intercepts[group] - slope * floor) / anp.exp(log_sigma)
        likelihood = -0.5 * anp.sum(residual**2) - rows * log_sigma
        prior = -0.5 * anp.sum(((intercepts - mu) / anp.exp(log_tau)) ** 2) - groups * log_tau
        return likelihood + prior - 0.5 * (slope**2 + mu**2 + log_tau**2 + log_sigma**2)

    return Model(f"varying intercepts, N={rows}", "intercepts", groups + 4, density, (outcome, group, floor, groups))


def logistic(rows: int, columns: int = 25) -> Model:
    """A logistic regression: products with a matrix, and transcendental functions."""
    generator = np.random.default_rng(1)
    design = generator.normal(size=(rows, columns))
    chances = special.expit(design @ generator.normal(size=columns) * 0.5)
    outcome = (generator.uniform(size=rows) < chances) * 1

    def density(x: Any) -> Any:
        linear = anp.dot(design, x)
        return anp.sum(outcome * linear - special.softplus(linear)) - 0.5 * anp.sum(x**2)

    return Model(f"logistic, p={columns}, N={rows}", "logistic", columns, density, (design, outcome))


def poisson(rows: int, columns: int = 5) -> Model:
    """A Poisson regression with a log link."""
    generator = np.random.default_rng(3)
    design = generator.normal(size=(rows, columns))
    outcome = generator.poisson(np.exp(design @ generator.normal(size=columns) * 0.3))

    def density(x: Any) -> Any:
        linear = anp.dot(design, x)
        return anp.sum(outcome * linear - anp.exp(linear)) - 0.5 * anp.sum(x**2)

    return Model(f"Poisson, p={columns}, N={rows}", "poisson", columns, density, (design, outcome))


def mixture(rows: int) -> Model:
    """Three normal components with free weights, means and scales."""
    generator = np.random.default_rng(4)
    outcome = generator.normal(size=rows) + 3.0 * generator.integers(-1, 2, rows)

    def density(x: Any) -> Any:
        logits, means, log_scales = x[:3], x[3:6], x[6:9]
        top = anp.max(logits)
        weights = logits - top - anp.log(anp.sum(anp.exp(logits - top)))
        scaled = (outcome[:, None] - means) / anp.exp(log_scales)
        terms = weights - 0.5 * scaled**2 - log_scales - 0.5 * LOG_2_PI
        largest = anp.max(terms, axis=1, keepdims=True)
        likelihood = anp.sum(largest[:, 0] + anp.log(anp.sum(anp.exp(terms - largest), axis=1)))
        return likelihood - 0.5 * anp.sum(x**2)

    return Model(f"mixture of 3, N={rows}", "mixture", 9, density, (outcome,))


def stochastic_volatility(steps: int) -> Model:
    """A centred stochastic volatility model: log variances that follow an autoregression."""
    generator = np.random.default_rng(5)
    returns = generator.normal(size=steps) * 0.3

    def density(x: Any) -> Any:
        mu, phi, log_sigma, h = x[0], anp.tanh(x[1]), x[2], x[3:]
        sigma = anp.exp(log_sigma)
        first = (h[0] - mu) * anp.sqrt(1.0 - phi**2) / sigma
        rest = (h[1:] - mu - phi * (h[:-1] - mu)) / sigma
        states = -0.5 * (first**2 + anp.sum(rest**2)) - steps * log_sigma + 0.5 * anp.log1p(-(phi**2))
        likelihood = -0.5 * anp.sum(h + returns**2 * anp.exp(-h))
        return states + likelihood - 0.5 * (mu**2 + x[1] ** 2 + log_sigma**2)

    return Model(f"stochastic volatility, T={steps}", "volatility", steps + 3, density, (returns,))


def item_response(persons: int, items: int) -> Model:
    """A two-parameter logistic item response model: two gathers, two scatters."""
    generator = np.random.default_rng(6)
    person = np.repeat(np.arange(persons), items)
    item = np.tile(np.arange(items), persons)
    outcome = generator.integers(0, 2, persons * items)

    def density(x: Any) -> Any:
        ability, difficulty, log_slope = x[:persons], x[persons : persons + items], x[persons + items :]
        linear = anp.exp(log_slope)[item] * (ability[person] - difficulty[item])
        return anp.sum(outcome * linear - special.softplus(linear)) - 0.5 * anp.sum(x**2)

    data = (outcome, person, item, persons, items)
    return Model(f"2PL, {persons} persons, {items} items", "response", persons + 2 * items, density, data)
