"""Hierarchical models of posteriordb as a newcomer writes them."""

import numpy as np
from scipy import stats
from scipy.special import expit

from tests.language.case import Case, Values


def radon_data(rng: np.random.Generator) -> Values:
    county, floor = np.sort(rng.integers(1, 9, 90)), rng.integers(0, 2, 90)
    u = rng.normal(0, 0.3, 90)
    y = 1.5 + rng.normal(0, 0.4, 9)[county] - (0.7 + rng.normal(0, 0.2, 9)[county]) * floor + rng.normal(0, 0.7, 90)
    return {"N": 90, "J": 8, "county_idx": county, "floor_measure": floor, "log_uppm": u, "log_radon": y}


def radon_pooled_density(d: Values, v: Values) -> float:
    mu = v["alpha"] + v["beta"] * d["floor_measure"]
    priors = stats.norm(0, 10).logpdf([v["alpha"], v["beta"]]).sum() + stats.norm(0, 1).logpdf(v["sigma_y"])
    return priors + stats.norm(mu, v["sigma_y"]).logpdf(d["log_radon"]).sum()


RADON_POOLED = """
variables:
  alpha: {dist: Normal, mu: 0, sigma: 10}
  beta: {dist: Normal, mu: 0, sigma: 10}
  sigma_y: {dist: HalfNormal, sigma: 1}
  seen: {dist: Normal, mu: alpha + beta * floor_measure, sigma: sigma_y, observed: log_radon}
"""


def radon_county_density(d: Values, v: Values) -> float:
    return (
        stats.norm(0, 1).logpdf([v["mu_alpha"], v["sigma_alpha"], v["sigma_y"]]).sum()
        + stats.norm(v["mu_alpha"], v["sigma_alpha"]).logpdf(v["alpha"]).sum()
        + stats.norm(v["alpha"][d["county_idx"] - 1], v["sigma_y"]).logpdf(d["log_radon"]).sum()
    )


RADON_COUNTY = """
variables:
  mu_alpha: {dist: Normal, mu: 0, sigma: 1}
  sigma_alpha: {dist: HalfNormal, sigma: 1}
  sigma_y: {dist: HalfNormal, sigma: 1}
  alpha: {dist: Normal, mu: mu_alpha, sigma: sigma_alpha, shape: J}
  seen: {dist: Normal, mu: "alpha[county_idx - 1]", sigma: sigma_y, observed: log_radon}
"""


def radon_slopes_density(d: Values, v: Values) -> float:
    county = d["county_idx"] - 1
    mu = v["alpha"][county] + v["beta"][county] * d["floor_measure"]
    return (
        stats.norm(0, 10).logpdf([v["mu_alpha"], v["mu_beta"]]).sum()
        + stats.norm(0, 1).logpdf([v["sigma_alpha"], v["sigma_beta"], v["sigma_y"]]).sum()
        + stats.norm(v["mu_alpha"], v["sigma_alpha"]).logpdf(v["alpha"]).sum()
        + stats.norm(v["mu_beta"], v["sigma_beta"]).logpdf(v["beta"]).sum()
        + stats.norm(mu, v["sigma_y"]).logpdf(d["log_radon"]).sum()
    )


RADON_SLOPES = """
data: {county_idx: {path: data.json, column: county_idx, factor: county}}
variables:
  sigma_y: {dist: HalfNormal, sigma: 1}
  sigma_alpha: {dist: HalfNormal, sigma: 1}
  sigma_beta: {dist: HalfNormal, sigma: 1}
  mu_alpha: {dist: Normal, mu: 0, sigma: 10}
  mu_beta: {dist: Normal, mu: 0, sigma: 10}
  alpha: {dist: Normal, mu: mu_alpha, sigma: sigma_alpha, dims: county}
  beta: {dist: Normal, mu: mu_beta, sigma: sigma_beta, dims: county}
  seen: {dist: Normal, mu: "alpha[county_idx] + floor_measure * beta[county_idx]", sigma: sigma_y, observed: log_radon}
"""


