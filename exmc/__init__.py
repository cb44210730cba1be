"""exmc: Bayesian inference as a task graph. The public names, each imported at its first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exmc.late import imported

if TYPE_CHECKING:
    from exmc.compile.ode import ode
    from exmc.compile.scan import scan
    from exmc.diagnostics.checks import diagnose
    from exmc.diagnostics.compare import compare
    from exmc.distributions import (
        AR,
        CAR,
        DISTRIBUTIONS,
        ICAR,
        AsymmetricLaplace,
        Bernoulli,
        Beta,
        BetaBinomial,
        Binomial,
        Categorical,
        Cauchy,
        Censored,
        ChiSquared,
        Custom,
        Dirichlet,
        DirichletMultinomial,
        DiscreteUniform,
        ExGaussian,
        Exponential,
        Flat,
        Gamma,
        GaussianRandomWalk,
        Geometric,
        Gumbel,
        HalfCauchy,
        HalfFlat,
        HalfLogistic,
        HalfNormal,
        HalfStudentT,
        Hurdle,
        IntervalCensored,
        InverseGamma,
        Kumaraswamy,
        Laplace,
        LKJCholesky,
        LKJCholeskyCov,
        Logistic,
        LogitNormal,
        LogNormal,
        MarkovChain,
        Mixture,
        Moyal,
        Multinomial,
        MvGaussianRandomWalk,
        MvNormal,
        MvStudentT,
        NegativeBinomial,
        Normal,
        OrderedLogistic,
        OrderedProbit,
        Pareto,
        Poisson,
        Rayleigh,
        Rice,
        SkewNormal,
        StudentT,
        Truncated,
        TruncatedNormal,
        Uniform,
        VonMises,
        Wald,
        Weibull,
        ZeroInflated,
        ZeroSumNormal,
    )
    from exmc.errors import ExmcError
    from exmc.inference import prior_predictive, sample
    from exmc.ir import functions as math
    from exmc.ir.builder import Builder
    from exmc.ir.expressions import ref
    from exmc.ir.model import Model
    from exmc.prediction import predict

__version__ = "0.1.0"

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
    "Builder",
    "Categorical",
    "Cauchy",
    "Censored",
    "ChiSquared",
    "Custom",
    "Dirichlet",
    "DirichletMultinomial",
    "DiscreteUniform",
    "ExGaussian",
    "ExmcError",
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
    "Model",
    "Moyal",
    "Multinomial",
    "MvGaussianRandomWalk",
    "MvNormal",
    "MvStudentT",
    "NegativeBinomial",
    "Normal",
    "OrderedLogistic",
    "OrderedProbit",
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
    "compare",
    "diagnose",
    "math",
    "ode",
    "predict",
    "prior_predictive",
    "ref",
    "sample",
    "scan",
]

# What a command or a worker needs of exmc is imported in a tenth of the second that all of these take.
_PLACES = {
    "Builder": "exmc.ir.builder",
    "ExmcError": "exmc.errors",
    "Model": "exmc.ir.model",
    "compare": "exmc.diagnostics.compare",
    "diagnose": "exmc.diagnostics.checks",
    "ode": "exmc.compile.ode",
    "predict": "exmc.prediction",
    "prior_predictive": "exmc.inference",
    "ref": "exmc.ir.expressions",
    "sample": "exmc.inference",
    "scan": "exmc.compile.scan",
}
"""Where the names are that are no distributions."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'exmc' has no attribute {name!r}")
    if name == "math":
        return imported("exmc.ir.functions")
    return getattr(imported(_PLACES.get(name, "exmc.distributions")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
