"""Gaussian processes written in the language: marginal, latent and by basis functions, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

import exmc
from exmc import Builder
from exmc.compile.logp import log_density_function
from exmc.compile.program import compile_model
from exmc.covariances import JITTER
from exmc.ir.operations import evaluate
from exmc.ir.parse import parse_expression
from exmc.rewrite.run import rewrite

LARGEST_Z = 4.5
X = np.linspace(0.0, 6.0, 15)
Y = np.sin(X) + 0.2 * np.cos(9.0 * X)
NEW = np.array([-0.5, 2.2, 6.5])
SCALE, LENGTH, NOISE = 1.2, 0.8, 0.3


def exact(x: np.ndarray, z: np.ndarray, scale: float = SCALE, length: float = LENGTH) -> np.ndarray:
    return scale**2 * np.exp(-0.5 * (x[:, None] - z) ** 2 / length**2)


def seen_covariance(scale: float = SCALE, length: float = LENGTH, noise: float = NOISE) -> np.ndarray:
    jitter = JITTER * scale**2
    return exact(X, X, scale, length) + (noise**2 + jitter) * np.eye(len(X))


def marginal() -> Builder:
    return (
        Builder()
        .data("x", X)
        .rv("scale", "LogNormal", mu=0.0, sigma=0.5)
        .rv("length", "LogNormal", mu=0.0, sigma=0.5)
        .rv("noise", "LogNormal", mu=-1.0, sigma=0.5)
        .rv("y", "MvNormal", mu=0.0, cov="exp_quad(x, scale, length) + white_noise(x, noise)", observed=Y)
    )


def test_the_marginal_likelihood_is_that_of_scipy(tmp_path) -> None:
    model = rewrite(marginal().build()).model
    density = compile_model(marginal().build(), model, cache=tmp_path).density()
    for position in np.random.default_rng(0).normal(size=(5, 3)):
        scale, length, noise = np.exp(position)
        expected = scipy.stats.multivariate_normal(np.zeros(15), seen_covariance(scale, length, noise)).logpdf(Y)
        # The prior of each logarithm, its Jacobian included, is normal.
        expected += scipy.stats.norm([0.0, 0.0, -1.0], 0.5).logpdf(position).sum()
        assert density(position)[0] == pytest.approx(expected, rel=1e-9)


def test_parameters_without_a_covariance_have_no_density() -> None:
    source = Builder().data("x", X).rv("a", "Normal").rv("y", "MvNormal", cov="white_noise(x, 1) * a", observed=Y)
    density = log_density_function(rewrite(source.build()).model)
    assert density(np.array([-0.5])) == -math.inf
    assert math.isfinite(density(np.array([0.5])))


def test_conditionals_are_formulas_of_the_language() -> None:
    values = {"x": X, "new": NEW, "y": Y, "scale": SCALE, "length": LENGTH, "noise": NOISE}
    seen, cross = np.linalg.inv(seen_covariance()), exact(NEW, X)
    values |= {"cov": evaluate(parse_expression("exp_quad(x, scale, length) + white_noise(x, noise)"), values)}
    mean = parse_expression("exp_quad(new, x, scale, length) @ solve_posdef(cov, y)")
    np.testing.assert_allclose(evaluate(mean, values), cross @ seen @ Y, rtol=1e-10)
    values |= {"cross": evaluate(parse_expression("exp_quad(x, new, scale, length)"), values)}
    spread = parse_expression("exp_quad(new, new, scale, length) - transpose(cross) @ solve_posdef(cov, cross)")
    np.testing.assert_allclose(evaluate(spread, values), exact(NEW, NEW) - cross @ seen @ cross.T, rtol=0, atol=1e-12)


def latent(extra: dict[str, str]) -> Builder:
    builder = Builder().data("x", X).data("new", NEW)
    if "beta" in extra:
        builder = builder.rv("raw", "Normal", shape=40).det("beta", extra["beta"]).det("f", extra["f"])
    else:
        builder = builder.rv("f", "MvNormal", mu=0.0, cov=f"exp_quad(x, {SCALE}, {LENGTH})")
    return builder.det("f_new", extra["f_new"]).rv("y", "Normal", mu="f", sigma=NOISE, observed=Y)


PROCESSES = {
    "exact": {"f_new": f"exp_quad(new, x, {SCALE}, {LENGTH}) @ solve_posdef(exp_quad(x, {SCALE}, {LENGTH}), f)"},
    "basis functions": {
        "beta": f"hsgp_exp_quad(7, {SCALE}, {LENGTH}, m=40) * raw",
        "f": "hsgp_basis(x - 3, 7, m=40) @ beta",
        "f_new": "hsgp_basis(new - 3, 7, m=40) @ beta",
    },
}


@pytest.mark.parametrize("name", PROCESSES)
def test_latent_processes_have_the_posterior_in_closed_form(name: str) -> None:
    trace = exmc.sample(latent(PROCESSES[name]), draws=1000, warmup=500, chains=4, seed=1)
    assert int(trace["sample_stats"]["diverging"].sum()) == 0
    solved = np.linalg.solve(seen_covariance(), np.stack([Y, *np.eye(15)], axis=1))
    for variable, points in (("f", X), ("f_new", NEW)):
        cross = exact(points, X)
        mean, explained = cross @ solved[:, 0], np.sum((cross @ solved[:, 1:]) * cross, axis=1)
        deviation = np.sqrt(SCALE**2 - explained) if name != "exact" or variable == "f" else None
        draws = trace["posterior"][variable].values
        for place in range(len(points)):
            column = draws[..., place]
            assert abs(z_score(column, mean[place])) < LARGEST_Z, (variable, place)
            if deviation is not None:
                squares = (column - mean[place]) ** 2
                assert abs(z_score(squares, deviation[place] ** 2)) < LARGEST_Z, (variable, place)


def z_score(draws: np.ndarray, expected: float) -> float:
    """How many Monte Carlo standard errors the mean of draws, shape (chain, draw), is from what is expected."""
    batches = draws.reshape(len(draws) * 20, -1).mean(axis=1)
    return float((batches.mean() - expected) / (batches.std(ddof=1) / np.sqrt(batches.size)))
