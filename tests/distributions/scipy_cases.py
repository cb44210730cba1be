"""What the conformance suite needs to know of each distribution: its scipy counterpart and parameters to try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.special
import scipy.stats


@dataclass(frozen=True)
class Case:
    """What the suite needs to know of a distribution.

    `reference` maps parameters to a frozen scipy distribution (None if improper); `parameters` are the sets to try;
    `magnitude` gives the size of the largest terms that cancel in the density, whose rounding finite differences
    amplify.
    """

    reference: Callable[..., Any] | None
    parameters: tuple[dict[str, float], ...]
    magnitude: Callable[..., Any] = field(default=lambda value, **_: 0.0)


def _gamma_terms(value, alpha, beta):
    return np.abs(scipy.special.gammaln(alpha)) + np.abs(alpha * np.log(beta)) + np.abs(alpha - 1) * _log(value)


def _inverse_gamma_terms(value, alpha, beta):
    return _gamma_terms(value, alpha, beta) + 2 * _log(value) + beta / np.maximum(np.abs(value), 1e-300)


def _beta_terms(value, alpha, beta):
    return scipy.special.gammaln(alpha + beta + 1) + (alpha + beta) * (_log(value) + _log(1 - value))


def _student_terms(value, nu, **_):
    return scipy.special.gammaln(0.5 * nu + 2)


def _poisson_terms(value, mu):
    return scipy.special.gammaln(np.abs(value) + 2) + np.abs(value) * _log(mu) + mu


def _binomial_terms(value, n, p=None, logit=None):
    return scipy.special.gammaln(n + 2) + np.abs(value) + n * 20.0


def _log(value):
    return np.abs(np.log(np.clip(np.abs(value), 1e-300, 1e300)))


def _bernoulli(p=None, logit=None):
    return scipy.stats.bernoulli(scipy.special.expit(logit) if p is None else p)


def _binomial(n, p=None, logit=None):
    return scipy.stats.binom(n, scipy.special.expit(logit) if p is None else p)


CASES: dict[str, Case] = {
    "Normal": Case(
        lambda mu, sigma: scipy.stats.norm(mu, sigma),
        ({"mu": 0.0, "sigma": 1.0}, {"mu": -3.0, "sigma": 1e-3}, {"mu": 40.0, "sigma": 2e3}),
    ),
    "HalfNormal": Case(
        lambda sigma: scipy.stats.halfnorm(scale=sigma), ({"sigma": 1.0}, {"sigma": 1e-3}, {"sigma": 2e3})
    ),
    "LogNormal": Case(
        lambda mu, sigma: scipy.stats.lognorm(s=sigma, scale=np.exp(mu)),
        ({"mu": 0.0, "sigma": 1.0}, {"mu": -2.0, "sigma": 0.05}, {"mu": 1.5, "sigma": 3.0}),
    ),
    "StudentT": Case(
        lambda nu, mu, sigma: scipy.stats.t(nu, mu, sigma),
        (
            {"nu": 3.0, "mu": 0.0, "sigma": 1.0},
            {"nu": 0.7, "mu": -2.0, "sigma": 1e-2},
            {"nu": 250.0, "mu": 5.0, "sigma": 30.0},
        ),
        magnitude=_student_terms,
    ),
    "HalfStudentT": Case(
        lambda nu, sigma: _Folded(scipy.stats.t(nu, 0.0, sigma)),
        ({"nu": 3.0, "sigma": 1.0}, {"nu": 0.7, "sigma": 1e-2}, {"nu": 250.0, "sigma": 30.0}),
        magnitude=_student_terms,
    ),
    "Cauchy": Case(
        lambda alpha, beta: scipy.stats.cauchy(alpha, beta),
        ({"alpha": 0.0, "beta": 1.0}, {"alpha": -3.0, "beta": 1e-2}, {"alpha": 10.0, "beta": 300.0}),
    ),
    "HalfCauchy": Case(
        lambda beta: scipy.stats.halfcauchy(scale=beta), ({"beta": 1.0}, {"beta": 1e-2}, {"beta": 300.0})
    ),
    "Laplace": Case(
        lambda mu, b: _Laplace(mu, b),
        ({"mu": 0.0, "b": 1.0}, {"mu": -3.0, "b": 1e-2}, {"mu": 10.0, "b": 300.0}),
    ),
    "Gamma": Case(
        lambda alpha, beta: scipy.stats.gamma(alpha, scale=1.0 / beta),
        (
            {"alpha": 2.0, "beta": 3.0},
            {"alpha": 1.0, "beta": 0.5},
            {"alpha": 0.1, "beta": 1e-2},
            {"alpha": 800.0, "beta": 200.0},
        ),
        magnitude=_gamma_terms,
    ),
    "InverseGamma": Case(
        lambda alpha, beta: scipy.stats.invgamma(alpha, scale=beta),
        ({"alpha": 3.0, "beta": 2.0}, {"alpha": 0.5, "beta": 1e-2}, {"alpha": 200.0, "beta": 900.0}),
        magnitude=_inverse_gamma_terms,
    ),
    "Exponential": Case(
        lambda rate: scipy.stats.expon(scale=1.0 / rate), ({"rate": 1.0}, {"rate": 1e-3}, {"rate": 500.0})
    ),
    "Beta": Case(
        lambda alpha, beta: scipy.stats.beta(alpha, beta),
        (
            {"alpha": 2.0, "beta": 3.0},
            {"alpha": 1.0, "beta": 1.0},
            {"alpha": 0.2, "beta": 0.5},
            {"alpha": 400.0, "beta": 30.0},
        ),
        magnitude=_beta_terms,
    ),
    "Uniform": Case(
        lambda low, high: _Uniform(low, high),
        ({"low": 0.0, "high": 1.0}, {"low": -3.0, "high": 1e-2}, {"low": 5.0, "high": 5e3}),
        magnitude=lambda value, low, high: (np.abs(low) + np.abs(high)) / (high - low),
    ),
    "Flat": Case(None, ({},)),
    "HalfFlat": Case(None, ({},)),
    "Bernoulli": Case(
        _bernoulli, ({"p": 0.3}, {"p": 1e-3}, {"p": 0.999}, {"logit": 0.4}, {"logit": -6.0}, {"logit": 7.0})
    ),
    "Binomial": Case(
        _binomial,
        (
            {"n": 10.0, "p": 0.3},
            {"n": 1.0, "p": 0.9},
            {"n": 2000.0, "p": 0.01},
            {"n": 10.0, "logit": 0.4},
            {"n": 300.0, "logit": -3.0},
        ),
        magnitude=_binomial_terms,
    ),
    "Poisson": Case(
        lambda mu: scipy.stats.poisson(mu), ({"mu": 3.0}, {"mu": 1e-2}, {"mu": 1500.0}), magnitude=_poisson_terms
    ),
}


class _Laplace:
    """scipy's Laplace distribution, but its logpdf, log(pdf), is -inf beyond 745 scales: that of |X| is right."""

    def __init__(self, mu, b):
        self.frozen = scipy.stats.laplace(mu, b)
        self.mu, self.b = mu, b

    def logpdf(self, value):
        return scipy.stats.expon.logpdf(np.abs(value - self.mu), scale=self.b) - np.log(2.0)

    def __getattr__(self, name):
        return getattr(self.frozen, name)


