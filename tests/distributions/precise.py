"""Log densities and tail probabilities at 50 digits, the oracle of the table's digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mp, mpf

DIGITS = 50
# Closed forms that cancel are evaluated at so many.
_MANY = 400


def _log(x: Any) -> Any:
    return mp.log(x) if x > 0 else mpf("-inf")


def _xlogy(x: Any, y: Any) -> Any:
    return mpf(0) if x == 0 else x * _log(y)


def _log_phi(z: Any) -> Any:
    return -z * z / 2 - mp.log(2 * mp.pi) / 2


def _phi_tail(z: Any) -> Any:
    """The upper tail of the standard normal."""
    return mp.erfc(z / mp.sqrt(2)) / 2


def _expit(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


# --- Log densities, at values inside the support --------------------------------------------------------------------


def _normal(x, mu, sigma):
    return _log_phi((x - mu) / sigma) - mp.log(sigma)


def _student_t(x, nu, mu, sigma):
    z = (x - mu) / sigma
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2 - mp.log(sigma)
    return constant - (nu + 1) / 2 * mp.log1p(z * z / nu)


def _cauchy(x, alpha, beta):
    return -mp.log(mp.pi * beta) - mp.log1p(((x - alpha) / beta) ** 2)


def _gamma(x, alpha, beta):
    return alpha * mp.log(beta) - mp.loggamma(alpha) + _xlogy(alpha - 1, x) - beta * x


def _beta(x, alpha, beta):
    scale = mp.loggamma(alpha) + mp.loggamma(beta) - mp.loggamma(alpha + beta)
    return _xlogy(alpha - 1, x) + _xlogy(beta - 1, 1 - x) - scale


def _log_choose(n, k):
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)


def _binomial(x, n, p=None, logit=None):
    p = _expit(logit) if p is None else p
    return _log_choose(n, x) + _xlogy(x, p) + _xlogy(n - x, 1 - p)


def _skew_normal(x, mu, sigma, alpha):
    z = (x - mu) / sigma
    return mp.log(2) + _log_phi(z) + mp.log(_phi_tail(-alpha * z)) - mp.log(sigma)


def _ex_gaussian(x, mu, sigma, nu):
    exponent = (mu - x) / nu + (sigma / nu) ** 2 / 2
    return exponent + mp.log(_phi_tail(sigma / nu - (x - mu) / sigma)) - mp.log(nu)


def _asymmetric_laplace(x, kappa, mu, b):
    slope = -kappa if x >= mu else 1 / kappa
    return mp.log(b / (kappa + 1 / kappa)) + slope * b * (x - mu)


def _weibull(x, alpha, beta):
    return mp.log(alpha / beta) + _xlogy(alpha - 1, x / beta) - (x / beta) ** alpha


def _kumaraswamy(x, a, b):
    return mp.log(a * b) + _xlogy(a - 1, x) + _xlogy(b - 1, 1 - x**a)


def _wald(x, mu, lam):
    return mp.log(lam / (2 * mp.pi * x**3)) / 2 - lam * (x - mu) ** 2 / (2 * mu**2 * x)


def _moyal(x, mu, sigma):
    z = (x - mu) / sigma
    return -(z + mp.exp(-z)) / 2 - mp.log(2 * mp.pi) / 2 - mp.log(sigma)


def _rice(x, nu, sigma):
    bessel = mp.besseli(0, x * nu / sigma**2)
    return _log(x) - 2 * mp.log(sigma) - (x**2 + nu**2) / (2 * sigma**2) + mp.log(bessel)


def _negative_binomial(x, mu, alpha):
    ways = mp.loggamma(x + alpha) - mp.loggamma(alpha) - mp.loggamma(x + 1)
    return ways + alpha * mp.log(alpha / (alpha + mu)) + _xlogy(x, mu / (alpha + mu))


def _log_beta_function(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


LOG_DENSITIES: dict[str, Callable[..., Any]] = {
    "Normal": _normal,
    "HalfNormal": lambda x, sigma: mp.log(2) + _normal(x, 0, sigma),
    "LogNormal": lambda x, mu, sigma: _normal(mp.log(x), mu, sigma) - mp.log(x),
    "StudentT": _student_t,
    "HalfStudentT": lambda x, nu, sigma: mp.log(2) + _student_t(x, nu, 0, sigma),
    "Cauchy": _cauchy,
    "HalfCauchy": lambda x, beta: mp.log(2) + _cauchy(x, 0, beta),
    "Laplace": lambda x, mu, b: -abs(x - mu) / b - mp.log(2 * b),
    "Gamma": _gamma,
    "InverseGamma": lambda x, alpha, beta: _gamma(1 / x, alpha, beta) - 2 * mp.log(x),
    "Exponential": lambda x, rate: mp.log(rate) - rate * x,
    "Beta": _beta,
    "Uniform": lambda x, low, high: -mp.log(high - low),
    "Bernoulli": lambda x, **p: _binomial(x, mpf(1), **p),
    "Binomial": _binomial,
    "Poisson": lambda x, mu: _xlogy(x, mu) - mu - mp.loggamma(x + 1),
    "Logistic": lambda x, mu, s: -mp.log(4 * s) - 2 * mp.log(mp.cosh((x - mu) / (2 * s))),
    "HalfLogistic": lambda x, s: -mp.log(2 * s) - 2 * mp.log(mp.cosh(x / (2 * s))),
    "Gumbel": lambda x, mu, beta: -(x - mu) / beta - mp.exp(-(x - mu) / beta) - mp.log(beta),
    "Moyal": _moyal,
    "SkewNormal": _skew_normal,
    "ExGaussian": _ex_gaussian,
    "AsymmetricLaplace": _asymmetric_laplace,
    "TruncatedNormal": lambda x, mu, sigma, lower, upper: (
        _normal(x, mu, sigma) - mp.log(_phi_tail((lower - mu) / sigma) - _phi_tail((upper - mu) / sigma))
    ),
    "ChiSquared": lambda x, nu: _gamma(x, nu / 2, mpf(1) / 2),
    "Weibull": _weibull,
    "Rayleigh": lambda x, sigma: _log(x) - 2 * mp.log(sigma) - x**2 / (2 * sigma**2),
    "Rice": _rice,
    "Wald": _wald,
    "Pareto": lambda x, alpha, m: mp.log(alpha) + alpha * mp.log(m) - (alpha + 1) * mp.log(x),
    "Kumaraswamy": _kumaraswamy,
    "LogitNormal": lambda x, mu, sigma: (
        _normal(mp.log(x / (1 - x)), mu, sigma) - mp.log(x * (1 - x)) if 0 < x < 1 else mpf("-inf")
    ),
    "VonMises": lambda x, mu, kappa: kappa * mp.cos(x - mu) - mp.log(2 * mp.pi * mp.besseli(0, kappa)),
    "BetaBinomial": lambda x, alpha, beta, n: (
        _log_choose(n, x) + _log_beta_function(x + alpha, n - x + beta) - _log_beta_function(alpha, beta)
    ),
    "NegativeBinomial": _negative_binomial,
    "Geometric": lambda x, p: _xlogy(x - 1, 1 - p) + _log(p),
    "DiscreteUniform": lambda x, lower, upper: -mp.log(upper - lower + 1),
}
"""By name, the log density (or probability) at a value inside the support; arguments and result are mpmath's."""


