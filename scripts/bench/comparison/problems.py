"""The posteriors that `compare.py` has every library sample: their data, and how they are judged.

`Normal(m, s)` takes a standard deviation, `Gamma(a, b)` a rate, `Exponential(l)` a rate. How each library writes them
stands in `exmc_models.py`, `pymc_models.py` and `numpyro_models.py`; free variables have the same names in all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
HERE = Path(__file__).parent
CONFIG_DATA = HERE.parents[2] / "configs" / "data"


class Problem(NamedTuple):
    """A posterior: what it is, its data, made anew and always the same, and of which variables logarithms are judged.

    `logged` are positive variables whose posterior has no variance: the mean of a sample says nothing about them, the
    mean of the logarithms does.
    """

    name: str
    dimension: int
    definition: str
    data: Callable[[], Arrays]
    logged: tuple[str, ...] = ()


def _read(path: Path, *names: str) -> Arrays:
    document = json.loads(path.read_text(encoding="utf-8"))
    return {name: np.asarray(document[name]) for name in names}


def _stored(name: str, *names: str) -> Callable[[], Arrays]:
    return lambda: _read(HERE / "data" / f"{name}.json", *names)


def _configured(name: str, *names: str) -> Callable[[], Arrays]:
    return lambda: _read(CONFIG_DATA / f"{name}.json", *names)


def _regression(rows: int, columns: int, seed: int) -> tuple[np.random.Generator, Arrays]:
    """Standard normal predictors and the linear term of coefficients of order one half."""
    generator = np.random.default_rng(seed)
    coefficients = 0.5 * generator.standard_normal(columns)
    design = generator.standard_normal((rows, columns))
    return generator, {"X": design, "linear": 0.5 + design @ coefficients}


def _chance(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-logit))


def logistic() -> Arrays:
    """The 500 rows of eXMC's benchmark, from its seed."""
    generator = np.random.default_rng(123)
    coefficients = 0.3 * generator.standard_normal(20)
    design = generator.standard_normal((500, 20))
    return {"X": design, "y": generator.binomial(1, _chance(0.5 + design @ coefficients))}


def many_logistic() -> Arrays:
    """A logistic regression of 50 000 rows."""
    generator, made = _regression(50_000, 25, 11)
    return {"X": made["X"], "y": generator.binomial(1, _chance(made["linear"]))}


def many_normal() -> Arrays:
    """A linear regression of 100 000 rows."""
    generator, made = _regression(100_000, 10, 12)
    return {"X": made["X"], "y": made["linear"] + 1.5 * generator.standard_normal(len(made["linear"]))}


def long_volatility() -> Arrays:
    """Returns of a thousand days whose log volatility is a random walk."""
    generator = np.random.default_rng(13)
    log_scale = np.cumsum(0.08 * generator.standard_normal(1000)) - 1.0
    return {"returns": np.exp(log_scale) * generator.standard_t(8.0, 1000)}


def correlated() -> Arrays:
    """The precision of a hundred standard normals, correlated 0.9 with their neighbours: 0.9^|i - j|."""
    places = np.arange(100)
    return {"precision": np.linalg.inv(0.9 ** np.abs(places[:, None] - places))}


def sparse() -> Arrays:
    """A regression of a hundred rows on thirty predictors, of which four matter."""
    generator = np.random.default_rng(14)
    design = generator.standard_normal((100, 30))
    coefficients = np.concatenate([[3.0, -2.0, 1.0, 0.5], np.zeros(26)])
    return {"X": design, "y": 1.0 + design @ coefficients + generator.standard_normal(100)}


_EIGHT = "mu ~ Normal(0, 5); tau ~ HalfNormal(5); y_j ~ Normal(theta_j, sigma_j); "
_VOLATILITY = (
    "sigma ~ Exponential(50); nu ~ Exponential(0.1); s_1 ~ Normal(0, sigma); s_t ~ Normal(s_{t-1}, sigma); "
    "r_t ~ StudentT(nu, 0, exp(s_t)); "
)

