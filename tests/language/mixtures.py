"""Models of posteriordb with discrete unknowns summed out, as a newcomer writes them."""

import numpy as np
from scipy import stats
from scipy.special import expit, logit, logsumexp

from tests.language.case import Case, Values


def capture_data(rng: np.random.Generator) -> Values:
    y = rng.binomial(1, 0.4, (30, 3)) * rng.binomial(1, 0.6, (30, 1))
    return {"M": 30, "T": 3, "y": y}


def captured(omega: float, y: np.ndarray, p: np.ndarray) -> float:
    """The log probability of histories y, given that of each capture; a row of zeros may be of no animal."""
    total = 0.0
    for row, probability in zip(y, np.broadcast_to(p, y.shape), strict=True):
        seen = np.log(omega) + stats.bernoulli(probability).logpmf(row).sum()
        total += seen if row.any() else np.logaddexp(seen, np.log1p(-omega))
    return total


def m0_density(d: Values, v: Values) -> float:
    return captured(v["omega"], d["y"], v["p"])


M0 = """
variables:
  omega: {dist: Uniform, low: 0, high: 1}
  p: {dist: Uniform, low: 0, high: 1}
  s: {expr: "sum(y, axis=1)", keep: false}
  present: {expr: "log(omega) + s * log(p) + (T - s) * log1p(-p)", keep: false}
  history: {potential: "where(s > 0, present, logaddexp(present, log1p(-omega)))"}
"""


def mt_density(d: Values, v: Values) -> float:
    return captured(v["omega"], d["y"], v["p"])


MT = """
variables:
  omega: {dist: Uniform, low: 0, high: 1}
  p: {dist: Uniform, low: 0, high: 1, shape: T}
  s: {expr: "sum(y, axis=1)", keep: false}
  present: {expr: "log(omega) + sum(y * log(p) + (1 - y) * log1p(-p), axis=1)", keep: false}
  history: {potential: "where(s > 0, present, logaddexp(present, log1p(-omega)))"}
"""


def mb_density(d: Values, v: Values) -> float:
    before = np.concatenate([np.zeros((30, 1)), d["y"][:, :-1]], axis=1)
    return captured(v["omega"], d["y"], (1 - before) * v["p"] + before * v["c"])


MB = """
variables:
  omega: {dist: Uniform, low: 0, high: 1}
  p: {dist: Uniform, low: 0, high: 1}
  c: {dist: Uniform, low: 0, high: 1}
  before: {expr: "concatenate(zeros(M, 1), y[:, :-1], axis=1)", keep: false}
  p_eff: {expr: (1 - before) * p + before * c, keep: false}
  present: {expr: "log(omega) + sum(where(y == 1, log(p_eff), log1p(-p_eff)), axis=1)", keep: false}
  history: {potential: "where(max(y, axis=1) == 1, present, logaddexp(present, log1p(-omega)))"}
"""


def mh_density(d: Values, v: Values) -> float:
    p = expit(logit(v["mean_p"]) + v["sigma"] * v["eps_raw"])
    return stats.norm().logpdf(v["eps_raw"]).sum() + captured(v["omega"], d["y"], p[:, None])


MH = """
variables:
  omega: {dist: Uniform, low: 0, high: 1}
  mean_p: {dist: Uniform, low: 0, high: 1}
  sigma: {dist: Uniform, low: 0, high: 5}
  eps_raw: {dist: Normal, mu: 0, sigma: 1, shape: M}
  eps: {expr: logit(mean_p) + sigma * eps_raw}
  s: {expr: "sum(y, axis=1)", keep: false}
  present: {expr: "log(omega) + s * eps - T * softplus(eps)", keep: false}
  history: {potential: "where(s > 0, present, logaddexp(present, log1p(-omega)))"}
"""


