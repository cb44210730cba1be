"""Models of posteriordb along time or space, as a newcomer writes them."""

import numpy as np
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import logsumexp, softmax

from tests.language.case import Case, Values


def arma_data(rng: np.random.Generator) -> Values:
    return {"T": 50, "y": np.cumsum(rng.normal(size=50)) * 0.5}


def arma_density(d: Values, v: Values) -> float:
    y, err = d["y"], np.zeros(50)
    err[0] = y[0] - (v["mu"] + v["phi"] * v["mu"])
    for t in range(1, 50):
        err[t] = y[t] - (v["mu"] + v["phi"] * y[t - 1] + v["theta"] * err[t - 1])
    return (
        stats.norm(0, 10).logpdf(v["mu"])
        + stats.norm(0, 2).logpdf([v["phi"], v["theta"]]).sum()
        + stats.cauchy(0, 2.5).logpdf(v["sigma"])
        + stats.norm(0, v["sigma"]).logpdf(err).sum()
    )


ARMA = """
variables:
  mu: {dist: Normal, mu: 0, sigma: 10}
  phi: {dist: Normal, mu: 0, sigma: 2}
  theta: {dist: Normal, mu: 0, sigma: 2}
  sigma: {dist: HalfCauchy, beta: 2.5}
  err:
    scan:
      carry: {err: "y[0] - (mu + phi * mu)"}
      sequences: {now: "y[1:]", last: "y[:-1]"}
      step: {err: now - (mu + phi * last + theta * err)}
      collect: all
    keep: false
  seen: {dist: Normal, mu: y - err, sigma: sigma, observed: y}
"""


def drive_data(rng: np.random.Generator) -> Values:
    return {"K": 2, "N": 40, "u": rng.exponential(0.5, 40), "v": rng.exponential(0.3, 40), "alpha": [[4, 1], [1, 4]]}


def drive_density(d: Values, v: Values) -> float:
    phi, lam, theta = v["phi"], v["lambda_"], v["theta"]
    total = sum(stats.dirichlet(a).logpdf(t) for a, t in zip(d["alpha"], theta, strict=True))
    total += stats.norm([0, 3], 1).logpdf(phi).sum() + stats.norm([0, 3], 1).logpdf(lam).sum()
    emit = [
        stats.expon(scale=1 / phi).logpdf(u) + stats.expon(scale=1 / lam).logpdf(w)
        for u, w in zip(d["u"], d["v"], strict=True)
    ]
    gamma = emit[0]
    for now in emit[1:]:
        gamma = np.array([logsumexp(gamma + np.log(theta[:, k])) for k in range(2)]) + now
    return float(total + logsumexp(gamma))


DRIVE = """
variables:
  theta: {dist: Dirichlet, alpha: alpha, shape: [K, K]}
  phi: {dist: Normal, mu: [0, 3], sigma: 1, shape: K, transform: positive_ordered}
  lambda_: {dist: Normal, mu: [0, 3], sigma: 1, shape: K, transform: positive_ordered}
  emit: {expr: "log(phi) - phi * u[:, None] + log(lambda_) - lambda_ * v[:, None]", keep: false}
  forward:
    scan:
      carry: {gamma: "emit[0]"}
      sequences: {now: "emit[1:]"}
      step: {gamma: "logsumexp(gamma[:, None] + log(theta), axis=0) + now"}
      collect: last
    keep: false
  seen: {potential: logsumexp(forward)}
"""


def iohmm_data(rng: np.random.Generator) -> Values:
    return {"K": 3, "M": 2, "T": 30, "y": rng.normal(size=30), "u": rng.normal(size=(30, 2))}


def iohmm_density(d: Values, v: Values) -> float:
    total = (
        stats.norm(0, 5).logpdf(v["w"]).sum()
        + stats.norm(0, 5).logpdf(v["b"]).sum()
        + stats.norm(0, 3).logpdf(v["sigma"]).sum()
    )
    emit = stats.norm(d["u"] @ v["b"].T, v["sigma"]).logpdf(d["y"][:, None])
    alpha = np.log(v["pi1"]) + emit[0]
    for t in range(1, 30):
        alpha = logsumexp(alpha) + np.log(softmax(v["w"] @ d["u"][t])) + emit[t]
    return float(total + logsumexp(alpha))


