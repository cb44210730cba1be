"""The posteriors of `problems.py` as a user of NumPyro writes them, a function of its name each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro import sample

if TYPE_CHECKING:
    from comparison.problems import Arrays


def simple(data: Arrays) -> None:
    mu = sample("mu", dist.Normal(0, 5))
    sigma = sample("sigma", dist.HalfNormal(2))
    sample("x", dist.Normal(mu, sigma), obs=data["x_obs"])


def simple_race(data: Arrays) -> None:
    mu = sample("mu", dist.Normal(0, 10))
    sigma = sample("sigma", dist.Exponential(1))
    sample("y", dist.Normal(mu, sigma), obs=data["y"])


def medium(data: Arrays) -> None:
    mu_global = sample("mu_global", dist.Normal(0, 10))
    sigma_global = sample("sigma_global", dist.Exponential(1))
    alpha = sample("alpha", dist.Normal(mu_global, sigma_global))
    beta = sample("beta", dist.Normal(mu_global, sigma_global))
    sigma_obs = sample("sigma_obs", dist.Exponential(2))
    sample("y_a", dist.Normal(alpha, sigma_obs), obs=data["y_a"])
    sample("y_b", dist.Normal(beta, sigma_obs), obs=data["y_b"])


def stress(data: Arrays) -> None:
    mu_pop = sample("mu_pop", dist.Normal(0, 10))
    sigma_pop = sample("sigma_pop", dist.Exponential(0.5))
    for j in (1, 2, 3):
        group = sample(f"group_{j}", dist.Normal(mu_pop, sigma_pop))
        noise = sample(f"noise_{j}", dist.Exponential(1))
        sample(f"y_{j}", dist.Normal(group, noise), obs=data[f"y_{j}"])


def eight_schools(data: Arrays) -> None:
    mu = sample("mu", dist.Normal(0, 5))
    tau = sample("tau", dist.HalfNormal(5))
    with numpyro.plate("school", 8):
        theta = sample("theta", dist.Normal(mu, tau))
        sample("y", dist.Normal(theta, data["sigma"]), obs=data["y"])


def eight_schools_nc(data: Arrays) -> None:
    mu = sample("mu", dist.Normal(0, 5))
    tau = sample("tau", dist.HalfNormal(5))
    with numpyro.plate("school", 8):
        theta_raw = sample("theta_raw", dist.Normal(0, 1))
        sample("y", dist.Normal(mu + tau * theta_raw, data["sigma"]), obs=data["y"])


def funnel(data: Arrays) -> None:
    y = sample("y", dist.Normal(0, 3))
    with numpyro.plate("nine", 9):
        sample("x", dist.Normal(0, jnp.exp(y / 2)))


def logistic(data: Arrays) -> None:
    _logistic(data, 10, 10)


def biglogit(data: Arrays) -> None:
    _logistic(data, 5, 2.5)


def _logistic(data: Arrays, intercept: float, slope: float) -> None:
    alpha = sample("alpha", dist.Normal(0, intercept))
    beta = sample("beta", dist.Normal(0, slope).expand([data["X"].shape[1]]).to_event(1))
    sample("y", dist.Bernoulli(logits=alpha + data["X"] @ beta), obs=data["y"])


def sv(data: Arrays) -> None:
    sigma = sample("sigma", dist.Exponential(50))
    nu = sample("nu", dist.Exponential(0.1))
    s = sample("s", dist.GaussianRandomWalk(sigma, num_steps=len(data["returns"])))
    sample("r", dist.StudentT(nu, 0, jnp.exp(s)), obs=data["returns"])


sv_long = sv


def radon(data: Arrays) -> None:
    county, counties = data["county_idx"], int(data["county_idx"].max()) + 1
    sigma_y, sigma_alpha, sigma_beta = (sample(f"sigma_{x}", dist.HalfNormal(1)) for x in ("y", "alpha", "beta"))
    mu_alpha, mu_beta = (sample(f"mu_{x}", dist.Normal(0, 10)) for x in ("alpha", "beta"))
    with numpyro.plate("county", counties):
        alpha_raw, beta_raw = (sample(f"{x}_raw", dist.Normal(0, 1)) for x in ("alpha", "beta"))
    alpha, beta = mu_alpha + sigma_alpha * alpha_raw, mu_beta + sigma_beta * beta_raw
    mean = alpha[county] + data["floor_measure"] * beta[county]
    sample("log_radon", dist.Normal(mean, sigma_y), obs=data["log_radon"])


def irt_2pl(data: Arrays) -> None:
    items, persons = data["y"].shape
    sigma_theta = sample("sigma_theta", dist.HalfCauchy(2))
    sigma_a = sample("sigma_a", dist.HalfCauchy(2))
    mu_b = sample("mu_b", dist.Normal(0, 5))
    sigma_b = sample("sigma_b", dist.HalfCauchy(2))
    theta = sample("theta", dist.Normal(0, sigma_theta).expand([persons]).to_event(1))
    a = sample("a", dist.LogNormal(0, sigma_a).expand([items]).to_event(1))
    b = sample("b", dist.Normal(mu_b, sigma_b).expand([items]).to_event(1))
    sample("y", dist.Bernoulli(logits=a[:, None] * (theta - b[:, None])), obs=data["y"])


def bigreg(data: Arrays) -> None:
    alpha = sample("alpha", dist.Normal(0, 10))
    beta = sample("beta", dist.Normal(0, 2.5).expand([data["X"].shape[1]]).to_event(1))
    sigma = sample("sigma", dist.HalfNormal(5))
    sample("y", dist.Normal(alpha + data["X"] @ beta, sigma), obs=data["y"])


def gp_regr(data: Arrays) -> None:
    distance = (data["x"][:, None] - data["x"]) ** 2
    rho = sample("rho", dist.Gamma(25, 4))
    alpha = sample("alpha", dist.HalfNormal(2))
    sigma = sample("sigma", dist.HalfNormal(1))
    covariance = alpha**2 * jnp.exp(-0.5 * distance / rho**2) + sigma * jnp.eye(len(distance))
    sample("y", dist.MultivariateNormal(0, covariance_matrix=covariance), obs=data["y"])


def garch(data: Arrays) -> None:
    mu = sample("mu", dist.ImproperUniform(dist.constraints.real, (), ()))
    alpha0 = sample("alpha0", dist.ImproperUniform(dist.constraints.positive, (), ()))
    alpha1 = sample("alpha1", dist.Uniform(0, 1))
    beta1 = sample("beta1", dist.Uniform(0, 1 - alpha1))
    # The uniform distribution's own density is taken out again.
    numpyro.factor("flat", jnp.log1p(-alpha1))
    first = data["sigma1"] ** 2

    def step(v: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        after = alpha0 + alpha1 * (y - mu) ** 2 + beta1 * v
        return after, after

    _, rest = jax.lax.scan(step, first, data["y"][:-1])
    variance = jnp.concatenate([first[None], rest])
    sample("returns", dist.Normal(mu, jnp.sqrt(variance)), obs=data["y"])


def correlated(data: Arrays) -> None:
    x = sample("x", dist.ImproperUniform(dist.constraints.real_vector, (), (len(data["precision"]),)))
    numpyro.factor("density", -0.5 * x @ (data["precision"] @ x))


def horseshoe(data: Arrays) -> None:
    predictors = data["X"].shape[1]
    alpha = sample("alpha", dist.Normal(0, 5))
    tau = sample("tau", dist.HalfCauchy(0.1))
    lambda_ = sample("lambda_", dist.HalfCauchy(1).expand([predictors]).to_event(1))
    z = sample("z", dist.Normal(0, 1).expand([predictors]).to_event(1))
    sigma = sample("sigma", dist.HalfNormal(2))
    sample("y", dist.Normal(alpha + data["X"] @ (z * lambda_ * tau), sigma), obs=data["y"])
