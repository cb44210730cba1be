"""The table of distributions: one family a file, one row each here."""

from __future__ import annotations

from exmc.distributions.areal import CAR, ICAR
from exmc.distributions.asymmetric_laplace import AsymmetricLaplace
from exmc.distributions.base import Distribution, Parameter
from exmc.distributions.bernoulli import Bernoulli
from exmc.distributions.beta import Beta
from exmc.distributions.beta_binomial import BetaBinomial
from exmc.distributions.binomial import Binomial
from exmc.distributions.categorical import Categorical
from exmc.distributions.censored import Censored, IntervalCensored
from exmc.distributions.custom import Custom
from exmc.distributions.dirichlet import Dirichlet
from exmc.distributions.discrete_uniform import DiscreteUniform
from exmc.distributions.ex_gaussian import ExGaussian
from exmc.distributions.flat import Flat, HalfFlat
from exmc.distributions.gamma import ChiSquared, Exponential, Gamma, InverseGamma
from exmc.distributions.geometric import Geometric
from exmc.distributions.gumbel import Gumbel
from exmc.distributions.kumaraswamy import Kumaraswamy
from exmc.distributions.laplace import Laplace
from exmc.distributions.lkj import LKJCholesky, LKJCholeskyCov
from exmc.distributions.logistic import HalfLogistic, Logistic
from exmc.distributions.logit_normal import LogitNormal
from exmc.distributions.markov_chain import MarkovChain
from exmc.distributions.mixture import Mixture
from exmc.distributions.moyal import Moyal
from exmc.distributions.multinomial import DirichletMultinomial, Multinomial
from exmc.distributions.mv_normal import MvNormal
from exmc.distributions.mv_student_t import MvStudentT
from exmc.distributions.negative_binomial import NegativeBinomial
from exmc.distributions.normal import HalfNormal, LogNormal, Normal
from exmc.distributions.ordered import OrderedLogistic, OrderedProbit
from exmc.distributions.pareto import Pareto
from exmc.distributions.poisson import Poisson
from exmc.distributions.rice import Rice
from exmc.distributions.skew_normal import SkewNormal
from exmc.distributions.student_t import Cauchy, HalfCauchy, HalfStudentT, StudentT
from exmc.distributions.truncated import Truncated
from exmc.distributions.truncated_normal import TruncatedNormal
from exmc.distributions.uniform import Uniform
from exmc.distributions.von_mises import VonMises
from exmc.distributions.wald import Wald
from exmc.distributions.walks import AR, GaussianRandomWalk, MvGaussianRandomWalk
from exmc.distributions.weibull import Rayleigh, Weibull
from exmc.distributions.zero_sum_normal import ZeroSumNormal
from exmc.distributions.zeros import Hurdle, ZeroInflated

DISTRIBUTIONS: dict[str, Distribution] = {
    distribution.name: distribution
    for distribution in (
        Normal,
        HalfNormal,
        LogNormal,
        StudentT,
        HalfStudentT,
        Cauchy,
        HalfCauchy,
        Laplace,
        Gamma,
        InverseGamma,
        Exponential,
        Beta,
        Uniform,
        Flat,
        HalfFlat,
        Bernoulli,
        Binomial,
        Poisson,
        Dirichlet,
        MvNormal,
        MvStudentT,
        LKJCholesky,
        LKJCholeskyCov,
        GaussianRandomWalk,
        MvGaussianRandomWalk,
        AR,
        CAR,
        ICAR,
        MarkovChain,
        ZeroSumNormal,
        Categorical,
        OrderedLogistic,
        OrderedProbit,
        Multinomial,
        DirichletMultinomial,
        Truncated,
        Censored,
        IntervalCensored,
        Mixture,
        ZeroInflated,
        Hurdle,
        Custom,
        Logistic,
        HalfLogistic,
        Gumbel,
        Moyal,
        SkewNormal,
        ExGaussian,
        AsymmetricLaplace,
        TruncatedNormal,
        ChiSquared,
        Weibull,
        Rayleigh,
        Rice,
        Wald,
        Pareto,
        Kumaraswamy,
        LogitNormal,
        VonMises,
        BetaBinomial,
        NegativeBinomial,
        Geometric,
        DiscreteUniform,
    )
}
"""Every distribution by name."""

__all__ = [
    "AR",
    "CAR",
    "DISTRIBUTIONS",
    "ICAR",
    "AsymmetricLaplace",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Censored",
    "ChiSquared",
    "Custom",
    "Dirichlet",
    "DirichletMultinomial",
    "DiscreteUniform",
    "Distribution",
    "ExGaussian",
    "Exponential",
    "Flat",
    "Gamma",
    "GaussianRandomWalk",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfFlat",
    "HalfLogistic",
    "HalfNormal",
    "HalfStudentT",
    "Hurdle",
    "IntervalCensored",
    "InverseGamma",
    "Kumaraswamy",
    "LKJCholesky",
    "LKJCholeskyCov",
    "Laplace",
    "LogNormal",
    "Logistic",
    "LogitNormal",
    "MarkovChain",
    "Mixture",
    "Moyal",
    "Multinomial",
    "MvGaussianRandomWalk",
    "MvNormal",
    "MvStudentT",
    "NegativeBinomial",
    "Normal",
    "OrderedLogistic",
    "OrderedProbit",
    "Parameter",
    "Pareto",
    "Poisson",
    "Rayleigh",
    "Rice",
    "SkewNormal",
    "StudentT",
    "Truncated",
    "TruncatedNormal",
    "Uniform",
    "VonMises",
    "Wald",
    "Weibull",
    "ZeroInflated",
    "ZeroSumNormal",
]