# The published program moves between states by the inputs alone, whatever the state before.
IOHMM = """
variables:
  pi1: {dist: Dirichlet, alpha: 1, shape: K}
  w: {dist: Normal, mu: 0, sigma: 5, shape: [K, M]}
  b: {dist: Normal, mu: 0, sigma: 5, shape: [K, M]}
  sigma: {dist: HalfNormal, sigma: 3, shape: K}
  logA: {expr: "log_softmax(u @ w.T, axis=1)", keep: false}
  logoblik: {expr: "-log(sigma) - 0.5 * square((y[:, None] - u @ b.T) / sigma)", keep: false}
  forward:
    scan:
      carry: {logalpha: "log(pi1) + logoblik[0]"}
      sequences: {accumulator: "logA[1:] + logoblik[1:]"}
      step: {logalpha: logsumexp(logalpha) + accumulator}
      collect: last
    keep: false
  seen: {potential: logsumexp(forward)}
"""


def sir_data(rng: np.random.Generator) -> Values:
    # So many bacteria that infections are no small differences of large numbers.
    y0, bacteria = [1000.0, 5.0, 0.0, 1e6], 1e6 * np.exp(-np.arange(1, 9) / 4) * rng.lognormal(0, 0.15, 8)
    return {"N_t": 8, "t0": 0, "t": np.arange(1, 9) / 4, "y0": y0, "stoi_hat": rng.poisson(100, 8), "B_hat": bacteria}


def sir_density(d: Values, v: Values) -> float:
    def f(t: float, y: np.ndarray) -> list[float]:
        rate = v["beta"] * y[3] / (1000000 + y[3]) * y[0]
        return [-rate, rate - v["gamma"] * y[1], v["gamma"] * y[1], v["xi"] * y[1] - v["delta"] * y[3]]

    y = solve_ivp(f, (0, 2), d["y0"], t_eval=d["t"], rtol=1e-9, atol=1e-9).y.T
    falls = -np.diff(np.append(d["y0"][0], y[:, 0]))
    return (
        stats.cauchy(0, 2.5).logpdf(v["beta"])
        + stats.cauchy(0, 1).logpdf(v["gamma"])
        + stats.cauchy(0, 25).logpdf(v["xi"])
        + stats.cauchy(0, 1).logpdf(v["delta"])
        + stats.poisson(falls).logpmf(d["stoi_hat"]).sum()
        + stats.lognorm(0.15, scale=y[:, 3]).logpdf(d["B_hat"]).sum()
    )


SIR = """
variables:
  beta: {dist: HalfCauchy, beta: 2.5}
  gamma: {dist: HalfCauchy, beta: 1}
  xi: {dist: HalfCauchy, beta: 25}
  delta: {dist: HalfCauchy, beta: 1}
  y:
    ode:
      state: {S: "y0[0]", I: "y0[1]", R: "y0[2]", B: "y0[3]"}
      derivative:
        infection: beta * B / (1000000 + B) * S
        S: -infection
        I: infection - gamma * I
        R: gamma * I
        B: xi * I - delta * B
      times: t
      start: t0
      relative_tolerance: 1.0e-9
      absolute_tolerance: 1.0e-9
  falls: {expr: "concatenate(y0[0], y[:-1, 0]) - y[:, 0]"}
  stoi: {dist: Poisson, mu: falls, observed: stoi_hat}
  bacteria: {dist: LogNormal, mu: "log(y[:, 3])", sigma: 0.15, observed: B_hat}
"""


def soil_data(rng: np.random.Generator) -> Values:
    ts = np.arange(1, 11) * 2.0
    return {
        "totalC_t0": 7.7,
        "t0": 0,
        "N_t": 10,
        "ts": ts,
        "eCO2mean": 3 * (1 - np.exp(-ts / 10)),
        "eCO2sd": np.full(10, 0.1),
    }


def soil_density(d: Values, v: Values) -> float:
    def f(t: float, c: np.ndarray) -> list[float]:
        return [-v["k1"] * c[0] + v["alpha12"] * v["k2"] * c[1], -v["k2"] * c[1] + v["alpha21"] * v["k1"] * c[0]]

    start = d["totalC_t0"] * np.array([v["gamma"], 1 - v["gamma"]])
    pools = solve_ivp(f, (0, 20), start, t_eval=d["ts"], rtol=1e-9, atol=1e-9).y
    return (
        stats.beta(10, 1).logpdf(v["gamma"])
        + stats.norm(0, 1).logpdf([v["k1"], v["k2"], v["alpha21"], v["alpha12"]]).sum()
        + stats.cauchy(0, 1).logpdf(v["sigma"])
        + stats.norm(d["totalC_t0"] - pools.sum(axis=0), v["sigma"]).logpdf(v["eCO2"]).sum()
        + stats.norm(v["eCO2"], d["eCO2sd"]).logpdf(d["eCO2mean"]).sum()
    )