def radon_noncentered_density(d: Values, v: Values) -> float:
    county = d["county_idx"] - 1
    alpha = v["mu_alpha"] + v["sigma_alpha"] * v["alpha_raw"]
    mu = alpha[county] + d["log_uppm"] * v["beta"][0] + d["floor_measure"] * v["beta"][1]
    return (
        stats.norm(0, 1).logpdf(v["alpha_raw"]).sum()
        + stats.norm(0, 1).logpdf([v["sigma_alpha"], v["sigma_y"]]).sum()
        + stats.norm(0, 10).logpdf([v["mu_alpha"], *v["beta"]]).sum()
        + stats.norm(mu, v["sigma_y"]).logpdf(d["log_radon"]).sum()
    )


RADON_NONCENTERED = """
variables:
  alpha_raw: {dist: Normal, mu: 0, sigma: 1, shape: J}
  beta: {dist: Normal, mu: 0, sigma: 10, shape: 2}
  mu_alpha: {dist: Normal, mu: 0, sigma: 10}
  sigma_alpha: {dist: HalfNormal, sigma: 1}
  sigma_y: {dist: HalfNormal, sigma: 1}
  alpha: {expr: mu_alpha + sigma_alpha * alpha_raw}
  seen:
    dist: Normal
    mu: alpha[county_idx - 1] + log_uppm * beta[0] + floor_measure * beta[1]
    sigma: sigma_y
    observed: log_radon
"""


def rats_data(rng: np.random.Generator) -> Values:
    rat, x = np.repeat(np.arange(1, 11), 5), np.tile([8, 15, 22, 29, 36], 10)
    y = rng.normal(240 + rng.normal(0, 14, 11)[rat] + (6.2 + rng.normal(0, 0.5, 11)[rat]) * (x - 22), 6)
    return {"N": 10, "Npts": 50, "rat": rat, "x": x, "y": y, "xbar": 22}


def rats_density(d: Values, v: Values) -> float:
    rat = d["rat"] - 1
    mu = v["alpha"][rat] + v["beta"][rat] * (d["x"] - d["xbar"])
    return (
        stats.norm(0, 100).logpdf([v["mu_alpha"], v["mu_beta"]]).sum()
        + stats.norm(v["mu_alpha"], v["sigma_alpha"]).logpdf(v["alpha"]).sum()
        + stats.norm(v["mu_beta"], v["sigma_beta"]).logpdf(v["beta"]).sum()
        + stats.norm(mu, v["sigma_y"]).logpdf(d["y"]).sum()
    )


RATS = """
variables:
  mu_alpha: {dist: Normal, mu: 0, sigma: 100}
  mu_beta: {dist: Normal, mu: 0, sigma: 100}
  sigma_y: {dist: HalfFlat}
  sigma_alpha: {dist: Flat, lower: 0}
  sigma_beta: {dist: HalfFlat}
  alpha: {dist: Normal, mu: mu_alpha, sigma: sigma_alpha, shape: N}
  beta: {dist: Normal, mu: mu_beta, sigma: sigma_beta, shape: [N]}
  alpha0: {expr: mu_alpha - xbar * mu_beta}
  seen: {dist: Normal, mu: "alpha[rat - 1] + beta[rat - 1] * (x - xbar)", sigma: sigma_y, observed: y}
"""


def pilots_data(rng: np.random.Generator) -> Values:
    group, scenario = np.tile(np.arange(1, 6), 8), np.repeat(np.arange(1, 9), 5)
    y = 0.4 + rng.normal(0, 0.2, 9)[scenario] + rng.normal(0, 0.2, 40)
    return {"N": 40, "n_groups": 5, "n_scenarios": 8, "group_id": group, "scenario_id": scenario, "y": y}


