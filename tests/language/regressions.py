"""Regressions of posteriordb as a newcomer writes them."""

import numpy as np
from scipy import stats
from scipy.special import expit, logsumexp

from tests.language.case import Case, Values


def dugongs_data(rng: np.random.Generator) -> Values:
    x = np.round(rng.uniform(1, 30, 27), 1)
    return {"N": 27, "x": x, "Y": rng.normal(2.65 - 0.97 * 0.87**x, 0.1)}


def dugongs_density(d: Values, v: Values) -> float:
    mu = v["alpha"] - v["beta"] * v["lambda_"] ** d["x"]
    return (
        stats.norm(0, 1000).logpdf(v["alpha"])
        + stats.norm(0, 1000).logpdf(v["beta"])
        + stats.gamma(0.0001, scale=1 / 0.0001).logpdf(v["tau"])
        + stats.norm(mu, 1 / np.sqrt(v["tau"])).logpdf(d["Y"]).sum()
    )


DUGONGS = """
variables:
  alpha: {dist: Normal, mu: 0, sigma: 1000}
  beta: {dist: Normal, mu: 0, sigma: 1000}
  lambda_: {dist: Uniform, low: 0.5, high: 1}
  tau: {dist: Gamma, alpha: 0.0001, beta: 0.0001}
  sigma: {expr: 1 / sqrt(tau)}
  U3: {expr: logit(lambda_)}
  seen: {dist: Normal, mu: "alpha - beta * lambda_ ** x", sigma: sigma, observed: Y}
"""


def glm_poisson_data(rng: np.random.Generator) -> Values:
    year = (np.arange(40) - 19.5) / 20
    return {"n": 40, "C": rng.poisson(np.exp(4.2 + 1.2 * year + 0.1 * year**2 - 0.3 * year**3)), "year": year}


def glm_poisson_density(d: Values, v: Values) -> float:
    year = d["year"]
    log_rate = v["alpha"] + v["beta1"] * year + v["beta2"] * year**2 + v["beta3"] * year**3
    return stats.poisson(np.exp(log_rate)).logpmf(d["C"]).sum()


GLM_POISSON = """
variables:
  alpha: {dist: Uniform, low: -20, high: 20}
  beta1: {dist: Uniform, low: -10, high: 10}
  beta2: {dist: Uniform, low: -10, high: 10}
  beta3: {dist: Uniform, low: -10, high: 10}
  log_lambda: {expr: "alpha + beta1 * year + beta2 * year**2 + beta3 * year**3"}
  seen: {dist: Poisson, mu: exp(log_lambda), observed: C}
"""


def glm_binomial_data(rng: np.random.Generator) -> Values:
    year = (np.arange(40) - 19.5) / 20
    n = rng.integers(20, 60, 40)
    return {"nyears": 40, "C": rng.binomial(n, expit(0.5 + 0.1 * year - 0.9 * year**2)), "N": n, "year": year}


def glm_binomial_density(d: Values, v: Values) -> float:
    p = expit(v["alpha"] + v["beta1"] * d["year"] + v["beta2"] * d["year"] ** 2)
    priors = stats.norm(0, 100).logpdf([v["alpha"], v["beta1"], v["beta2"]]).sum()
    return priors + stats.binom(d["N"], p).logpmf(d["C"]).sum()


GLM_BINOMIAL = """
variables:
  alpha: {dist: Normal, mu: 0, sigma: 100}
  beta1: {dist: Normal, mu: 0, sigma: 100}
  beta2: {dist: Normal, mu: 0, sigma: 100}
  logit_p: {expr: "alpha + beta1 * year + beta2 * year**2"}
  seen: {dist: Binomial, n: N, logit: logit_p, observed: C}
"""


def mesquite_data(rng: np.random.Generator) -> Values:
    d1, d2, ch, th = (rng.uniform(0.5, 4, 46) for _ in range(4))
    weight = np.exp(5 + 0.7 * np.log(d1 * d2 * ch) + 0.3 * np.log(d1 * d2) + 0.3 * rng.normal(size=46))
    group = rng.integers(0, 2, 46)
    return {
        "N": 46,
        "weight": weight,
        "diam1": d1,
        "diam2": d2,
        "canopy_height": ch,
        "total_height": th,
        "group": group,
    }


