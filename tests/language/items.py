"""Item response models of posteriordb as a newcomer writes them."""

import numpy as np
from scipy import stats
from scipy.special import expit, logsumexp

from tests.language.case import Case, Values


def irt_data(rng: np.random.Generator) -> Values:
    theta, b = rng.normal(size=15), rng.normal(size=5)
    return {"I": 5, "J": 15, "y": rng.binomial(1, expit(1.2 * (theta - b[:, None])))}


def irt_2pl_density(d: Values, v: Values) -> float:
    total = stats.cauchy(0, 2).logpdf([v["sigma_theta"], v["sigma_a"], v["sigma_b"]]).sum()
    total += stats.norm(0, v["sigma_theta"]).logpdf(v["theta"]).sum()
    total += stats.lognorm(v["sigma_a"]).logpdf(v["a"]).sum()
    total += stats.norm(0, 5).logpdf(v["mu_b"]) + stats.norm(v["mu_b"], v["sigma_b"]).logpdf(v["b"]).sum()
    for i in range(d["I"]):
        total += stats.bernoulli(expit(v["a"][i] * (v["theta"] - v["b"][i]))).logpmf(d["y"][i]).sum()
    return float(total)


IRT_2PL = """
variables:
  sigma_theta: {dist: HalfCauchy, beta: 2}
  theta: {dist: Normal, mu: 0, sigma: sigma_theta, shape: J}
  sigma_a: {dist: HalfCauchy, beta: 2}
  a: {dist: LogNormal, mu: 0, sigma: sigma_a, shape: I}
  mu_b: {dist: Normal, mu: 0, sigma: 5}
  sigma_b: {dist: HalfCauchy, beta: 2}
  b: {dist: Normal, mu: mu_b, sigma: sigma_b, shape: I}
  seen: {dist: Bernoulli, logit: "a[:, None] * (theta - b[:, None])", observed: y}
"""


def long_data(rng: np.random.Generator, levels: int = 2) -> Values:
    ii, jj = np.tile(np.arange(1, 5), 12), np.repeat(np.arange(1, 13), 4)
    W = np.stack([np.ones(12), rng.normal(50, 10, 12), rng.integers(0, 2, 12)], axis=1)
    return {"I": 4, "J": 12, "N": 48, "ii": ii, "jj": jj, "y": rng.integers(0, levels, 48), "K": 3, "W": W}


def adjusted(W: np.ndarray) -> np.ndarray:
    """The covariates as the published program scales them."""
    result = W.astype(float)
    for k in range(1, W.shape[1]):
        column = W[:, k]
        scale = column.max() - column.min() if len(set(column)) == 2 else 2 * column.std(ddof=1)
        result[:, k] = (column - column.mean()) / scale
    return result


def latent_density(d: Values, v: Values) -> float:
    beta = np.append(v["beta_free"], -np.sum(v["beta_free"]))
    ii, jj = d["ii"] - 1, d["jj"] - 1
    return (
        stats.lognorm(1, scale=np.e).logpdf(v["alpha"]).sum()
        + stats.norm(0, 3).logpdf(beta).sum()
        + stats.t(3).logpdf(v["lambda_adj"]).sum()
        + stats.norm(adjusted(d["W"]) @ v["lambda_adj"], 1).logpdf(v["theta"]).sum()
        + stats.bernoulli(expit(v["alpha"][ii] * v["theta"][jj] - beta[ii])).logpmf(d["y"]).sum()
    )


LATENT = """
variables:
  centre: {expr: "concatenate(0, mean(W[:, 1:], axis=0))", keep: false}
  scale: {expr: "concatenate(1, 2 * sd(W[:, 1]), max(W[:, 2]) - min(W[:, 2]))", keep: false}
  W_adj: {expr: (W - centre) / scale, keep: false}
  alpha: {dist: LogNormal, mu: 1, sigma: 1, shape: I}
  beta_free: {dist: Flat, shape: I - 1}
  beta: {expr: "concatenate(beta_free, -sum(beta_free))"}
  beta_prior: {potential: "-0.5 * square(beta / 3)"}
  lambda_adj: {dist: StudentT, nu: 3, mu: 0, sigma: 1, shape: K}
  theta: {dist: Normal, mu: W_adj @ lambda_adj, sigma: 1, shape: J}
  seen: {dist: Bernoulli, logit: "alpha[ii - 1] * theta[jj - 1] - beta[ii - 1]", observed: y}
"""


def rating_data(rng: np.random.Generator) -> Values:
    return long_data(rng, 4)