# --- Tail probabilities, lower and upper ---------------------------------------------------------------------------


def _normal_tails(x, mu, sigma):
    z = (x - mu) / sigma
    return _phi_tail(-z), _phi_tail(z)


def _gamma_tails(x, alpha, beta):
    lower = mp.gammainc(alpha, 0, beta * x, regularized=True)
    return lower, mp.gammainc(alpha, beta * x, mp.inf, regularized=True)


def _beta_tails(x, alpha, beta, rest=None):
    lower = mp.betainc(alpha, beta, 0, x, regularized=True)
    return lower, mp.betainc(beta, alpha, 0, 1 - x if rest is None else rest, regularized=True)


def _student_t_tails(x, nu, mu, sigma):
    z = (x - mu) / sigma
    tail = mp.betainc(nu / 2, mpf(1) / 2, 0, nu / (nu + z * z), regularized=True) / 2
    return (tail, 1 - tail) if z < 0 else (1 - tail, tail)


def _half_student_t_tails(x, nu, sigma):
    total = nu * sigma * sigma + x * x
    return _beta_tails(x * x / total, mpf(1) / 2, nu / 2, nu * sigma * sigma / total)


def _cauchy_tails(x, alpha, beta):
    z = (x - alpha) / beta
    return mp.atan2(1, -z) / mp.pi, mp.atan2(1, z) / mp.pi


