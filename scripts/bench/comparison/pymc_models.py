"""The posteriors of `problems.py` as a user of PyMC, or of nutpie, writes them, a function of its name each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

if TYPE_CHECKING:
    from comparison.problems import Arrays


def simple(data: Arrays) -> None:
    mu = pm.Normal("mu", 0, 5)
    sigma = pm.HalfNormal("sigma", 2)
    pm.Normal("x", mu, sigma, observed=data["x_obs"])


def simple_race(data: Arrays) -> None:
    mu = pm.Normal("mu", 0, 10)
    sigma = pm.Exponential("sigma", 1)
    pm.Normal("y", mu, sigma, observed=data["y"])


def medium(data: Arrays) -> None:
    mu_global = pm.Normal("mu_global", 0, 10)
    sigma_global = pm.Exponential("sigma_global", 1)
    alpha = pm.Normal("alpha", mu_global, sigma_global)
    beta = pm.Normal("beta", mu_global, sigma_global)
    sigma_obs = pm.Exponential("sigma_obs", 2)
    pm.Normal("y_a", alpha, sigma_obs, observed=data["y_a"])
    pm.Normal("y_b", beta, sigma_obs, observed=data["y_b"])


def stress(data: Arrays) -> None:
    mu_pop = pm.Normal("mu_pop", 0, 10)
    sigma_pop = pm.Exponential("sigma_pop", 0.5)
    for j in (1, 2, 3):
        group = pm.Normal(f"group_{j}", mu_pop, sigma_pop)
        noise = pm.Exponential(f"noise_{j}", 1)
        pm.Normal(f"y_{j}", group, noise, observed=data[f"y_{j}"])


def eight_schools(data: Arrays) -> None:
    mu = pm.Normal("mu", 0, 5)
    tau = pm.HalfNormal("tau", 5)
    theta = pm.Normal("theta", mu, tau, shape=8)
    pm.Normal("y", theta, data["sigma"], observed=data["y"])


def eight_schools_nc(data: Arrays) -> None:
    mu = pm.Normal("mu", 0, 5)
    tau = pm.HalfNormal("tau", 5)
    theta_raw = pm.Normal("theta_raw", 0, 1, shape=8)
    pm.Normal("y", mu + tau * theta_raw, data["sigma"], observed=data["y"])


def funnel(data: Arrays) -> None:
    y = pm.Normal("y", 0, 3)
    pm.Normal("x", 0, pt.exp(y / 2), shape=9)


def logistic(data: Arrays) -> None:
    _logistic(data, 10, 10)


def biglogit(data: Arrays) -> None:
    _logistic(data, 5, 2.5)


def _logistic(data: Arrays, intercept: float, slope: float) -> None:
    alpha = pm.Normal("alpha", 0, intercept)
    beta = pm.Normal("beta", 0, slope, shape=data["X"].shape[1])
    pm.Bernoulli("y", logit_p=alpha + data["X"] @ beta, observed=data["y"])


def sv(data: Arrays) -> None:
    sigma = pm.Exponential("sigma", 50)
    nu = pm.Exponential("nu", 0.1)
    s = pm.GaussianRandomWalk("s", sigma=sigma, init_dist=pm.Normal.dist(0, sigma), shape=len(data["returns"]))
    pm.StudentT("r", nu=nu, mu=0, sigma=pt.exp(s), observed=data["returns"])


sv_long = sv


def radon(data: Arrays) -> None:
    county, counties = data["county_idx"], int(data["county_idx"].max()) + 1
    sigma_y, sigma_alpha, sigma_beta = (pm.HalfNormal(f"sigma_{x}", 1) for x in ("y", "alpha", "beta"))
    mu_alpha, mu_beta = (pm.Normal(f"mu_{x}", 0, 10) for x in ("alpha", "beta"))
    alpha_raw, beta_raw = (pm.Normal(f"{x}_raw", 0, 1, shape=counties) for x in ("alpha", "beta"))
    alpha, beta = mu_alpha + sigma_alpha * alpha_raw, mu_beta + sigma_beta * beta_raw
    mean = alpha[county] + data["floor_measure"] * beta[county]
    pm.Normal("log_radon", mean, sigma_y, observed=data["log_radon"])


def irt_2pl(data: Arrays) -> None:
    items, persons = data["y"].shape
    sigma_theta = pm.HalfCauchy("sigma_theta", 2)
    theta = pm.Normal("theta", 0, sigma_theta, shape=persons)
    sigma_a = pm.HalfCauchy("sigma_a", 2)
    a = pm.LogNormal("a", 0, sigma_a, shape=items)
    mu_b = pm.Normal("mu_b", 0, 5)
    sigma_b = pm.HalfCauchy("sigma_b", 2)
    b = pm.Normal("b", mu_b, sigma_b, shape=items)
    pm.Bernoulli("y", logit_p=a[:, None] * (theta - b[:, None]), observed=data["y"])


def bigreg(data: Arrays) -> None:
    alpha = pm.Normal("alpha", 0, 10)
    beta = pm.Normal("beta", 0, 2.5, shape=data["X"].shape[1])
    sigma = pm.HalfNormal("sigma", 5)
    pm.Normal("y", alpha + data["X"] @ beta, sigma, observed=data["y"])


def gp_regr(data: Arrays) -> None:
    distance = (data["x"][:, None] - data["x"]) ** 2
    rho = pm.Gamma("rho", 25, 4)
    alpha = pm.HalfNormal("alpha", 2)
    sigma = pm.HalfNormal("sigma", 1)
    covariance = alpha**2 * pt.exp(-0.5 * distance / rho**2) + sigma * np.eye(len(distance))
    pm.MvNormal("y", np.zeros(len(distance)), cov=covariance, observed=data["y"])


def garch(data: Arrays) -> None:
    mu = pm.Flat("mu")
    alpha0 = pm.HalfFlat("alpha0")
    alpha1 = pm.Uniform("alpha1", 0, 1)
    beta1 = pm.Uniform("beta1", 0, 1 - alpha1)
    # The uniform distribution's own density is taken out again.
    pm.Potential("flat", pt.log1p(-alpha1))
    first = pt.constant(data["sigma1"] ** 2, dtype="float64")
    rest = pytensor.scan(
        lambda y, v, mu, alpha0, alpha1, beta1: alpha0 + alpha1 * (y - mu) ** 2 + beta1 * v,
        sequences=[pt.as_tensor(data["y"][:-1])],
        outputs_info=[first],
        non_sequences=[mu, alpha0, alpha1, beta1],
        strict=True,
        return_updates=False,
    )
    variance = pt.concatenate([first[None], rest])
    pm.Normal("returns", mu, pt.sqrt(variance), observed=data["y"])


def correlated(data: Arrays) -> None:
    x = pm.Flat("x", shape=len(data["precision"]))
    pm.Potential("density", -0.5 * x @ (data["precision"] @ x))


def horseshoe(data: Arrays) -> None:
    predictors = data["X"].shape[1]
    alpha = pm.Normal("alpha", 0, 5)
    tau = pm.HalfCauchy("tau", 0.1)
    lambda_ = pm.HalfCauchy("lambda_", 1, shape=predictors)
    z = pm.Normal("z", 0, 1, shape=predictors)
    sigma = pm.HalfNormal("sigma", 2)
    pm.Normal("y", alpha + data["X"] @ (z * lambda_ * tau), sigma, observed=data["y"])


def build(name: str, data: Arrays) -> pm.Model:
    """The model of the problem of that name."""
    with pm.Model() as model:
        globals()[name](data)
    return model
