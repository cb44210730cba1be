"""exmc: Bayesian inference as a task graph. The public names; what is heavy is imported at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from exmc.distributions import (
    DISTRIBUTIONS,
    AsymmetricLaplace,
    Bernoulli,
    Beta,
    BetaBinomial,
    Binomial,
    Cauchy,
    ChiSquared,
    DiscreteUniform,
    ExGaussian,
    Exponential,
    Flat,
    Gamma,
    Geometric,
    Gumbel,
    HalfCauchy,
    HalfFlat,
    HalfLogistic,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Kumaraswamy,
    Laplace,
    Logistic,
    LogitNormal,
    LogNormal,
    Moyal,
    NegativeBinomial,
    Normal,
    Pareto,
    Poisson,
    Rayleigh,
    Rice,
    SkewNormal,
    StudentT,
    TruncatedNormal,
    Uniform,
    VonMises,
    Wald,
    Weibull,
)
from exmc.errors import ExmcError
from exmc.ir import functions as math
from exmc.ir.builder import Builder
from exmc.ir.expressions import ref
from exmc.ir.model import Model

if TYPE_CHECKING:
    from exmc.diagnostics.checks import diagnose
    from exmc.diagnostics.compare import compare
    from exmc.inference import prior_predictive, sample

__version__ = "0.1.0"

__all__ = [
    "DISTRIBUTIONS",
    "AsymmetricLaplace",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "Builder",
    "Cauchy",
    "ChiSquared",
    "DiscreteUniform",
    "ExGaussian",
    "ExmcError",
    "Exponential",
    "Flat",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfFlat",
    "HalfLogistic",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "Kumaraswamy",
    "Laplace",
    "LogNormal",
    "Logistic",
    "LogitNormal",
    "Model",
    "Moyal",
    "NegativeBinomial",
    "Normal",
    "Pareto",
    "Poisson",
    "Rayleigh",
    "Rice",
    "SkewNormal",
    "StudentT",
    "TruncatedNormal",
    "Uniform",
    "VonMises",
    "Wald",
    "Weibull",
    "compare",
    "diagnose",
    "math",
    "prior_predictive",
    "ref",
    "sample",
]

# xarray, numba and arviz-stats take seconds to import, and building a model needs none of them.
_LATE = {
    "compare": "exmc.diagnostics.compare",
    "diagnose": "exmc.diagnostics.checks",
    "prior_predictive": "exmc.inference",
    "sample": "exmc.inference",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'exmc' has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)
