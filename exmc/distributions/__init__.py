"""The table of distributions: one family a file, one row each here."""

from __future__ import annotations

from exmc.distributions.base import Distribution, Parameter
from exmc.distributions.bernoulli import Bernoulli
from exmc.distributions.beta import Beta
from exmc.distributions.binomial import Binomial
from exmc.distributions.categorical import Categorical
from exmc.distributions.censored import Censored, IntervalCensored
from exmc.distributions.custom import Custom
from exmc.distributions.dirichlet import Dirichlet
from exmc.distributions.flat import Flat, HalfFlat
from exmc.distributions.gamma import Exponential, Gamma, InverseGamma
from exmc.distributions.laplace import Laplace
from exmc.distributions.lkj import LKJCholesky
from exmc.distributions.mixture import Mixture
from exmc.distributions.mv_normal import MvNormal
from exmc.distributions.normal import HalfNormal, LogNormal, Normal
from exmc.distributions.ordered_logistic import OrderedLogistic
from exmc.distributions.poisson import Poisson
from exmc.distributions.student_t import Cauchy, HalfCauchy, HalfStudentT, StudentT
from exmc.distributions.truncated import Truncated
from exmc.distributions.uniform import Uniform
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
        LKJCholesky,
        ZeroSumNormal,
        Categorical,
        OrderedLogistic,
        Truncated,
        Censored,
        IntervalCensored,
        Mixture,
        ZeroInflated,
        Hurdle,
        Custom,
    )
}
"""Every distribution by name."""

__all__ = [
    "DISTRIBUTIONS",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Censored",
    "Custom",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Flat",
    "Gamma",
    "HalfCauchy",
    "HalfFlat",
    "HalfNormal",
    "HalfStudentT",
    "Hurdle",
    "IntervalCensored",
    "InverseGamma",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "Mixture",
    "MvNormal",
    "Normal",
    "OrderedLogistic",
    "Parameter",
    "Poisson",
    "StudentT",
    "Truncated",
    "Uniform",
    "ZeroInflated",
    "ZeroSumNormal",
]