def _binomial_tails(x, n, p=None, logit=None):
    p = _expit(logit) if p is None else p
    if x >= n:
        return mpf(1), mpf(0)
    upper, lower = _beta_tails(p, mp.floor(x) + 1, n - mp.floor(x))
    return lower, upper


def _laplace_tails(x, mu, b):
    tail = mp.exp(-abs(x - mu) / b) / 2
    return (tail, 1 - tail) if x < mu else (1 - tail, tail)


def _survival(upper):
    return 1 - upper, upper


def _exp_minus(hazard):
    # Astronomical ones take mpmath minutes.
    return mp.exp(-hazard) if hazard < 1e6 else mpf(0)


def _skew_normal_tails(x, mu, sigma, alpha):
    z = (x - mu) / sigma
    # Closed forms where there are (Azzalini 1985), else Owen's T function, an integral over a finite range (Owen 1956).
    if abs(alpha) <= 1:
        assert alpha in (0, 1, -1)
        one = _phi_tail(-alpha * z) ** 2 if alpha else _phi_tail(z)
        return (one, 1 - one) if alpha == 1 else (1 - one, one)
    t = mp.quad(lambda s: mp.exp(-z * z * (1 + s * s) / 2) / (1 + s * s), mp.linspace(0, alpha, 5)) / (2 * mp.pi)
    return _phi_tail(-z) - 2 * t, _phi_tail(z) + 2 * t


def _ex_gaussian_tails(x, mu, sigma, nu):
    z, k = (x - mu) / sigma, sigma / nu
    tilted = mp.exp(k * k / 2 - k * z) * _phi_tail(k - z)
    return _phi_tail(-z) - tilted, _phi_tail(z) + tilted


def _asymmetric_laplace_tails(x, kappa, mu, b):
    if x >= mu:
        return _survival(mp.exp(-b * kappa * (x - mu)) / (1 + kappa**2))
    lower = kappa**2 / (1 + kappa**2) * mp.exp(b / kappa * (x - mu))
    return lower, 1 - lower


def _truncated_normal_tails(x, mu, sigma, lower, upper):
    below, at, above = (_phi_tail((bound - mu) / sigma) for bound in (lower, x, upper))
    return (below - at) / (below - above), (at - above) / (below - above)


def _wald_tails(x, mu, lam):
    root = mp.sqrt(lam / x)
    first, second = root * (x / mu - 1), root * (x / mu + 1)
    tilted = mp.exp(2 * lam / mu) * _phi_tail(second)
    return _phi_tail(-first) + tilted, _phi_tail(first) - tilted


def _gumbel_tails(x, mu, beta):
    t = -(x - mu) / beta
    # Beyond 710 the logarithm is below every float, and takes mpmath minutes.
    return _survival(1 - mp.exp(-mp.exp(t))) if t < 710 else (mpf(0), mpf(1))


def _moyal_tails(x, mu, sigma):
    t = -(x - mu) / (2 * sigma)
    if t > 355:  # likewise
        return mpf(0), mpf(1)
    z = mp.exp(t) / mp.sqrt(2)
    return mp.erfc(z), mp.erf(z)


def _rice_tails(x, nu, sigma):
    y, d = x / sigma, nu / sigma
    right = y > mp.sqrt(1 + d * d)
    unit = min(1, 1 / abs(y - d)) if y != d else mpf(1)

    def density(t):
        return t * mp.exp(-((t - d) ** 2) / 2) * mp.besseli(0, t * d) * mp.exp(-t * d)

    steps = [mpf(0), *(unit * k for k in (1, 4, 15, 60, 250))]
    if right:
        tail = mp.quad(density, [y + step for step in steps])
        return 1 - tail, tail
    tail = mp.quad(density, sorted({max(y - step, mpf(0)) for step in steps}))
    return tail, 1 - tail