SOIL = """
variables:
  k1: {dist: HalfNormal, sigma: 1}
  k2: {dist: HalfNormal, sigma: 1}
  alpha21: {dist: HalfNormal, sigma: 1}
  alpha12: {dist: HalfNormal, sigma: 1}
  gamma: {dist: Beta, alpha: 10, beta: 1}
  sigma: {dist: HalfCauchy, beta: 1}
  C:
    ode:
      state: {C1: gamma * totalC_t0, C2: (1 - gamma) * totalC_t0}
      derivative:
        C1: -k1 * C1 + alpha12 * k2 * C2
        C2: -k2 * C2 + alpha21 * k1 * C1
      times: ts
      start: t0
      relative_tolerance: 1.0e-9
      absolute_tolerance: 1.0e-9
    keep: false
  eCO2: {dist: Normal, mu: "totalC_t0 - sum(C, axis=1)", sigma: sigma, shape: N_t}
  seen: {dist: Normal, mu: eCO2, sigma: eCO2sd, observed: eCO2mean}
"""


def covid_data(rng: np.random.Generator) -> Values:
    SI = np.exp(-np.arange(20) / 5)
    f = np.tile(np.linspace(0, 0.01, 20)[:, None], 2)
    X = (np.arange(20)[None, :, None] > np.array([8, 12, 14])).astype(int) * np.ones((2, 1, 1), int)
    return {"M": 2, "P": 3, "N0": 4, "N": [20, 18], "N2": 20, "deaths": rng.poisson(3, (20, 2)), "f": f, "X": X,
            "EpidemicStart": [9, 11], "pop": [1e6, 2e6], "SI": SI / SI.sum()}  # fmt: skip


def covid_density(d: Values, v: Values) -> float:
    total = stats.expon(scale=1 / 0.03).logpdf(v["tau"]) + stats.expon(scale=v["tau"]).logpdf(v["y"]).sum()
    total += stats.norm(0, 0.2).logpdf(v["gamma"]) + stats.norm(0, v["gamma"]).logpdf(v["lockdown"]).sum()
    total += stats.norm(0, 5).logpdf(v["phi"]) + stats.norm(0, 0.5).logpdf(v["kappa"])
    total += stats.norm(3.28, v["kappa"]).logpdf(v["mu"]).sum() + stats.gamma(0.1667).logpdf(v["alpha_hier"]).sum()
    alpha = v["alpha_hier"] - np.log(1.05) / 6
    total += stats.norm(1, 0.1).logpdf(v["ifr_noise"]).sum()
    for m in range(2):
        R = v["mu"][m] * np.exp(-d["X"][m] @ alpha - d["X"][m][:, 2] * v["lockdown"][m])
        prediction = np.full(20, v["y"][m])
        for i in range(4, 20):
            convolution = sum(prediction[j] * d["SI"][i - j - 1] for j in range(i))
            left = (d["pop"][m] - prediction[1:i].sum()) / d["pop"][m]
            prediction[i] = left * R[i] * convolution
        for i in range(d["EpidemicStart"][m] - 1, d["N"][m]):
            mean = v["ifr_noise"][m] * sum(prediction[j] * d["f"][i - j - 1, m] for j in range(i))
            total += stats.nbinom(v["phi"], v["phi"] / (v["phi"] + mean)).logpmf(d["deaths"][i, m])
    return float(total)


COVID = """
variables:
  tau: {dist: Exponential, rate: 0.03}
  y: {dist: Exponential, rate: 1 / tau, shape: M}
  gamma: {dist: HalfNormal, sigma: 0.2}
  lockdown: {dist: Normal, mu: 0, sigma: gamma, shape: M}
  phi: {dist: HalfNormal, sigma: 5}
  kappa: {dist: HalfNormal, sigma: 0.5}
  mu: {dist: Normal, mu: 3.28, sigma: kappa, shape: M, transform: log}
  alpha_hier: {dist: Gamma, alpha: 0.1667, beta: 1, shape: P}
  ifr_noise: {dist: Normal, mu: 1, sigma: 0.1, shape: M, transform: log}
  alpha: {expr: alpha_hier - log(1.05) / 6}
  Rt: {expr: "mu * exp(-transpose(sum(X * alpha, axis=2)) - transpose(X[:, :, 2]) * lockdown)", keep: false}
  prediction:
    scan:
      carry:
        past: "concatenate(ones(N0, 1) * y, zeros(N2 - N0, M), axis=0)"    # the newest first
        total: (N0 - 1) * y
      sequences: {R: "Rt[N0:]"}
      step:
        new: (pop - total) / pop * R * (SI @ past)
        past: "concatenate(new[None, :], past[:-1], axis=0)"
        total: total + new
      collect: last
      output: past
    keep: false
  newest_last: {expr: "prediction[::-1]", keep: false}
  day: {expr: arange(N2), keep: false}
  gap: {expr: "day[:, None] - day - 1", keep: false}
  delay: {expr: "where(gap[:, :, None] >= 0, f[maximum(gap, 0)], 0)", keep: false}
  E_deaths: {expr: "ifr_noise * sum(delay * newest_last, axis=1) + 1.0e-15", keep: false}
  seen:
    dist: NegativeBinomial
    mu: E_deaths
    alpha: phi
    observed: deaths
    mask: "(day[:, None] >= EpidemicStart - 1) & (day[:, None] < N)"
"""


