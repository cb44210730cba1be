"""Every row of DISTRIBUTIONS against 50 digits, at ordinary and at extreme parameters, and as machine code."""

from __future__ import annotations

import itertools

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from exmc.compile.kernel import compile_density
from exmc.distributions import DISTRIBUTIONS
from exmc.special import expit, logit
from exmc.transforms import TRANSFORMS
from tests.conformance.test_distributions import differentiable, interior, parameter_sets
from tests.distributions import precise
from tests.distributions.rows import SCALAR

PROPER = [name for name in DISTRIBUTIONS if name in precise.LOG_DENSITIES]
WITH_TAILS = [name for name in PROPER if name in precise.TAILS]
# Support of a parameter -> what to try.
EXTREMES = {
    "positive": (1e-8, 1.0, 1e8),
    "nonnegative": (0.0, 1e-8, 1e8),
    "real": (0.0, 1e8),
    "unit_interval": (1e-8, 0.5, 1.0 - 1e-8),
    "nonnegative_integer": (1.0, 1e4, 1e8),
    "integer": (0.0,),
}
# An angle or a logit of 1e8 is none.
LOGITS = (-700.0, 700.0)
CHOSEN = {("VonMises", "mu"): (0.0, 3.0), ("Bernoulli", "logit"): LOGITS, ("Binomial", "logit"): LOGITS}
SHAPES = (1e-8, 1.0, 100.0)
# Support of a parameter -> how to move within it by any real number.
MOVES = {
    "positive": lambda start, by: start * anp.exp(by),
    "nonnegative": lambda start, by: start * anp.exp(by),
    "real": lambda start, by: start + 0.01 * anp.tanh(by),
    "unit_interval": lambda start, by: expit(logit(start) + by),
}


def test_every_proper_distribution_has_an_oracle():
    improper = {"HalfFlat"}
    assert set(PROPER) == set(SCALAR) - improper
    assert set(WITH_TAILS) == {name for name in PROPER if DISTRIBUTIONS[name].log_cdf is not None}


def extreme_sets(name, positive=None):
    """Every combination of extreme parameters, bounds moved to where they are in order."""
    distribution = DISTRIBUTIONS[name]
    for names in distribution.alternatives:
        choices = []
        for key in names:
            support = distribution.parameter(key).support.name
            chosen = CHOSEN.get((name, key), EXTREMES[support])
            choices.append(positive if positive and support == "positive" else chosen)
        for combination in itertools.product(*choices):
            parameters = dict(zip(names, combination, strict=True))
            if name == "Uniform":
                parameters["high"] = parameters["low"] + 1.0
            elif name == "DiscreteUniform":
                parameters["upper"] = 1e8
            elif name == "TruncatedNormal":
                first, last = (1.0 if parameters["lower"] else -1.0), (2.0 if parameters["upper"] else 40.0)
                parameters["lower"] = parameters["mu"] + parameters["sigma"] * first
                parameters["upper"] = parameters["mu"] + parameters["sigma"] * last
                if not parameters["lower"] < parameters["upper"]:
                    continue
            yield parameters


def extreme_values(name, parameters):
    """Some draws, and some values that may be far in the tails."""
    distribution = DISTRIBUTIONS[name]
    draws = distribution.random(np.random.default_rng(1), (3,), **parameters)
    values = np.unique(np.concatenate([draws, [0.0, 1.0, 2.0, 1e-8, 1e8, 0.5, -3.0]]))
    bounds = [parameters[bound] for bound in distribution.bounds]
    size = np.abs(values)
    return values[distribution.support.contains(values, *bounds) & ((size > 1e-100) | (size == 0.0)) & (size < 1e100)]


def check_density(name, values, parameters):
    expected = np.array([precise.log_density(name, float(value), parameters) for value in values])
    actual = np.asarray(DISTRIBUTIONS[name].log_density(values, **parameters))
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(actual[infinite], expected[infinite])
    # A density near 1 has a logarithm near 0, whose digits its terms cancel: hence relative to 1 there.
    np.testing.assert_allclose(actual[~infinite], expected[~infinite], rtol=1e-12, atol=1e-12)