def mtbh_density(d: Values, v: Values) -> float:
    before = np.concatenate([np.zeros((30, 1)), d["y"][:, :-1]], axis=1)
    p = expit(logit(v["mean_p"]) + (v["sigma"] * v["eps_raw"])[:, None] + v["gamma"] * before)
    priors = stats.norm().logpdf(v["eps_raw"]).sum() + stats.norm(0, 10).logpdf(v["gamma"])
    return priors + captured(v["omega"], d["y"], p)


MTBH = """
variables:
  omega: {dist: Uniform, low: 0, high: 1}
  mean_p: {dist: Uniform, low: 0, high: 1, shape: T}
  gamma: {dist: Normal, mu: 0, sigma: 10}
  sigma: {dist: Uniform, low: 0, high: 3}
  eps_raw: {dist: Normal, mu: 0, sigma: 1, shape: M}
  before: {expr: "concatenate(zeros(M, 1), y[:, :-1], axis=1)", keep: false}
  logit_p: {expr: "logit(mean_p) + sigma * eps_raw[:, None] + gamma * before", keep: false}
  present: {expr: "log(omega) + sum(y * logit_p - softplus(logit_p), axis=1)", keep: false}
  history: {potential: "where(sum(y, axis=1) > 0, present, logaddexp(present, log1p(-omega)))"}
"""


def survey_data(rng: np.random.Generator) -> Values:
    return {"nmax": 60, "m": 5, "k": [16, 18, 22, 25, 27]}


def survey_density(d: Values, v: Values) -> float:
    n = np.arange(27, 61)
    return logsumexp(stats.binom(n[:, None], v["theta"]).logpmf(d["k"]).sum(axis=1) - np.log(60))


SURVEY = """
variables:
  theta: {dist: Uniform, low: 0, high: 1}
  n: {expr: "arange(max(k), nmax + 1)", keep: false}
  log_choose: {expr: "gammaln(n[:, None] + 1) - gammaln(k + 1) - gammaln(n[:, None] - k + 1)", keep: false}
  terms: {expr: "sum(log_choose + k * log(theta) + (n[:, None] - k) * log1p(-theta), axis=1)", keep: false}
  seen: {potential: logsumexp(terms) - log(nmax)}
"""


def butterfly_data(rng: np.random.Generator) -> Values:
    return {"J": 4, "K": 6, "n": 5, "x": rng.integers(0, 4, (5, 4)), "S": 8}


def butterfly_density(d: Values, v: Values) -> float:
    s1, s2 = v["sigma_uv"]
    cov = np.array([[s1**2, s1 * s2 * v["rho_uv"]], [s1 * s2 * v["rho_uv"], s2**2]])
    total = stats.cauchy(0, 2.5).logpdf([v["alpha"], v["beta"], s1, s2]).sum()
    total += stats.beta(2, 2).logpdf((v["rho_uv"] + 1) / 2) + stats.beta(2, 2).logpdf(v["Omega"])
    total += stats.multivariate_normal([0, 0], cov).logpdf(v["uv"]).sum()
    psi, theta = expit(v["uv"][:, 0] + v["alpha"]), expit(v["uv"][:, 1] + v["beta"])

    def observed(x: int, i: int) -> float:
        here = np.log(psi[i]) + stats.binom(d["K"], theta[i]).logpmf(x)
        return here if x > 0 else np.logaddexp(here, np.log1p(-psi[i]))

    for i in range(d["S"]):
        if i < d["n"]:
            total += np.log(v["Omega"]) + sum(observed(x, i) for x in d["x"][i])
        else:
            total += np.logaddexp(np.log1p(-v["Omega"]), np.log(v["Omega"]) + d["J"] * observed(0, i))
    return float(total)


