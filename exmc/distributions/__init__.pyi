# Written by scripts/stubs.py from the table in __init__.py.

from collections.abc import Sequence
from typing import Any

from exmc.distributions.base import Distribution as Distribution
from exmc.distributions.base import Given
from exmc.distributions.base import Parameter as Parameter

DISTRIBUTIONS: dict[str, Distribution]

class _Normal(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0) -> Given: ...

Normal: _Normal

class _HalfNormal(Distribution):
    def __call__(self, sigma: Any = 1.0) -> Given: ...

HalfNormal: _HalfNormal

class _LogNormal(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0) -> Given: ...

LogNormal: _LogNormal

class _StudentT(Distribution):
    def __call__(self, nu: Any, mu: Any = 0.0, sigma: Any = 1.0) -> Given: ...

StudentT: _StudentT

class _HalfStudentT(Distribution):
    def __call__(self, nu: Any, sigma: Any = 1.0) -> Given: ...

HalfStudentT: _HalfStudentT

class _Cauchy(Distribution):
    def __call__(self, alpha: Any, beta: Any) -> Given: ...

Cauchy: _Cauchy

class _HalfCauchy(Distribution):
    def __call__(self, beta: Any) -> Given: ...

HalfCauchy: _HalfCauchy

class _Laplace(Distribution):
    def __call__(self, mu: Any = 0.0, b: Any = 1.0) -> Given: ...

Laplace: _Laplace

class _Gamma(Distribution):
    def __call__(self, alpha: Any, beta: Any) -> Given: ...

Gamma: _Gamma

class _InverseGamma(Distribution):
    def __call__(self, alpha: Any, beta: Any) -> Given: ...

InverseGamma: _InverseGamma

class _Exponential(Distribution):
    def __call__(self, rate: Any) -> Given: ...

Exponential: _Exponential

class _Beta(Distribution):
    def __call__(self, alpha: Any, beta: Any) -> Given: ...

Beta: _Beta

class _Uniform(Distribution):
    def __call__(self, low: Any = 0.0, high: Any = 1.0) -> Given: ...

Uniform: _Uniform

class _Flat(Distribution):
    def __call__(self, lower: Any = ..., upper: Any = ...) -> Given: ...

Flat: _Flat

class _HalfFlat(Distribution):
    def __call__(self) -> Given: ...

HalfFlat: _HalfFlat

class _Bernoulli(Distribution):
    def __call__(self, p: Any = ..., logit: Any = ...) -> Given: ...

Bernoulli: _Bernoulli

class _Binomial(Distribution):
    def __call__(self, n: Any, p: Any = ..., logit: Any = ...) -> Given: ...

Binomial: _Binomial

class _Poisson(Distribution):
    def __call__(self, mu: Any) -> Given: ...

Poisson: _Poisson

class _Dirichlet(Distribution):
    def __call__(self, alpha: Any) -> Given: ...

Dirichlet: _Dirichlet

class _MvNormal(Distribution):
    def __call__(self, mu: Any = 0.0, cov: Any = ..., chol: Any = ..., precision: Any = ...) -> Given: ...

MvNormal: _MvNormal

class _MvStudentT(Distribution):
    def __call__(self, nu: Any, mu: Any = 0.0, cov: Any = ..., chol: Any = ..., precision: Any = ...) -> Given: ...

MvStudentT: _MvStudentT

class _LKJCholesky(Distribution):
    def __call__(self, eta: Any = 1.0) -> Given: ...

LKJCholesky: _LKJCholesky

class _LKJCholeskyCov(Distribution):
    def __call__(self, n: int = ..., eta: Any = 1.0, sd_dist: Given = ...) -> Given: ...

LKJCholeskyCov: _LKJCholeskyCov

class _GaussianRandomWalk(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0, init_dist: Given = ...) -> Given: ...

GaussianRandomWalk: _GaussianRandomWalk

class _MvGaussianRandomWalk(Distribution):
    def __call__(
        self,
        mu: Any = 0.0,
        cov: Any = ...,
        chol: Any = ...,
        precision: Any = ...,
        init_dist: Given = ...,
    ) -> Given: ...

MvGaussianRandomWalk: _MvGaussianRandomWalk

class _AR(Distribution):
    def __call__(self, rho: Any, sigma: Any = 1.0, intercept: Any = 0.0, init_dist: Given = ...) -> Given: ...

AR: _AR

class _CAR(Distribution):
    def __call__(
        self,
        mu: Any = 0.0,
        W: Any = ...,
        alpha: Any = ...,
        tau: Any = ...,
        node1: Any = ...,
        node2: Any = ...,
    ) -> Given: ...

CAR: _CAR

class _ICAR(Distribution):
    def __call__(self, W: Any = ..., sigma: Any = 1.0, node1: Any = ..., node2: Any = ...) -> Given: ...

ICAR: _ICAR

class _MarkovChain(Distribution):
    def __call__(
        self,
        initial: Any = ...,
        transition: Any = ...,
        initial_logits: Any = ...,
        transition_logits: Any = ...,
    ) -> Given: ...

MarkovChain: _MarkovChain