def drivers_data(rng: np.random.Generator) -> Values:
    return {"n": 40, "y": rng.normal(7.4, 0.2, 40), "x": rng.normal(size=40), "w": (np.arange(40) > 30).astype(int)}


def drivers_density(d: Values, v: Values) -> float:
    s, mu, seasonal = v["sigma"], v["mu"], v["seasonal"]
    total = stats.t(4).logpdf(s).sum()
    total += sum(stats.norm(mu[t - 1], s[1]).logpdf(mu[t]) for t in range(1, 40))
    total += sum(stats.norm(-seasonal[t - 11 : t].sum(), s[0]).logpdf(seasonal[t]) for t in range(11, 40))
    return float(
        total + stats.norm(mu + v["beta"] * d["x"] + v["lambda_"] * d["w"] + seasonal, s[2]).logpdf(d["y"]).sum()
    )


DRIVERS = """
variables:
  mu: {dist: Flat, shape: n}
  seasonal: {dist: Flat, shape: n}
  beta: {dist: Flat}
  lambda_: {dist: Flat}
  sigma: {dist: HalfStudentT, nu: 4, sigma: 1, shape: 3, transform: positive_ordered}
  level: {potential: "-0.5 * square((mu[1:] - mu[:-1]) / sigma[1]) - log(sigma[1])"}
  sums: {expr: "concatenate(0, cumsum(seasonal))", keep: false}
  season: {potential: "-0.5 * square((sums[12:] - sums[:-12]) / sigma[0]) - log(sigma[0])"}
  seen: {dist: Normal, mu: mu + beta * x + lambda_ * w + seasonal, sigma: "sigma[2]", observed: y}
"""


def traffic_data(rng: np.random.Generator) -> Values:
    node1, node2 = np.array([1, 2, 3, 4, 5, 1, 2]), np.array([2, 3, 4, 5, 6, 6, 5])
    E = rng.uniform(5, 20, 6)
    return {"N": 6, "N_edges": 7, "node1": node1, "node2": node2, "y": rng.poisson(E), "E": E, "scaling_factor": 0.5}


def traffic_density(d: Values, v: Values) -> float:
    phi = v["phi"]
    effect = np.sqrt(1 - v["rho"]) * v["theta"] + np.sqrt(v["rho"] / d["scaling_factor"]) * phi
    return (
        -0.5 * ((phi[d["node1"] - 1] - phi[d["node2"] - 1]) ** 2).sum()
        + stats.norm(0, 0.001 * 6).logpdf(phi.sum())
        + stats.norm().logpdf([v["beta0"], v["sigma"], *v["theta"]]).sum()
        + stats.beta(0.5, 0.5).logpdf(v["rho"])
        + stats.poisson(d["E"] * np.exp(v["beta0"] + effect * v["sigma"])).logpmf(d["y"]).sum()
    )


TRAFFIC = """
variables:
  log_E: {expr: log(E), keep: false}
  beta0: {dist: Normal, mu: 0, sigma: 1}
  sigma: {dist: HalfNormal, sigma: 1}
  rho: {dist: Beta, alpha: 0.5, beta: 0.5}
  theta: {dist: Normal, mu: 0, sigma: 1, shape: N}
  phi: {dist: Flat, shape: N}
  smooth: {potential: "-0.5 * sum(square(phi[node1 - 1] - phi[node2 - 1]))"}
  soft: {potential: -0.5 * square(sum(phi) / (0.001 * N))}
  convolved_re: {expr: sqrt(1 - rho) * theta + sqrt(rho / scaling_factor) * phi}
  seen: {dist: Poisson, mu: exp(log_E + beta0 + convolved_re * sigma), observed: y}
"""