class _Uniform:
    """scipy's uniform distribution, but it takes the width for the upper bound, and rounds it and the upper tail."""

    def __init__(self, low, high):
        self.frozen = scipy.stats.uniform(low, high - low)
        self.low, self.high = low, high

    def sf(self, value):
        return np.clip((self.high - value) / (self.high - self.low), 0.0, 1.0)

    def logpdf(self, value):
        return np.where((value >= self.low) & (value <= self.high), -np.log(self.high - self.low), -np.inf)

    def support(self):
        return self.low, self.high

    def __getattr__(self, name):
        return getattr(self.frozen, name)


class _Folded:
    """|X| of a distribution symmetric about zero: scipy has no half Student t."""

    def __init__(self, whole):
        self.whole = whole

    def logpdf(self, value):
        return np.where(value >= 0, np.log(2.0) + self.whole.logpdf(value), -np.inf)

    def cdf(self, value):
        # 2 * cdf - 1 cancels near zero: the beta probability of t**2 / (nu + t**2) does not.
        nu = self.whole.args[0]
        z = np.maximum(value, 0.0) / self.whole.args[2]
        return scipy.special.betainc(0.5, nu / 2, z**2 / (nu + z**2))

    def sf(self, value):
        return np.where(value > 0, 2.0 * self.whole.sf(value), 1.0)

    def ppf(self, q):
        return self.whole.ppf(0.5 + 0.5 * np.asarray(q))

    def isf(self, q):
        return self.whole.isf(0.5 * np.asarray(q))

    def support(self):
        return 0.0, np.inf

    def stats(self, moments):
        return tuple(np.nan for _ in moments)