class _ZeroSumNormal(Distribution):
    def __call__(self, sigma: Any = 1.0) -> Given: ...

ZeroSumNormal: _ZeroSumNormal

class _Categorical(Distribution):
    def __call__(self, p: Any = ..., logits: Any = ...) -> Given: ...

Categorical: _Categorical

class _OrderedLogistic(Distribution):
    def __call__(self, eta: Any, cutpoints: Any) -> Given: ...

OrderedLogistic: _OrderedLogistic

class _OrderedProbit(Distribution):
    def __call__(self, eta: Any, cutpoints: Any, sigma: Any = 1.0) -> Given: ...

OrderedProbit: _OrderedProbit

class _Multinomial(Distribution):
    def __call__(self, n: Any, p: Any = ..., logits: Any = ...) -> Given: ...

Multinomial: _Multinomial

class _DirichletMultinomial(Distribution):
    def __call__(self, n: Any, alpha: Any) -> Given: ...

DirichletMultinomial: _DirichletMultinomial

class _Truncated(Distribution):
    def __call__(self, of: Given, lower: Any = ..., upper: Any = ...) -> Given: ...

Truncated: _Truncated

class _Censored(Distribution):
    def __call__(self, of: Given, lower: Any = ..., upper: Any = ...) -> Given: ...

Censored: _Censored

class _IntervalCensored(Distribution):
    def __call__(self, of: Given, upper: Any) -> Given: ...

IntervalCensored: _IntervalCensored

class _Mixture(Distribution):
    def __call__(self, weights: Any, components: Sequence[Given]) -> Given: ...

Mixture: _Mixture

class _ZeroInflated(Distribution):
    def __call__(self, of: Given, zero: Any) -> Given: ...

ZeroInflated: _ZeroInflated

class _Hurdle(Distribution):
    def __call__(self, of: Given, zero: Any) -> Given: ...

Hurdle: _Hurdle

class _Custom(Distribution):
    def __call__(
        self,
        function: str,
        support: str = "real",
        event_rank: str = "",
        draw: str = ...,
        lower: Any = ...,
        upper: Any = ...,
        **parameters: Any,
    ) -> Given: ...

Custom: _Custom

class _Logistic(Distribution):
    def __call__(self, mu: Any = 0.0, s: Any = 1.0) -> Given: ...

Logistic: _Logistic

class _HalfLogistic(Distribution):
    def __call__(self, s: Any = 1.0) -> Given: ...

HalfLogistic: _HalfLogistic

class _Gumbel(Distribution):
    def __call__(self, mu: Any, beta: Any) -> Given: ...

Gumbel: _Gumbel

class _Moyal(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0) -> Given: ...

Moyal: _Moyal

class _SkewNormal(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0, alpha: Any = 1.0) -> Given: ...

SkewNormal: _SkewNormal

class _ExGaussian(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = ..., nu: Any = ...) -> Given: ...

ExGaussian: _ExGaussian

class _AsymmetricLaplace(Distribution):
    def __call__(self, kappa: Any, mu: Any, b: Any) -> Given: ...

AsymmetricLaplace: _AsymmetricLaplace

class _TruncatedNormal(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0, lower: Any = ..., upper: Any = ...) -> Given: ...

TruncatedNormal: _TruncatedNormal

class _ChiSquared(Distribution):
    def __call__(self, nu: Any) -> Given: ...

ChiSquared: _ChiSquared

class _Weibull(Distribution):
    def __call__(self, alpha: Any, beta: Any) -> Given: ...

Weibull: _Weibull

class _Rayleigh(Distribution):
    def __call__(self, sigma: Any = 1.0) -> Given: ...

Rayleigh: _Rayleigh

class _Rice(Distribution):
    def __call__(self, nu: Any, sigma: Any = 1.0) -> Given: ...

Rice: _Rice

class _Wald(Distribution):
    def __call__(self, mu: Any, lam: Any) -> Given: ...

Wald: _Wald

class _Pareto(Distribution):
    def __call__(self, alpha: Any, m: Any) -> Given: ...

Pareto: _Pareto

class _Kumaraswamy(Distribution):
    def __call__(self, a: Any, b: Any) -> Given: ...

Kumaraswamy: _Kumaraswamy

class _LogitNormal(Distribution):
    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0) -> Given: ...

LogitNormal: _LogitNormal

class _VonMises(Distribution):
    def __call__(self, mu: Any = 0.0, kappa: Any = ...) -> Given: ...

VonMises: _VonMises

class _BetaBinomial(Distribution):
    def __call__(self, alpha: Any, beta: Any, n: Any) -> Given: ...

BetaBinomial: _BetaBinomial

class _NegativeBinomial(Distribution):
    def __call__(self, mu: Any, alpha: Any) -> Given: ...

NegativeBinomial: _NegativeBinomial

class _Geometric(Distribution):
    def __call__(self, p: Any) -> Given: ...

Geometric: _Geometric

class _DiscreteUniform(Distribution):
    def __call__(self, lower: Any, upper: Any) -> Given: ...

DiscreteUniform: _DiscreteUniform
