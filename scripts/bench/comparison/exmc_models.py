"""The posteriors of `problems.py` as a user of exmc writes them, a function of its name each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from exmc import Builder, GaussianRandomWalk, Normal

if TYPE_CHECKING:
    from comparison.problems import Arrays


def simple(data: Arrays) -> Builder:
    return (
        Builder()
        .rv("mu", "Normal", mu=0, sigma=5)
        .rv("sigma", "HalfNormal", sigma=2)
        .rv("x", "Normal", mu="mu", sigma="sigma", observed=data["x_obs"])
    )


def simple_race(data: Arrays) -> Builder:
    return (
        Builder()
        .rv("mu", "Normal", mu=0, sigma=10)
        .rv("sigma", "Exponential", rate=1)
        .rv("y", "Normal", mu="mu", sigma="sigma", observed=data["y"])
    )


def medium(data: Arrays) -> Builder:
    return (
        Builder()
        .rv("mu_global", "Normal", mu=0, sigma=10)
        .rv("sigma_global", "Exponential", rate=1)
        .rv("alpha", "Normal", mu="mu_global", sigma="sigma_global")
        .rv("beta", "Normal", mu="mu_global", sigma="sigma_global")
        .rv("sigma_obs", "Exponential", rate=2)
        .rv("y_a", "Normal", mu="alpha", sigma="sigma_obs", observed=data["y_a"])
        .rv("y_b", "Normal", mu="beta", sigma="sigma_obs", observed=data["y_b"])
    )


def stress(data: Arrays) -> Builder:
    model = Builder().rv("mu_pop", "Normal", mu=0, sigma=10).rv("sigma_pop", "Exponential", rate=0.5)
    for j in (1, 2, 3):
        model.rv(f"group_{j}", "Normal", mu="mu_pop", sigma="sigma_pop").rv(f"noise_{j}", "Exponential", rate=1)
        model.rv(f"y_{j}", "Normal", mu=f"group_{j}", sigma=f"noise_{j}", observed=data[f"y_{j}"])
    return model


def eight_schools(data: Arrays) -> Builder:
    return (
        Builder()
        .rv("mu", "Normal", mu=0, sigma=5)
        .rv("tau", "HalfNormal", sigma=5)
        .rv("theta", "Normal", mu="mu", sigma="tau", shape=8)
        .rv("y", "Normal", mu="theta", sigma=data["sigma"], observed=data["y"])
    )


def eight_schools_nc(data: Arrays) -> Builder:
    return (
        Builder()
        .rv("mu", "Normal", mu=0, sigma=5)
        .rv("tau", "HalfNormal", sigma=5)
        .rv("theta_raw", "Normal", mu=0, sigma=1, shape=8)
        .rv("y", "Normal", mu="mu + tau * theta_raw", sigma=data["sigma"], observed=data["y"])
    )


def funnel(data: Arrays) -> Builder:
    return Builder().rv("y", "Normal", mu=0, sigma=3).rv("x", "Normal", mu=0, sigma="exp(y / 2)", shape=9)


def logistic(data: Arrays) -> Builder:
    return _logistic(data, 10.0, 10.0)


def biglogit(data: Arrays) -> Builder:
    return _logistic(data, 5.0, 2.5)


def _logistic(data: Arrays, intercept: float, slope: float) -> Builder:
    return (
        Builder()
        .data("X", data["X"])
        .rv("alpha", "Normal", mu=0, sigma=intercept)
        .rv("beta", "Normal", mu=0, sigma=slope, shape=data["X"].shape[1])
        .rv("y", "Bernoulli", logit="alpha + X @ beta", observed=data["y"])
    )


def sv(data: Arrays) -> Builder:
    steps = len(data["returns"])
    return (
        Builder()
        .rv("sigma", "Exponential", rate=50)
        .rv("nu", "Exponential", rate=0.1)
        .rv("s", GaussianRandomWalk(mu=0, sigma="sigma", init_dist=Normal(0, "sigma")), shape=steps)
        .rv("r", "StudentT", nu="nu", mu=0, sigma="exp(s)", observed=data["returns"])
    )


sv_long = sv


def radon(data: Arrays) -> Builder:
    counties = int(data["county_idx"].max()) + 1
    model = Builder().data("county", data["county_idx"]).data("floor", data["floor_measure"])
    for scale in ("sigma_y", "sigma_alpha", "sigma_beta"):
        model.rv(scale, "HalfNormal", sigma=1)
    for mean in ("mu_alpha", "mu_beta"):
        model.rv(mean, "Normal", mu=0, sigma=10)
    for raw in ("alpha_raw", "beta_raw"):
        model.rv(raw, "Normal", mu=0, sigma=1, shape=counties)
    line = "(mu_alpha + sigma_alpha * alpha_raw)[county] + floor * (mu_beta + sigma_beta * beta_raw)[county]"
    return model.rv("log_radon", "Normal", mu=line, sigma="sigma_y", observed=data["log_radon"])


def irt_2pl(data: Arrays) -> Builder:
    items, persons = data["y"].shape
    return (
        Builder()
        .rv("sigma_theta", "HalfCauchy", beta=2)
        .rv("theta", "Normal", mu=0, sigma="sigma_theta", shape=persons)
        .rv("sigma_a", "HalfCauchy", beta=2)
        .rv("a", "LogNormal", mu=0, sigma="sigma_a", shape=items)
        .rv("mu_b", "Normal", mu=0, sigma=5)
        .rv("sigma_b", "HalfCauchy", beta=2)
        .rv("b", "Normal", mu="mu_b", sigma="sigma_b", shape=items)
        .rv("y", "Bernoulli", logit="a[:, None] * (theta - b[:, None])", observed=data["y"])
    )


def bigreg(data: Arrays) -> Builder:
    return (
        Builder()
        .data("X", data["X"])
        .rv("alpha", "Normal", mu=0, sigma=10)
        .rv("beta", "Normal", mu=0, sigma=2.5, shape=data["X"].shape[1])
        .rv("sigma", "HalfNormal", sigma=5)
        .rv("y", "Normal", mu="alpha + X @ beta", sigma="sigma", observed=data["y"])
    )


def gp_regr(data: Arrays) -> Builder:
    kernel = "alpha**2 * exp(-0.5 * square((x[:, None] - x[None, :]) / rho)) + sigma * diag(x == x)"
    return (
        Builder()
        .data("x", data["x"])
        .rv("rho", "Gamma", alpha=25, beta=4)
        .rv("alpha", "HalfNormal", sigma=2)
        .rv("sigma", "HalfNormal", sigma=1)
        .rv("y", "MvNormal", mu=0, cov=kernel, observed=data["y"])
    )


def garch(data: Arrays) -> Builder:
    return (
        Builder()
        .data("y", data["y"])
        .rv("mu", "Flat")
        .rv("alpha0", "HalfFlat")
        .rv("alpha1", "Uniform", low=0, high=1)
        .rv("beta1", "Uniform", low=0, high="1 - alpha1")
        .potential("flat", "log1p(-alpha1)")
        .scan(
            "variance",
            carry={"v": float(data["sigma1"]) ** 2},
            sequences={"shock": "y[:-1] - mu"},
            step={"v": "alpha0 + alpha1 * shock**2 + beta1 * v"},
            collect="all",
            keep=False,
        )
        .rv("returns", "Normal", mu="mu", sigma="sqrt(variance)", observed="y")
    )


def correlated(data: Arrays) -> Builder:
    return (
        Builder()
        .data("P", data["precision"])
        .rv("x", "Flat", shape=len(data["precision"]))
        .potential("density", "-0.5 * dot(x, P @ x)")
    )


def horseshoe(data: Arrays) -> Builder:
    predictors = data["X"].shape[1]
    return (
        Builder()
        .data("X", data["X"])
        .rv("alpha", "Normal", mu=0, sigma=5)
        .rv("tau", "HalfCauchy", beta=0.1)
        .rv("lambda_", "HalfCauchy", beta=1, shape=predictors)
        .rv("z", "Normal", mu=0, sigma=1, shape=predictors)
        .rv("sigma", "HalfNormal", sigma=2)
        .rv("y", "Normal", mu="alpha + X @ (z * lambda_ * tau)", sigma="sigma", observed=data["y"])
    )


def volatility_by_steps(data: Arrays) -> Builder:
    """The same posterior of `sigma`, `nu` and `s`, written by the walk's standardised steps `z`."""
    return (
        Builder()
        .rv("sigma", "Exponential", rate=50)
        .rv("nu", "Exponential", rate=0.1)
        .rv("z", "Normal", mu=0, sigma=1, shape=len(data["returns"]))
        .det("s", "sigma * cumsum(z)")
        .rv("r", "StudentT", nu="nu", mu=0, sigma="exp(s)", observed=data["returns"])
    )


OTHERWISE: dict[str, Callable[[Arrays], Builder]] = {"sv": volatility_by_steps, "sv_long": volatility_by_steps}
"""Models with the same variables, and others, that mix better: for references, never for the comparison."""