def pilots_density(d: Values, v: Values) -> float:
    y_hat = v["a"][d["group_id"] - 1] + v["b"][d["scenario_id"] - 1]
    return (
        stats.norm(0, 1).logpdf([v["mu_a"], v["mu_b"]]).sum()
        + stats.norm(10 * v["mu_a"], v["sigma_a"]).logpdf(v["a"]).sum()
        + stats.norm(10 * v["mu_b"], v["sigma_b"]).logpdf(v["b"]).sum()
        + stats.norm(y_hat, v["sigma_y"]).logpdf(d["y"]).sum()
    )


PILOTS = """
variables:
  mu_a: {dist: Normal, mu: 0, sigma: 1}
  mu_b: {dist: Normal, mu: 0, sigma: 1}
  sigma_a: {dist: Uniform, low: 0, high: 100}
  sigma_b: {dist: Uniform, low: 0, high: 100}
  sigma_y: {dist: Uniform, low: 0, high: 100}
  a: {dist: Normal, mu: 10 * mu_a, sigma: sigma_a, shape: n_groups}
  b: {dist: Normal, mu: 10 * mu_b, sigma: sigma_b, shape: n_scenarios}
  y_hat: {expr: "a[group_id - 1] + b[scenario_id - 1]", keep: false}
  seen: {dist: Normal, mu: y_hat, sigma: sigma_y, observed: y}
"""


def seeds_data(rng: np.random.Generator) -> Values:
    N, x1, x2 = rng.integers(4, 80, 21), rng.integers(0, 2, 21), rng.integers(0, 2, 21)
    n = rng.binomial(N, expit(-0.5 + 0.1 * x1 + 1.3 * x2 - 0.8 * x1 * x2 + rng.normal(0, 0.3, 21)))
    return {"I": 21, "n": n, "N": N, "x1": x1, "x2": x2}


def seeds_density(d: Values, v: Values) -> float:
    alphas, sigma = [v["alpha0"], v["alpha1"], v["alpha2"], v["alpha12"]], 1 / np.sqrt(v["tau"])
    b = v["c"] - v["c"].mean()
    p = expit(v["alpha0"] + v["alpha1"] * d["x1"] + v["alpha2"] * d["x2"] + v["alpha12"] * d["x1"] * d["x2"] + b)
    return (
        stats.norm(0, 1).logpdf(alphas).sum()
        + stats.gamma(1e-3, scale=1e3).logpdf(v["tau"])
        + stats.norm(0, sigma).logpdf(v["c"]).sum()
        + stats.binom(d["N"], p).logpmf(d["n"]).sum()
    )


SEEDS = """
variables:
  alpha0: {dist: Normal, mu: 0, sigma: 1}
  alpha1: {dist: Normal, mu: 0, sigma: 1}
  alpha12: {dist: Normal, mu: 0, sigma: 1}
  alpha2: {dist: Normal, mu: 0, sigma: 1}
  tau: {dist: Gamma, alpha: 1.0e-3, beta: 1.0e-3}
  sigma: {expr: 1 / sqrt(tau)}
  c: {dist: Normal, mu: 0, sigma: sigma, shape: I}
  b: {expr: c - mean(c)}
  seen: {dist: Binomial, n: N, logit: alpha0 + alpha1 * x1 + alpha2 * x2 + alpha12 * x1 * x2 + b, observed: n}
"""


def surgical_data(rng: np.random.Generator) -> Values:
    n = rng.integers(40, 400, 12)
    return {"N": 12, "n": n, "r": rng.binomial(n, expit(-2.5 + rng.normal(0, 0.4, 12)))}


def surgical_density(d: Values, v: Values) -> float:
    return (
        stats.norm(0, 1000).logpdf(v["mu"])
        + stats.invgamma(0.001, scale=0.001).logpdf(v["sigmasq"])
        + stats.norm(v["mu"], np.sqrt(v["sigmasq"])).logpdf(v["b"]).sum()
        + stats.binom(d["n"], expit(v["b"])).logpmf(d["r"]).sum()
    )