def rating_density(d: Values, v: Values) -> float:
    beta = np.append(v["beta_free"], -np.sum(v["beta_free"]))
    kappa = np.append(v["kappa_free"], -np.sum(v["kappa_free"]))
    total = stats.lognorm(1, scale=np.e).logpdf(v["alpha"]).sum() + stats.norm(0, 3).logpdf([*beta, *kappa]).sum()
    total += stats.t(3).logpdf(v["lambda_adj"]).sum()
    total += stats.norm(adjusted(d["W"]) @ v["lambda_adj"], 1).logpdf(v["theta"]).sum()
    for i, j, y in zip(d["ii"] - 1, d["jj"] - 1, d["y"], strict=True):
        unsummed = np.append(0, v["alpha"][i] * (v["theta"][j] - beta[i] - kappa))
        logits = np.cumsum(unsummed)
        total += logits[y] - logsumexp(logits)
    return float(total)


RATING = """
variables:
  W_adj: {expr: "stack(ones(J), (W[:, 1] - mean(W[:, 1])) / (2 * sd(W[:, 1])), W[:, 2] - mean(W[:, 2]), axis=1)"}
  alpha: {dist: LogNormal, mu: 1, sigma: 1, shape: I}
  beta_free: {dist: Normal, mu: 0, sigma: 3, shape: I - 1}
  kappa_free: {dist: Normal, mu: 0, sigma: 3, shape: max(y) - 1}
  beta: {expr: "concatenate(beta_free, -sum(beta_free))"}
  kappa: {expr: "concatenate(kappa_free, -sum(kappa_free))"}
  last_beta: {potential: "-0.5 * square(sum(beta_free) / 3)"}
  last_kappa: {potential: "-0.5 * square(sum(kappa_free) / 3)"}
  lambda_adj: {dist: StudentT, nu: 3, mu: 0, sigma: 1, shape: K}
  theta: {dist: Normal, mu: W_adj @ lambda_adj, sigma: 1, shape: J}
  steps: {expr: "alpha[ii - 1][:, None] * ((theta[jj - 1] - beta[ii - 1])[:, None] - kappa)", keep: false}
  seen: {dist: Categorical, logits: "concatenate(zeros(N, 1), cumsum(steps, axis=1), axis=1)", observed: y}
"""


def partial_data(rng: np.random.Generator) -> Values:
    data = long_data(rng, 2)
    categories = np.array([1, 2, 3, 2])  # steps of each item: ragged
    return data | {"y": rng.integers(0, categories[data["ii"] - 1] + 1)}


def partial_density(d: Values, v: Values) -> float:
    beta = np.append(v["beta_free"], -np.sum(v["beta_free"]))
    steps = np.array([d["y"][d["ii"] == i + 1].max() for i in range(4)])
    starts = np.cumsum(steps) - steps
    total = stats.lognorm(1, scale=np.e).logpdf(v["alpha"]).sum() + stats.norm(0, 3).logpdf(beta).sum()
    total += stats.norm(0, 1).logpdf(v["theta"]).sum()
    for i, j, y in zip(d["ii"] - 1, d["jj"] - 1, d["y"], strict=True):
        mine = beta[starts[i] : starts[i] + steps[i]]
        logits = np.cumsum(np.append(0, v["alpha"][i] * v["theta"][j] - mine))
        total += logits[y] - logsumexp(logits)
    return float(total)


# The items have different numbers of steps: a rectangle of steps, those beyond an item's last at probability 0.
PARTIAL = """
data:
  m: {values: [1, 2, 3, 2]}
  pos: {values: [1, 2, 4, 7]}
variables:
  alpha: {dist: LogNormal, mu: 1, sigma: 1, shape: I}
  beta_free: {dist: Flat, shape: sum(m) - 1}
  beta: {expr: "concatenate(beta_free, -sum(beta_free))"}
  beta_prior: {potential: "-0.5 * square(beta / 3)"}
  theta: {dist: Normal, mu: 0, sigma: 1, shape: J}
  step: {expr: "arange(max(m))", keep: false}
  exists: {expr: "step < m[ii - 1][:, None]", keep: false}
  which: {expr: "minimum(pos[ii - 1][:, None] - 1 + step, sum(m) - 1)", keep: false}
  up: {expr: "(alpha[ii - 1] * theta[jj - 1])[:, None] - beta[which]", keep: false}
  seen:
    dist: Categorical
    logits: "concatenate(zeros(N, 1), where(exists, cumsum(up, axis=1), -1.0e9), axis=1)"
    observed: y
"""


def sat_density(d: Values, v: Values) -> float:
    ii, jj = d["ii"] - 1, d["jj"] - 1
    corr = stats.multivariate_normal
    chol = np.diag(v["tau"]) @ v["L_Omega"]
    alpha, beta = np.exp(v["xi"][:, 0]), v["xi"][:, 1]
    return (
        (2 * 4 - 2) * np.log(v["L_Omega"][1, 1])
        + corr(v["mu"], chol @ chol.T).logpdf(v["xi"]).sum()
        + stats.norm().logpdf(v["theta"]).sum()
        + stats.norm(0, [1, 5]).logpdf(v["mu"]).sum()
        + stats.expon(scale=10).logpdf(v["tau"]).sum()
        + stats.bernoulli(expit(alpha[ii] * (v["theta"][jj] - beta[ii]))).logpmf(d["y"]).sum()
    )