def absorption_data(rng: np.random.Generator) -> Values:
    times = np.arange(1, 9) * 0.5
    return {
        "N": 8,
        "t0": 0,
        "C0": [0.0],
        "D": 30.0,
        "V": 2.0,
        "times": times,
        "C_hat": rng.lognormal(np.log(5 * np.exp(-times / 3) * (1 - np.exp(-2 * times))), 0.1),
    }


def absorption_density(d: Values, v: Values) -> float:
    def f(t: float, C: np.ndarray) -> np.ndarray:
        return np.exp(-v["k_a"] * t) * d["D"] * v["k_a"] / d["V"] - v["V_m"] / d["V"] * C / (v["K_m"] + C)

    C = solve_ivp(f, (0, 4), d["C0"], t_eval=d["times"], rtol=1e-9, atol=1e-9).y[0]
    priors = stats.cauchy(0, 1).logpdf([v["k_a"], v["K_m"], v["V_m"], v["sigma"]]).sum()
    return priors + stats.lognorm(v["sigma"], scale=C).logpdf(d["C_hat"]).sum()


ABSORPTION = """
variables:
  k_a: {dist: HalfCauchy, beta: 1}
  K_m: {dist: HalfCauchy, beta: 1}
  V_m: {dist: HalfCauchy, beta: 1}
  sigma: {dist: HalfCauchy, beta: 1}
  C:
    ode:
      state: {C: "C0[0]"}
      derivative: {C: exp(-k_a * t) * D * k_a / V - V_m / V * C / (K_m + C)}
      time: t
      times: times
      start: t0
      relative_tolerance: 1.0e-9
      absolute_tolerance: 1.0e-9
  seen: {dist: LogNormal, mu: log(C), sigma: sigma, observed: C_hat}
"""


def kronecker_data(rng: np.random.Generator) -> Values:
    return {"n1": 4, "n2": 3, "x1": rng.uniform(size=4), "x2": rng.uniform(size=3), "y": rng.normal(size=(3, 4))}


def kernel(x: np.ndarray, scale: float, width: float) -> np.ndarray:
    return scale * np.exp(-width * (x[:, None] - x) ** 2)


def kronecker_density(d: Values, v: Values) -> float:
    cov = np.kron(kernel(d["x2"], 1, v["bw2"]), kernel(d["x1"], v["var1"], v["bw1"])) + v["sigma1"] * np.eye(12)
    priors = stats.lognorm(1).logpdf([v["var1"], v["bw1"], v["bw2"], v["sigma1"]]).sum()
    return priors + stats.multivariate_normal(np.zeros(12), cov).logpdf(d["y"].ravel())


KRONECKER = """
variables:
  var1: {dist: LogNormal, mu: 0, sigma: 1}
  bw1: {dist: LogNormal, mu: 0, sigma: 1}
  bw2: {dist: LogNormal, mu: 0, sigma: 1}
  sigma1: {dist: LogNormal, mu: 0, sigma: 1}
  K1: {expr: "var1 * exp(-bw1 * square(x1[:, None] - x1))", keep: false}
  K2: {expr: "exp(-bw2 * square(x2[:, None] - x2))", keep: false}
  seen: {dist: MvNormal, mu: 0, cov: "kron(K2, K1) + sigma1 * eye(n1 * n2)", observed: "reshape(y, n1 * n2)"}
"""

CASES = (
    Case("arma-arma11", ARMA, arma_data, arma_density),
    Case("bball_drive_event_0-hmm_drive_0", DRIVE, drive_data, drive_density),
    Case("iohmm_reg_simulated-iohmm_reg", IOHMM, iohmm_data, iohmm_density),
    Case("sir-sir", SIR, sir_data, sir_density),
    Case("soil_carbon-soil_incubation", SOIL, soil_data, soil_density),
    Case("ecdc0401-covid19imperial_v2", COVID, covid_data, covid_density),
    Case("uk_drivers-state_space_stochastic_level_stochastic_seasonal", DRIVERS, drivers_data, drivers_density),
    Case("traffic_accident_nyc-bym2_offset_only", TRAFFIC, traffic_data, traffic_density),
    Case("one_comp_mm_elim_abs-one_comp_mm_elim_abs", ABSORPTION, absorption_data, absorption_density),
    Case("synthetic_grid_RBF_kernels-kronecker_gp", KRONECKER, kronecker_data, kronecker_density),
)