_ROWS = (
    Problem(
        "simple",
        2,
        "mu ~ Normal(0, 5); sigma ~ HalfNormal(2); x ~ Normal(mu, sigma), 10 rows",
        _stored("simple", "x_obs"),
    ),
    Problem(
        "simple_race",
        2,
        "mu ~ Normal(0, 10); sigma ~ Exponential(1); y ~ Normal(mu, sigma), 50 rows",
        _stored("simple_race", "y"),
    ),
    Problem(
        "medium",
        5,
        "mu_global ~ Normal(0, 10); sigma_global ~ Exponential(1); alpha, beta ~ Normal(mu_global, sigma_global); "
        "sigma_obs ~ Exponential(2); y_a ~ Normal(alpha, sigma_obs), y_b ~ Normal(beta, sigma_obs), 30 rows each",
        _stored("medium", "y_a", "y_b"),
    ),
    Problem(
        "stress",
        8,
        "mu_pop ~ Normal(0, 10); sigma_pop ~ Exponential(0.5); group_j ~ Normal(mu_pop, sigma_pop), "
        "noise_j ~ Exponential(1), y_j ~ Normal(group_j, noise_j), 40 rows each, j = 1..3",
        _stored("stress", "y_1", "y_2", "y_3"),
    ),
    Problem(
        "eight_schools",
        10,
        _EIGHT + "theta_j ~ Normal(mu, tau)",
        lambda: _read(CONFIG_DATA / "eight_schools.json", "y", "sigma"),
    ),
    Problem(
        "eight_schools_nc",
        10,
        _EIGHT + "theta = mu + tau theta_raw, theta_raw_j ~ Normal(0, 1)",
        lambda: _read(CONFIG_DATA / "eight_schools.json", "y", "sigma"),
    ),
    Problem("funnel", 10, "y ~ Normal(0, 3); x_i ~ Normal(0, exp(y / 2)), i = 1..9 (Neal 2003); no data", dict),
    Problem(
        "logistic",
        21,
        "alpha, beta_j ~ Normal(0, 10); y ~ Bernoulli(logit = alpha + X beta), 500 rows, 20 predictors",
        logistic,
    ),
    Problem("sv", 102, _VOLATILITY + "T = 100", _stored("sv", "returns")),
    Problem(
        "radon",
        175,
        "posteriordb's radon_mn-radon_variable_intercept_slope_noncentered: sigma_y, sigma_alpha, sigma_beta ~ "
        "HalfNormal(1); mu_alpha, mu_beta ~ Normal(0, 10); alpha_raw_j, beta_raw_j ~ Normal(0, 1); log_radon ~ "
        "Normal(mu_alpha + sigma_alpha alpha_raw[county] + floor (mu_beta + sigma_beta beta_raw[county]), sigma_y)",
        _stored("radon", "county_idx", "floor_measure", "log_radon"),
    ),
    Problem(
        "irt_2pl",
        144,
        "posteriordb's irt_2pl-irt_2pl: sigma_theta, sigma_a, sigma_b ~ HalfCauchy(2); theta_j ~ Normal(0, sigma_theta)"
        "; a_i ~ LogNormal(0, sigma_a); mu_b ~ Normal(0, 5); b_i ~ Normal(mu_b, sigma_b); "
        "y_ij ~ Bernoulli(logit = a_i (theta_j - b_i)), 20 items, 100 persons",
        _stored("irt_2pl", "y"),
    ),
    Problem(
        "bigreg",
        12,
        "alpha ~ Normal(0, 10); beta_j ~ Normal(0, 2.5); sigma ~ HalfNormal(5); y ~ Normal(alpha + X beta, sigma), "
        "100 000 rows, 10 predictors",
        many_normal,
    ),
    Problem(
        "biglogit",
        26,
        "alpha ~ Normal(0, 5); beta_j ~ Normal(0, 2.5); y ~ Bernoulli(logit = alpha + X beta), 50 000 rows, "
        "25 predictors",
        many_logistic,
    ),
    Problem(
        "gp_regr",
        3,
        "posteriordb's gp_pois_regr-gp_regr: rho ~ Gamma(25, 4); alpha ~ HalfNormal(2); sigma ~ HalfNormal(1); "
        "y ~ MvNormal(0, alpha^2 exp(-(x - x')^2 / (2 rho^2)) + sigma I), 11 points",
        _configured("gp_pois_regr", "x", "y"),
    ),
    Problem(
        "garch",
        4,
        "posteriordb's garch-garch11: mu, alpha0 > 0, alpha1 > 0, beta1 > 0 flat on alpha1 + beta1 < 1; v_1 = sigma1^2"
        "; v_t = alpha0 + alpha1 (y_{t-1} - mu)^2 + beta1 v_{t-1}; y_t ~ Normal(mu, sqrt(v_t)), T = 200",
        _configured("garch", "y", "sigma1"),
    ),
    Problem("sv_long", 1002, _VOLATILITY + "T = 1000", long_volatility),
    Problem(
        "correlated",
        100,
        "x flat, times exp(-x' P x / 2), the inverse of P being 0.9^|i - j|, i, j = 1..100; nothing to rewrite",
        correlated,
    ),
    Problem(
        "horseshoe",
        63,
        "alpha ~ Normal(0, 5); tau ~ HalfCauchy(0.1); lambda_j ~ HalfCauchy(1); z_j ~ Normal(0, 1); sigma ~ "
        "HalfNormal(2); y ~ Normal(alpha + X (z lambda tau), sigma), 100 rows, 30 predictors",
        sparse,
        logged=("tau", "lambda_"),
    ),
)

PROBLEMS = {row.name: row for row in _ROWS}
