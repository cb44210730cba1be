"""The table of distributions: one family a file, one row each here."""

from __future__ import annotations

from exmc.distributions.base import Distribution, Parameter
from exmc.distributions.bernoulli import Bernoulli
from exmc.distributions.beta import Beta
from exmc.distributions.binomial import Binomial
from exmc.distributions.flat import Flat, HalfFlat
from exmc.distributions.gamma import Exponential, Gamma, InverseGamma
from exmc.distributions.laplace import Laplace
from exmc.distributions.normal import HalfNormal, LogNormal, Normal
from exmc.distributions.poisson import Poisson
from exmc.distributions.student_t import Cauchy, HalfCauchy, HalfStudentT, StudentT
from exmc.distributions.uniform import Uniform

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
    )
}
"""Every distribution by name."""

__all__ = [
    "DISTRIBUTIONS",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Cauchy",
    "Distribution",
    "Exponential",
    "Flat",
    "Gamma",
    "HalfCauchy",
    "HalfFlat",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "Laplace",
    "LogNormal",
    "Normal",
    "Parameter",
    "Poisson",
    "StudentT",
    "Uniform",
]