SURGICAL = """
variables:
  mu: {dist: Normal, mu: 0, sigma: 1000}
  sigmasq: {dist: InverseGamma, alpha: 0.001, beta: 0.001}
  sigma: {expr: sqrt(sigmasq)}
  b: {dist: Normal, mu: mu, sigma: sigma, shape: N}
  p: {expr: sigmoid(b)}
  pop_mean: {expr: sigmoid(mu)}
  seen: {dist: Binomial, n: n, p: p, observed: r}
"""


def glmm_data(rng: np.random.Generator) -> Values:
    obs_year, obs_site = np.repeat(np.arange(1, 7), 5)[:28], np.tile(np.arange(1, 6), 6)[:28]
    obs = rng.poisson(np.exp(2 + rng.normal(0, 0.5, 6)[obs_site] + 0.01 * obs_year))
    return {"nobs": 28, "nyear": 6, "nsite": 5, "obs": obs, "obsyear": obs_year, "obssite": obs_site}


def glmm_density(d: Values, v: Values) -> float:
    return (
        stats.norm(0, 10).logpdf(v["mu_alpha"])
        + stats.norm(v["mu_alpha"], v["sd_alpha"]).logpdf(v["alpha"]).sum()
        + stats.poisson(np.exp(v["alpha"][d["obssite"] - 1])).logpmf(d["obs"]).sum()
    )


GLMM = """
variables:
  mu_alpha: {dist: Normal, mu: 0, sigma: 10}
  sd_alpha: {dist: Uniform, low: 0, high: 5}
  alpha: {dist: Normal, mu: mu_alpha, sigma: sd_alpha, shape: nsite}
  log_lambda: {expr: "alpha[None, :] + zeros(nyear, 1)"}     # rep_matrix
  seen: {dist: Poisson, mu: "exp(log_lambda[obsyear - 1, obssite - 1])", observed: obs}
"""


def election_data(rng: np.random.Generator) -> Values:
    age, edu, state = rng.integers(1, 5, 150), rng.integers(1, 5, 150), rng.integers(1, 11, 150)
    region_of = rng.integers(1, 6, 11)
    black, female, v_prev = rng.integers(0, 2, 150), rng.integers(0, 2, 150), rng.uniform(0.4, 0.6, 11)[state]
    return {"N": 150, "n_age": 4, "n_age_edu": 16, "n_edu": 4, "n_region_full": 5, "n_state": 10, "age": age,
            "age_edu": 4 * (age - 1) + edu, "black": black, "edu": edu, "female": female,
            "region_full": region_of[state], "state": state, "v_prev_full": v_prev,
            "y": rng.binomial(1, expit(0.3 - 1.5 * black - 0.1 * female))}  # fmt: skip


def election_density(d: Values, v: Values) -> float:
    beta, female, black = v["beta"], d["female"], d["black"]
    logit = beta[0] + beta[1] * black + beta[2] * female + beta[4] * female * black + beta[3] * d["v_prev_full"]
    total = stats.norm(0, 100).logpdf(beta).sum()
    pairs = {"a": "age", "b": "edu", "c": "age_edu", "d": "state", "e": "region_full"}
    for name, of in pairs.items():
        total += stats.norm(0, v["sigma_" + name]).logpdf(v[name]).sum()
        logit = logit + v[name][d[of] - 1]
    return total + stats.bernoulli(expit(logit)).logpmf(d["y"]).sum()