BUTTERFLY = """
variables:
  alpha: {dist: Cauchy, alpha: 0, beta: 2.5}
  beta: {dist: Cauchy, alpha: 0, beta: 2.5}
  Omega: {dist: Beta, alpha: 2, beta: 2}
  half: {dist: Beta, alpha: 2, beta: 2}
  rho_uv: {expr: 2 * half - 1}
  sigma_uv: {dist: HalfCauchy, beta: 2.5, shape: 2}
  cov: {expr: "outer(sigma_uv, sigma_uv) * (rho_uv + (1 - rho_uv) * eye(2))", keep: false}
  uv: {dist: MvNormal, mu: 0, cov: cov, shape: [S, 2]}
  logit_psi: {expr: "uv[:, 0] + alpha"}
  logit_theta: {expr: "uv[:, 1] + beta"}
  missed: {expr: "logaddexp(log_sigmoid(logit_psi) - K * softplus(logit_theta), log_sigmoid(-logit_psi))", keep: false}
  p: {expr: "sigmoid(logit_theta[:n, None])", keep: false}
  log_choose: {expr: gammaln(K + 1) - gammaln(x + 1) - gammaln(K - x + 1), keep: false}
  counted: {expr: "log_sigmoid(logit_psi[:n, None]) + log_choose + x * log(p) + (K - x) * log1p(-p)", keep: false}
  seen: {potential: "log(Omega) + sum(where(x > 0, counted, missed[:n, None]), axis=1)"}
  unseen: {potential: "logaddexp(log1p(-Omega), log(Omega) + J * missed[n:])"}
"""


def lda_data(rng: np.random.Generator) -> Values:
    return {"K": 2, "V": 6, "M": 4, "N": 40, "w": rng.integers(1, 7, 40), "doc": np.sort(rng.integers(1, 5, 40)),
            "alpha": [1.0, 1.0], "beta": np.full(6, 0.5)}  # fmt: skip


def lda_density(d: Values, v: Values) -> float:
    total = stats.dirichlet([1, 1]).logpdf(v["theta"].T).sum() + sum(
        stats.dirichlet(d["beta"]).logpdf(p) for p in v["phi"]
    )
    for w, doc in zip(d["w"] - 1, d["doc"] - 1, strict=True):
        total += np.log(sum(v["theta"][doc, k] * v["phi"][k, w] for k in range(2)))
    return float(total)


LDA = """
variables:
  theta: {dist: Dirichlet, alpha: alpha, shape: [M, K]}
  phi: {dist: Dirichlet, alpha: beta, shape: [K, V]}
  gamma: {expr: "log(theta[doc - 1]) + log(phi[:, w - 1].T)", keep: false}
  words: {potential: "logsumexp(gamma, axis=1)"}
"""


def normal_mixture_data(rng: np.random.Generator) -> Values:
    return {"K": 3, "N": 60, "y": rng.normal(rng.choice([-5, 0, 6], 60), 1)}


def normal_mixture_density(d: Values, v: Values) -> float:
    parts = stats.norm(v["mu"], v["sigma"]).logpdf(d["y"][:, None]) + np.log(v["theta"])
    return stats.norm(0, 10).logpdf(v["mu"]).sum() + logsumexp(parts, axis=1).sum()


NORMAL_MIXTURE = """
variables:
  theta: {dist: Dirichlet, alpha: 1, shape: K}
  mu: {dist: Normal, mu: 0, sigma: 10, shape: K}
  sigma: {dist: Uniform, low: 0, high: 10, shape: K}
  ps: {expr: "log(theta) - log(sigma) - 0.5 * square((y[:, None] - mu) / sigma)", keep: false}
  seen: {potential: "logsumexp(ps, axis=1)"}
"""

CASES = (
    Case("M0_data-M0_model", M0, capture_data, m0_density),
    Case("Mt_data-Mt_model", MT, capture_data, mt_density),
    Case("Mb_data-Mb_model", MB, capture_data, mb_density),
    Case("Mh_data-Mh_model", MH, capture_data, mh_density),
    Case("Mtbh_data-Mtbh_model", MTBH, capture_data, mtbh_density),
    Case("Survey_data-Survey_model", SURVEY, survey_data, survey_density),
    Case("butterfly-multi_occupancy", BUTTERFLY, butterfly_data, butterfly_density),
    Case("three_men1-ldaK2", LDA, lda_data, lda_density),
    Case("normal_5-normal_mixture_k", NORMAL_MIXTURE, normal_mixture_data, normal_mixture_density),
)