def logvas_density(d: Values, v: Values) -> float:
    area = d["diam1"] * d["diam2"]
    columns = [np.ones(46), np.log(area * d["canopy_height"]), np.log(area), np.log(d["diam1"] / d["diam2"])]
    mu = np.stack([*columns, np.log(d["total_height"]), d["group"]], axis=1) @ v["beta"]
    return stats.norm(mu, v["sigma"]).logpdf(np.log(d["weight"])).sum()


LOGVAS = """
variables:
  beta: {dist: Flat, shape: 6}
  sigma: {dist: HalfFlat}
  volume: {expr: log(diam1 * diam2 * canopy_height)}
  area: {expr: log(diam1 * diam2)}
  shape: {expr: log(diam1 / diam2)}
  X: {expr: "stack(volume, area, shape, log(total_height), group, axis=1)", keep: false}
  seen: {dist: Normal, mu: "beta[0] + X @ beta[1:]", sigma: sigma, observed: log(weight)}
"""


def wells_data(rng: np.random.Generator) -> Values:
    dist, arsenic = rng.gamma(1.5, 30, 200), 0.5 + rng.gamma(1.5, 0.8, 200)
    assoc, educ = rng.integers(0, 2, 200), rng.integers(0, 17, 200)
    p = expit(-0.2 - 0.9 * (dist - dist.mean()) / 100 + 0.5 * (arsenic - arsenic.mean()))
    return {"N": 200, "switched": rng.binomial(1, p), "dist": dist, "arsenic": arsenic, "assoc": assoc, "educ": educ}


def wells_density(d: Values, v: Values) -> float:
    dist, arsenic, educ = (d["dist"] - d["dist"].mean()) / 100, d["arsenic"] - d["arsenic"].mean(), d["educ"] / 4
    educ = educ - educ.mean()
    columns = [dist, arsenic, educ, dist * arsenic, dist * educ, arsenic * educ]
    p = expit(v["alpha"] + np.stack(columns, axis=1) @ v["beta"])
    return stats.bernoulli(p).logpmf(d["switched"]).sum()


WELLS = """
variables:
  alpha: {dist: Flat}
  beta: {dist: Flat, shape: 6}
  c_dist100: {expr: (dist - mean(dist)) / 100}
  c_arsenic: {expr: arsenic - mean(arsenic)}
  c_educ4: {expr: (educ - mean(educ)) / 4}
  x:
    expr: >-
      stack(c_dist100, c_arsenic, c_educ4, c_dist100 * c_arsenic, c_dist100 * c_educ4, c_arsenic * c_educ4, axis=1)
  seen: {dist: Bernoulli, logit: alpha + x @ beta, observed: switched}
"""


def kidiq_data(rng: np.random.Generator) -> Values:
    hs, iq = rng.integers(0, 2, 80), rng.normal(100, 15, 80)
    work = rng.integers(1, 5, 80)
    return {"N": 80, "kid_score": rng.normal(25 + 6 * hs + 0.6 * iq, 18), "mom_hs": hs, "mom_iq": iq, "mom_work": work}


def kidiq_z_density(d: Values, v: Values) -> float:
    hs = (d["mom_hs"] - d["mom_hs"].mean()) / (2 * d["mom_hs"].std(ddof=1))
    iq = (d["mom_iq"] - d["mom_iq"].mean()) / (2 * d["mom_iq"].std(ddof=1))
    mu = v["beta"][0] + v["beta"][1] * hs + v["beta"][2] * iq + v["beta"][3] * hs * iq
    return stats.norm(mu, v["sigma"]).logpdf(d["kid_score"]).sum()


KIDIQ_Z = """
variables:
  beta: {dist: Flat, shape: 4}
  sigma: {dist: HalfFlat}
  z_mom_hs: {expr: (mom_hs - mean(mom_hs)) / (2 * sd(mom_hs))}
  z_mom_iq: {expr: (mom_iq - mean(mom_iq)) / (2 * sd(mom_iq))}
  inter: {expr: z_mom_hs * z_mom_iq}
  mu: {expr: "beta[0] + beta[1] * z_mom_hs + beta[2] * z_mom_iq + beta[3] * inter", keep: false}
  seen: {dist: Normal, mu: mu, sigma: sigma, observed: kid_score}
"""