TAILS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "Normal": _normal_tails,
    "HalfNormal": lambda x, sigma: (mp.erf(x / sigma / mp.sqrt(2)), mp.erfc(x / sigma / mp.sqrt(2))),
    "LogNormal": lambda x, mu, sigma: _normal_tails(mp.log(x), mu, sigma),
    "StudentT": _student_t_tails,
    "HalfStudentT": _half_student_t_tails,
    "Cauchy": _cauchy_tails,
    "HalfCauchy": lambda x, beta: (2 * mp.atan2(x, beta) / mp.pi, 2 * mp.atan2(beta, x) / mp.pi),
    "Laplace": _laplace_tails,
    "Gamma": _gamma_tails,
    "InverseGamma": lambda x, alpha, beta: _gamma_tails(1 / x, alpha, beta)[::-1],
    "Exponential": lambda x, rate: _survival(mp.exp(-rate * x)),
    "Beta": _beta_tails,
    "Uniform": lambda x, low, high: ((x - low) / (high - low), (high - x) / (high - low)),
    "Bernoulli": lambda x, **p: _binomial_tails(x, mpf(1), **p),
    "Binomial": _binomial_tails,
    "Poisson": lambda x, mu: _gamma_tails(mu, mp.floor(x) + 1, 1)[::-1],
    "Logistic": lambda x, mu, s: (_expit((x - mu) / s), _expit((mu - x) / s)),
    "HalfLogistic": lambda x, s: (mp.tanh(x / s / 2), 2 * _expit(-x / s)),
    "Gumbel": _gumbel_tails,
    "Moyal": _moyal_tails,
    "SkewNormal": _skew_normal_tails,
    "ExGaussian": _ex_gaussian_tails,
    "AsymmetricLaplace": _asymmetric_laplace_tails,
    "TruncatedNormal": _truncated_normal_tails,
    "ChiSquared": lambda x, nu: _gamma_tails(x, nu / 2, mpf(1) / 2),
    "Weibull": lambda x, alpha, beta: _survival(_exp_minus((x / beta) ** alpha)),
    "Rayleigh": lambda x, sigma: _survival(mp.exp(-(x**2) / (2 * sigma**2))),
    "Rice": _rice_tails,
    "Wald": _wald_tails,
    "Pareto": lambda x, alpha, m: _survival((m / x) ** alpha),
    "Kumaraswamy": lambda x, a, b: _survival((1 - x**a) ** b),
    "LogitNormal": lambda x, mu, sigma: _normal_tails(mp.log(x / (1 - x)), mu, sigma),
    "NegativeBinomial": lambda x, mu, alpha: _beta_tails(alpha / (alpha + mu), alpha, mp.floor(x) + 1),
    "Geometric": lambda x, p: _survival((1 - p) ** mp.floor(x)),
    "DiscreteUniform": lambda x, lower, upper: (
        (mp.floor(x) - lower + 1) / (upper - lower + 1),
        (upper - mp.floor(x)) / (upper - lower + 1),
    ),
}
"""By name, P(X <= x) and P(X > x) at a value inside the support; arguments and results are mpmath's."""


def log_density(name: str, value: float, parameters: dict[str, float]) -> float:
    """The log density at a value inside the support, correctly rounded."""
    with mpmath.workdps(_MANY if name in {"ExGaussian", "Bernoulli", "Binomial"} else DIGITS):
        return float(LOG_DENSITIES[name](mpf(value), **{key: mpf(number) for key, number in parameters.items()}))


def log_tails(name: str, value: float, parameters: dict[str, float]) -> tuple[float, float]:
    """The logarithms of both tail probabilities at a value inside the support."""
    with mpmath.workdps(_DIGITS.get(name, _MANY)):
        lower, upper = TAILS[name](mpf(value), **{key: mpf(number) for key, number in parameters.items()})
        # What is near 1 has its digits in the other one.
        log_lower = mp.log1p(-upper) if upper < 0.5 else _log(lower)
        return float(log_lower), float(mp.log1p(-lower) if lower < 0.5 else _log(upper))


# Their tails are sums of series or integrals, which take the longer the more digits are asked for.
SERIES = (
    *("StudentT", "HalfStudentT", "Gamma", "InverseGamma", "ChiSquared", "Poisson"),
    *("Beta", "Binomial", "Bernoulli", "NegativeBinomial"),
)
_DIGITS = {**dict.fromkeys(SERIES, DIGITS), "SkewNormal": 80, "Rice": 60}