def check_tails(name, values, parameters, rtol):
    distribution = DISTRIBUTIONS[name]
    if name == "SkewNormal" and abs(parameters["alpha"]) > 1.0:
        values = values[np.abs(values - parameters["mu"]) < 4.0 * parameters["sigma"]]  # as far as the oracle sees
    expected = np.array([precise.log_tails(name, float(value), parameters) for value in values]).reshape(-1, 2)
    for tail, column in zip((distribution.log_cdf, distribution.log_ccdf), expected.T, strict=True):
        actual = np.asarray(tail(values, **parameters))
        assert np.all(actual <= 0.0)
        seen = np.isfinite(column)
        np.testing.assert_allclose(actual[seen], column[seen], rtol=rtol, atol=1e-290)
        # Less than the oracle's digits see, or outside.
        assert np.all(actual[~seen] < -100.0)


@pytest.mark.parametrize(("distribution", "parameters"), parameter_sets())
def test_log_density(distribution, parameters):
    check_density(distribution.name, interior(distribution, parameters)[::3], parameters)


@pytest.mark.parametrize(
    ("distribution", "parameters"), [row for row in parameter_sets() if row.values[0].log_cdf is not None]
)
def test_log_cdf_and_log_ccdf(distribution, parameters):
    values = interior(distribution, parameters)[::3]
    if distribution.discrete:
        values = np.concatenate([values, values[:-1] + 0.5])
    check_tails(distribution.name, values, parameters, rtol=2e-12)


@pytest.mark.parametrize("name", PROPER)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of overflow on the way to -inf
def test_log_density_at_extreme_parameters(name):
    distribution = DISTRIBUTIONS[name]
    for parameters in extreme_sets(name):
        values = extreme_values(name, parameters)
        check_density(name, values, parameters)
        values = values[~np.isin(values, (0.0, 1.0))]  # log(0) is a slope on an edge
        for key in differentiable(distribution, parameters):

            def total(x, key=key, parameters=parameters, values=values):
                return anp.sum(distribution.log_density(values, **{**parameters, key: x}))

            if np.isfinite(total(parameters[key])):
                assert np.isfinite(grad(total)(parameters[key])), (key, parameters)


@pytest.mark.parametrize("name", WITH_TAILS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of overflow on the way to -inf
def test_tails_at_extreme_parameters(name):
    for parameters in extreme_sets(name, SHAPES if name in precise.SERIES else None):
        if name in ("Poisson", "Binomial") and max(parameters.values()) > 1e3:
            continue  # too slow for the oracle
        if "logit" in parameters or (name == "SkewNormal" and parameters["alpha"] > 1.0):
            continue  # beyond the oracle's digits
        # With shapes of 1e-8 a tail of 1e-7 is the complement of one near 1, or falls at once after twenty decades.
        values = extreme_values(name, parameters)
        if not DISTRIBUTIONS[name].discrete:
            values = values[~np.isin(values, (0.0, 1.0))]
        if name in precise.SERIES:
            values = values[np.abs(values) < 1e4]
        check_tails(name, values, parameters, rtol=5e-8)


@pytest.mark.parametrize("name", PROPER)
def test_densities_and_tails_compile(name):
    """The kernel gives what autograd does, for the density and both tails, in the value and every real parameter."""
    distribution = DISTRIBUTIONS[name]
    case = next(row for row in parameter_sets() if row.values[0] is distribution)
    parameters = case.values[1]
    middle = interior(distribution, parameters)
    value = middle[np.linspace(0.3 * len(middle), 0.7 * len(middle), 3).astype(int)]
    keys = differentiable(distribution, parameters)
    if not keys and distribution.discrete:
        pytest.skip("has nothing to move")
    moves = [MOVES[distribution.parameter(key).support.name] for key in keys]

    def density(position):
        # Every position is legal: the compiler checks its work at positions of its own choice.
        moved = {key: move(parameters[key], position[i]) for i, (key, move) in enumerate(zip(keys, moves, strict=True))}
        arguments = {**parameters, **moved}
        x = value
        if not distribution.discrete:
            transform, bounds = TRANSFORMS[distribution.transform], [arguments[bound] for bound in distribution.bounds]
            start = transform.unconstrain(value, *(parameters[bound] for bound in distribution.bounds))
            x = transform.constrain(start + position[len(keys)], *bounds)
        functions = (distribution.log_density, distribution.log_cdf, distribution.log_ccdf)
        return sum(anp.sum(function(x, **arguments)) for function in functions if function is not None)

    point = np.full(len(keys) + 1, 0.1)
    actual, gradient = compile_density(density, point.size).load()(point)
    np.testing.assert_allclose(actual, density(point), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(gradient, grad(density)(point), rtol=1e-8, atol=1e-8)