def horseshoe_data(rng: np.random.Generator) -> Values:
    x = rng.normal(size=(60, 12))
    y = rng.binomial(1, expit(x[:, 0] * 2 - x[:, 1]))
    scales = {"scale_icept": 10, "scale_global": 0.05, "nu_global": 1, "nu_local": 1, "slab_scale": 2, "slab_df": 4}
    return {"n": 60, "d": 12, "y": y, "x": x} | scales


def horseshoe_density(d: Values, v: Values) -> float:
    c = d["slab_scale"] * np.sqrt(v["caux"])
    scale = np.sqrt(c**2 * v["lambda_"] ** 2 / (c**2 + v["tau"] ** 2 * v["lambda_"] ** 2))
    p = expit(v["beta0"] + d["x"] @ (v["z"] * scale * v["tau"]))
    return (
        stats.norm().logpdf(v["z"]).sum()
        + stats.t(d["nu_local"]).logpdf(v["lambda_"]).sum()
        + stats.t(d["nu_global"], scale=2 * d["scale_global"]).logpdf(v["tau"])
        + stats.invgamma(0.5 * d["slab_df"], scale=0.5 * d["slab_df"]).logpdf(v["caux"])
        + stats.norm(0, d["scale_icept"]).logpdf(v["beta0"])
        + stats.bernoulli(p).logpmf(d["y"]).sum()
    )


HORSESHOE = """
variables:
  beta0: {dist: Normal, mu: 0, sigma: scale_icept}
  z: {dist: Normal, mu: 0, sigma: 1, shape: d}
  tau: {dist: HalfStudentT, nu: nu_global, sigma: scale_global * 2}
  lambda_: {dist: HalfStudentT, nu: nu_local, sigma: 1, shape: d}
  caux: {dist: InverseGamma, alpha: 0.5 * slab_df, beta: 0.5 * slab_df}
  c: {expr: slab_scale * sqrt(caux)}
  lambda_tilde: {expr: sqrt(c**2 * square(lambda_) / (c**2 + tau**2 * square(lambda_)))}
  beta: {expr: z * lambda_tilde * tau}
  seen: {dist: Bernoulli, logit: beta0 + x @ beta, observed: y}
"""


def splines_data(rng: np.random.Generator) -> Values:
    times = np.sort(rng.uniform(0, 1, 60))
    basis = np.sin(np.outer(times, np.arange(1, 9)))
    y = -13 + 30 * np.sin(5 * times) + rng.normal(0, np.exp(2 + times), 60)
    return {"N": 60, "Y": y, "Ks": 1, "Xs": times[:, None] - 0.5, "nb_1": 1, "knots_1": [8], "Zs_1_1": basis,
            "Ks_sigma": 1, "Xs_sigma": times[:, None] - 0.5, "knots_sigma_1": [8], "Zs_sigma_1_1": basis}  # fmt: skip


def splines_density(d: Values, v: Values) -> float:
    mu = v["Intercept"] + d["Xs"] @ v["bs"] + d["Zs_1_1"] @ (v["sds_1_1"] * v["zs_1_1"])
    log_sigma = (
        v["Intercept_sigma"]
        + d["Xs_sigma"] @ v["bs_sigma"]
        + d["Zs_sigma_1_1"] @ (v["sds_sigma_1_1"] * v["zs_sigma_1_1"])
    )
    return (
        stats.t(3, -13, 36).logpdf(v["Intercept"])
        + stats.t(3, 0, 36).logpdf(v["sds_1_1"])
        + stats.norm().logpdf(v["zs_1_1"]).sum()
        + stats.t(3, 0, 10).logpdf(v["Intercept_sigma"])
        + stats.t(3, 0, 36).logpdf(v["sds_sigma_1_1"])
        + stats.norm().logpdf(v["zs_sigma_1_1"]).sum()
        + stats.norm(mu, np.exp(log_sigma)).logpdf(d["Y"]).sum()
    )