SAT = """
variables:
  theta: {dist: Normal, mu: 0, sigma: 1, shape: J}
  mu: {dist: Normal, mu: 0, sigma: [1, 5], shape: 2}
  tau: {dist: Exponential, rate: 0.1, shape: 2}
  L_Omega: {dist: LKJCholesky, eta: 4, shape: [2, 2]}
  xi: {dist: MvNormal, mu: mu, chol: "tau[:, None] * L_Omega", shape: [I, 2]}
  alpha: {expr: "exp(xi[:, 0])"}
  beta: {expr: "xi[:, 1]"}
  Omega: {expr: "L_Omega @ transpose(L_Omega)"}
  seen: {dist: Bernoulli, logit: "alpha[ii - 1] * (theta[jj - 1] - beta[ii - 1])", observed: y}
"""


def lsat_data(rng: np.random.Generator) -> Values:
    counts = rng.integers(1, 6, 8)
    return {"N": int(counts.sum()), "R": 8, "T": 3, "culm": np.cumsum(counts),
            "response": np.array([[r >> 2 & 1, r >> 1 & 1, r & 1] for r in range(8)])}  # fmt: skip


def lsat_density(d: Values, v: Values) -> float:
    total = stats.norm(0, 100).logpdf([*v["alpha"], v["beta"]]).sum() + stats.norm().logpdf(v["theta"]).sum()
    row = 0
    for person in range(d["N"]):
        row += person >= d["culm"][row]
        total += stats.bernoulli(expit(v["beta"] * v["theta"][person] - v["alpha"])).logpmf(d["response"][row]).sum()
    return float(total)


# Row r of the responses was given by the persons from culm[r - 1] to culm[r] - 1.
LSAT = """
variables:
  alpha: {dist: Normal, mu: 0, sigma: 100, shape: T}
  theta: {dist: Normal, mu: 0, sigma: 1, shape: N}
  beta: {dist: HalfNormal, sigma: 100}
  row: {expr: "sum(arange(N)[:, None] >= culm, axis=1)", keep: false}
  a: {expr: alpha - mean(alpha)}
  seen: {dist: Bernoulli, logit: "beta * theta[:, None] - alpha", observed: "response[row]"}
"""


def bones_data(rng: np.random.Generator) -> Values:
    ncat = np.array([2, 3, 5])
    gamma = np.array([[3.0, 99, 99, 99], [1.0, 6.0, 99, 99], [0.5, 2.0, 5.0, 8.0]])
    grade = rng.integers(1, ncat + 1, (7, 3))
    grade[0, 1] = grade[3, 2] = -1  # not graded
    return {"nChild": 7, "nInd": 3, "gamma": gamma, "delta": [2.9, 1.6, 1.1], "ncat": ncat, "grade": grade}


def bones_density(d: Values, v: Values) -> float:
    total = stats.norm(0, 36).logpdf(v["theta"]).sum()
    for i in range(7):
        for j in range(3):
            Q = expit(d["delta"][j] * (v["theta"][i] - d["gamma"][j, : d["ncat"][j] - 1]))
            p = np.append(1, Q) - np.append(Q, 0)
            if d["grade"][i, j] != -1:
                total += np.log(p[d["grade"][i, j] - 1])
    return float(total)


BONES = """
variables:
  theta: {dist: Normal, mu: 0, sigma: 36, shape: nChild}
  child: {expr: "arange(nChild)[:, None]", keep: false}
  indicator: {expr: arange(nInd), keep: false}
  graded: {expr: grade != -1, keep: false}
  g: {expr: "where(graded, grade, 1)", keep: false}
  # the probability of a grade above k = 0, 1, ...: 1, Q, and 0 from the last on
  exists: {expr: "arange(4) < ncat[:, None] - 1", keep: false}
  Q: {expr: "where(exists, sigmoid(delta[:, None] * (theta[:, None, None] - gamma)), 0)", keep: false}
  above: {expr: "concatenate(ones(nChild, nInd, 1), Q, zeros(nChild, nInd, 1), axis=2)", keep: false}
  grades: {potential: "where(graded, log(above[child, indicator, g - 1] - above[child, indicator, g]), 0)"}
"""

CASES = (
    Case("irt_2pl-irt_2pl", IRT_2PL, irt_data, irt_2pl_density),
    Case("fims_Aus_Jpn_irt-2pl_latent_reg_irt", LATENT, long_data, latent_density),
    Case("science_irt-grsm_latent_reg_irt", RATING, rating_data, rating_density),
    Case("timssAusTwn_irt-gpcm_latent_reg_irt", PARTIAL, partial_data, partial_density),
    Case("sat-hier_2pl", SAT, long_data, sat_density),
    Case("lsat_data-lsat_model", LSAT, lsat_data, lsat_density),
    Case("bones_data-bones_model", BONES, bones_data, bones_density),
)