ELECTION = """
variables:
  sigma_a: {dist: Uniform, low: 0, high: 100}
  sigma_b: {dist: Uniform, low: 0, high: 100}
  sigma_c: {dist: Uniform, low: 0, high: 100}
  sigma_d: {dist: Uniform, low: 0, high: 100}
  sigma_e: {dist: Uniform, low: 0, high: 100}
  a: {dist: Normal, mu: 0, sigma: sigma_a, shape: n_age}
  b: {dist: Normal, mu: 0, sigma: sigma_b, shape: n_edu}
  c: {dist: Normal, mu: 0, sigma: sigma_c, shape: n_age_edu}
  d: {dist: Normal, mu: 0, sigma: sigma_d, shape: n_state}
  e: {dist: Normal, mu: 0, sigma: sigma_e, shape: n_region_full}
  beta: {dist: Normal, mu: 0, sigma: 100, shape: 5}
  y_hat:
    expr: >-
      beta[0] + beta[1] * black + beta[2] * female + beta[4] * female * black + beta[3] * v_prev_full
      + a[age - 1] + b[edu - 1] + c[age_edu - 1] + d[state - 1] + e[region_full - 1]
    keep: false
  seen: {dist: Bernoulli, logit: y_hat, observed: y}
"""


def losscurve_data(rng: np.random.Generator) -> Values:
    cohort, t_idx = np.repeat(np.arange(1, 6), 4), np.tile(np.arange(1, 5), 5)
    t_value, premium = np.array([1.0, 2.0, 3.0, 4.0]), rng.uniform(80, 120, 5)
    growth = t_value**1.3 / (t_value**1.3 + 2)
    loss = premium[cohort - 1] * 0.7 * growth[t_idx - 1] + rng.normal(0, 2, 20)
    return {"growthmodel_id": 1, "n_data": 20, "n_time": 4, "n_cohort": 5, "cohort_id": cohort, "t_idx": t_idx,
            "t_value": t_value, "premium": premium, "loss": loss}  # fmt: skip


def losscurve_density(d: Values, v: Values) -> float:
    t, cohort = d["t_value"], d["cohort_id"] - 1
    gf = t ** v["omega"] / (t ** v["omega"] + v["theta"] ** v["omega"])
    lm = v["LR"][cohort] * d["premium"][cohort] * gf[d["t_idx"] - 1]
    return (
        stats.norm(0, 0.5).logpdf(v["mu_LR"])
        + stats.lognorm(0.5).logpdf([v["sd_LR"], v["omega"], v["theta"]]).sum()
        + stats.lognorm(v["sd_LR"], scale=np.exp(v["mu_LR"])).logpdf(v["LR"]).sum()
        + stats.lognorm(0.7).logpdf(v["loss_sd"])
        + stats.norm(lm, v["loss_sd"] * d["premium"][cohort]).logpdf(d["loss"]).sum()
    )


LOSSCURVE = """
variables:
  omega: {dist: LogNormal, mu: 0, sigma: 0.5}
  theta: {dist: LogNormal, mu: 0, sigma: 0.5}
  mu_LR: {dist: Normal, mu: 0, sigma: 0.5}
  sd_LR: {dist: LogNormal, mu: 0, sigma: 0.5}
  LR: {dist: LogNormal, mu: mu_LR, sigma: sd_LR, shape: n_cohort}
  loss_sd: {dist: LogNormal, mu: 0, sigma: 0.7}
  power_: {expr: (t_value / theta) ** omega, keep: false}
  gf: {expr: "where(growthmodel_id == 1, 1 - 1 / (1 + power_), 1 - exp(-power_))"}
  lm: {expr: "LR[cohort_id - 1] * premium[cohort_id - 1] * gf[t_idx - 1]"}
  seen: {dist: Normal, mu: lm, sigma: "loss_sd * premium[cohort_id - 1]", observed: loss}
"""


def dogs_data(rng: np.random.Generator) -> Values:
    return {"n_dogs": 6, "n_trials": 12, "y": rng.binomial(1, np.linspace(0.9, 0.1, 12), (6, 12))}