SPLINES = """
variables:
  Intercept: {dist: StudentT, nu: 3, mu: -13, sigma: 36}
  bs: {dist: Flat, shape: Ks}
  sds_1_1: {dist: HalfStudentT, nu: 3, sigma: 36}
  zs_1_1: {dist: Normal, mu: 0, sigma: 1, shape: "knots_1[0]"}
  s_1_1: {expr: sds_1_1 * zs_1_1}
  Intercept_sigma: {dist: StudentT, nu: 3, mu: 0, sigma: 10}
  bs_sigma: {dist: Flat, shape: Ks_sigma}
  sds_sigma_1_1: {dist: HalfStudentT, nu: 3, sigma: 36}
  zs_sigma_1_1: {dist: Normal, mu: 0, sigma: 1, shape: 8}
  mu: {expr: Intercept + Xs @ bs + Zs_1_1 @ s_1_1}
  sigma: {expr: exp(Intercept_sigma + Xs_sigma @ bs_sigma + Zs_sigma_1_1 @ (sds_sigma_1_1 * zs_sigma_1_1))}
  seen: {dist: Normal, mu: mu, sigma: sigma, observed: Y}
"""


def prophet_data(rng: np.random.Generator) -> Values:
    t, change = np.linspace(0, 1, 80), np.linspace(0.1, 0.8, 5)
    X = np.stack([np.sin(40 * t), np.cos(40 * t)], axis=1)
    y = 0.2 + 0.5 * t + 0.3 * np.maximum(t - change[2], 0) + X @ [0.1, -0.05] + rng.normal(0, 0.05, 80)
    return {"T": 80, "K": 2, "t": t, "cap": np.ones(80), "y": y, "S": 5, "t_change": change, "X": X,
            "sigmas": [10, 10], "tau": 0.05, "trend_indicator": 0, "s_a": [1, 1], "s_m": [0, 0]}  # fmt: skip


def prophet_density(d: Values, v: Values) -> float:
    A = (d["t"][:, None] >= d["t_change"]).astype(float)
    trend = (v["k"] + A @ v["delta"]) * d["t"] + v["m"] + A @ (-d["t_change"] * v["delta"])
    mu = trend * (1 + d["X"] @ (v["beta"] * d["s_m"])) + d["X"] @ (v["beta"] * d["s_a"])
    return (
        stats.norm(0, 5).logpdf([v["k"], v["m"]]).sum()
        + stats.laplace(0, d["tau"]).logpdf(v["delta"]).sum()
        + stats.norm(0, 0.5).logpdf(v["sigma_obs"])
        + stats.norm(0, d["sigmas"]).logpdf(v["beta"]).sum()
        + stats.norm(mu, v["sigma_obs"]).logpdf(d["y"]).sum()
    )


PROPHET = """
variables:
  k: {dist: Normal, mu: 0, sigma: 5}
  m: {dist: Normal, mu: 0, sigma: 5}
  delta: {dist: Laplace, mu: 0, b: tau, shape: S}
  sigma_obs: {dist: HalfNormal, sigma: 0.5}
  beta: {dist: Normal, mu: 0, sigma: sigmas, shape: K}
  A: {expr: "t[:, None] >= t_change[None, :]", keep: false}
  trend: {expr: (k + A @ delta) * t + (m + A @ (-t_change * delta))}
  seen: {dist: Normal, mu: "trend * (1 + X @ (beta * s_m)) + X @ (beta * s_a)", sigma: sigma_obs, observed: y}
"""


def network_data(rng: np.random.Generator) -> Values:
    return {"N": 30, "M": 6, "x": rng.uniform(size=(30, 6)), "K": 4, "y": rng.integers(1, 5, 30), "J": 3}


def network_density(d: Values, v: Values) -> float:
    hidden = np.tanh(v["alpha1"] + d["x"] @ v["alpha"])
    logits = np.concatenate([np.zeros((30, 1)), v["beta1"] + hidden @ v["beta"]], axis=1)
    log_p = logits - logsumexp(logits, axis=1, keepdims=True)
    return (
        stats.invgamma(0.5, scale=0.5).logpdf([v["sigma2_alpha"], v["sigma2_beta"]]).sum()
        + stats.norm(0, np.sqrt(v["sigma2_alpha"])).logpdf(v["alpha"]).sum()
        + stats.norm(0, np.sqrt(v["sigma2_beta"])).logpdf(v["beta"]).sum()
        + stats.norm(0, 1).logpdf(v["alpha1"]).sum()
        + stats.norm(0, 1).logpdf(v["beta1"]).sum()
        + log_p[np.arange(30), d["y"] - 1].sum()
    )


NETWORK = """
variables:
  sigma2_alpha: {dist: InverseGamma, alpha: 0.5, beta: 0.5}
  sigma2_beta: {dist: InverseGamma, alpha: 0.5, beta: 0.5}
  alpha: {dist: Normal, mu: 0, sigma: sqrt(sigma2_alpha), shape: [M, J]}
  beta: {dist: Normal, mu: 0, sigma: sqrt(sigma2_beta), shape: [J, K - 1]}
  alpha1: {dist: Normal, mu: 0, sigma: 1, shape: J}
  beta1: {dist: Normal, mu: 0, sigma: 1, shape: K - 1}
  v: {expr: "concatenate(zeros(N, 1), beta1 + tanh(alpha1 + x @ alpha) @ beta, axis=1)", keep: false}
  seen: {dist: Categorical, logits: v, observed: y - 1}
"""


def rate_data(rng: np.random.Generator) -> Values:
    return {"n1": 10, "n2": 12, "k1": 5, "k2": 7}


def rate_2_density(d: Values, v: Values) -> float:
    return stats.binom(10, v["theta1"]).logpmf(5) + stats.binom(12, v["theta2"]).logpmf(7)


RATE_2 = """
variables:
  theta1: {dist: Beta, alpha: 1, beta: 1}
  theta2: {dist: Beta, alpha: 1, beta: 1}
  delta: {expr: theta1 - theta2}
  seen1: {dist: Binomial, n: n1, p: theta1, observed: k1}
  seen2: {dist: Binomial, n: n2, p: theta2, observed: k2}
"""


def rate_3_density(d: Values, v: Values) -> float:
    return stats.binom([10, 12], v["theta"]).logpmf([5, 7]).sum()


RATE_3 = """
variables:
  theta: {dist: Beta, alpha: 1, beta: 1}
  seen: {dist: Binomial, n: "concatenate(n1, n2)", p: theta, observed: "concatenate(k1, k2)"}
"""


def nes_logit_data(rng: np.random.Generator) -> Values:
    income = rng.integers(1, 6, 120)
    return {"N": 120, "income": income, "vote": rng.binomial(1, expit(-1.4 + 0.33 * income))}


def nes_logit_density(d: Values, v: Values) -> float:
    return stats.bernoulli(expit(v["alpha"] + v["beta"][0] * d["income"])).logpmf(d["vote"]).sum()


NES_LOGIT = """
variables:
  alpha: {dist: Flat}
  beta: {dist: Flat, shape: 1}
  x: {expr: "income[:, None]", keep: false}
  seen: {dist: Bernoulli, logit: alpha + x @ beta, observed: vote}
"""

CASES = (
    Case("dugongs_data-dugongs_model", DUGONGS, dugongs_data, dugongs_density),
    Case("GLM_Poisson_Data-GLM_Poisson_model", GLM_POISSON, glm_poisson_data, glm_poisson_density),
    Case("GLM_Binomial_data-GLM_Binomial_model", GLM_BINOMIAL, glm_binomial_data, glm_binomial_density),
    Case("mesquite-logmesquite_logvas", LOGVAS, mesquite_data, logvas_density),
    Case("wells_data-wells_daae_c_model", WELLS, wells_data, wells_density),
    Case("kidiq_with_mom_work-kidscore_interaction_z", KIDIQ_Z, kidiq_data, kidiq_z_density),
    Case("ovarian-logistic_regression_rhs", HORSESHOE, horseshoe_data, horseshoe_density),
    Case("mcycle_splines-accel_splines", SPLINES, splines_data, splines_density),
    Case("rstan_downloads-prophet", PROPHET, prophet_data, prophet_density),
    Case("mnist_100-nn_rbm1bJ10", NETWORK, network_data, network_density),
    Case("Rate_2_data-Rate_2_model", RATE_2, rate_data, rate_2_density),
    Case("Rate_3_data-Rate_3_model", RATE_3, rate_data, rate_3_density),
    Case("nes_logit_data-nes_logit_model", NES_LOGIT, nes_logit_data, nes_logit_density),
)