def dogs_density(d: Values, v: Values) -> float:
    total = stats.norm(0, 100).logpdf(v["beta"]).sum()
    for dog in d["y"]:
        avoid, shock = 0, 0
        for y in dog:
            p = expit(v["beta"][0] + v["beta"][1] * avoid + v["beta"][2] * shock)
            total += stats.bernoulli(p).logpmf(y)
            avoid, shock = avoid + 1 - y, shock + y
    return float(total)


DOGS = """
variables:
  beta: {dist: Normal, mu: 0, sigma: 100, shape: 3}
  n_avoid: {expr: "concatenate(zeros(n_dogs, 1), cumsum(1 - y[:, :-1], axis=1), axis=1)", keep: false}
  n_shock: {expr: "concatenate(zeros(n_dogs, 1), cumsum(y[:, :-1], axis=1), axis=1)", keep: false}
  seen: {dist: Bernoulli, logit: "beta[0] + beta[1] * n_avoid + beta[2] * n_shock", observed: y}
"""


def dogs_log_density(d: Values, v: Values) -> float:
    total = 0.0
    for dog in d["y"]:
        avoid, shock = 0, 0
        for y in dog:
            total += stats.bernoulli(v["a"] ** avoid * v["b"] ** shock).logpmf(y) if avoid + shock else 0
            avoid, shock = avoid + 1 - y, shock + y
    return float(total)


DOGS_LOG = """
variables:
  a: {dist: Uniform, low: 0, high: 1}
  b: {dist: Uniform, low: 0, high: 1}
  p: {expr: "a ** cumsum(1 - y[:, :-1], axis=1) * b ** cumsum(y[:, :-1], axis=1)", keep: false}
  seen: {dist: Bernoulli, p: p, observed: "y[:, 1:]"}
"""


def schools_data(rng: np.random.Generator) -> Values:
    return {"J": 8, "y": [28, 8, -3, 7, -1, 1, 18, 12], "sigma": [15, 10, 16, 11, 9, 11, 10, 18]}


def schools_density(d: Values, v: Values) -> float:
    return (
        stats.norm(0, 5).logpdf(v["mu"])
        + stats.cauchy(0, 5).logpdf(v["tau"])
        + stats.norm(v["mu"], v["tau"]).logpdf(v["theta"]).sum()
        + stats.norm(v["theta"], d["sigma"]).logpdf(d["y"]).sum()
    )


SCHOOLS = """
variables:
  mu: {dist: Normal, mu: 0, sigma: 5}
  tau: {dist: HalfCauchy, beta: 5}
  theta: {dist: Normal, mu: mu, sigma: tau, shape: J}
  seen: {dist: Normal, mu: theta, sigma: sigma, observed: y}
"""

CASES = (
    Case("radon_mn-radon_pooled", RADON_POOLED, radon_data, radon_pooled_density),
    Case("radon_mn-radon_county", RADON_COUNTY, radon_data, radon_county_density),
    Case("radon_mn-radon_variable_intercept_slope_centered", RADON_SLOPES, radon_data, radon_slopes_density),
    Case("radon_mn-radon_hierarchical_intercept_noncentered", RADON_NONCENTERED, radon_data, radon_noncentered_density),
    Case("rats_data-rats_model", RATS, rats_data, rats_density),
    Case("pilots-pilots", PILOTS, pilots_data, pilots_density),
    Case("seeds_data-seeds_centered_model", SEEDS, seeds_data, seeds_density),
    Case("surgical_data-surgical_model", SURGICAL, surgical_data, surgical_density),
    Case("GLMM_data-GLMM1_model", GLMM, glmm_data, glmm_density),
    Case("election88-election88_full", ELECTION, election_data, election_density),
    Case("loss_curves-losscurve_sislob", LOSSCURVE, losscurve_data, losscurve_density),
    Case("dogs-dogs", DOGS, dogs_data, dogs_density),
    Case("dogs-dogs_hierarchical", DOGS_LOG, dogs_data, dogs_log_density),
    Case("eight_schools-eight_schools_centered", SCHOOLS, schools_data, schools_density),
)
