"""exmc: Bayesian inference as a task graph. The public names; what is heavy is imported at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from exmc.distributions import (
    DISTRIBUTIONS,
    Bernoulli,
    Beta,
    Binomial,
    Cauchy,
    Exponential,
    Flat,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Laplace,
    LogNormal,
    Normal,
    Poisson,
    StudentT,
    Uniform,
)
from exmc.errors import ExmcError
from exmc.ir import functions as math
from exmc.ir.builder import Builder
from exmc.ir.expressions import ref
from exmc.ir.model import Model

if TYPE_CHECKING:
    from exmc.compile.ode import ode
    from exmc.compile.scan import scan
    from exmc.diagnostics.checks import diagnose
    from exmc.diagnostics.compare import compare
    from exmc.inference import prior_predictive, sample

__version__ = "0.1.0"

__all__ = [
    "DISTRIBUTIONS",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Builder",
    "Cauchy",
    "ExmcError",
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
    "Model",
    "Normal",
    "Poisson",
    "StudentT",
    "Uniform",
    "compare",
    "diagnose",
    "math",
    "ode",
    "prior_predictive",
    "ref",
    "sample",
    "scan",
]

# xarray, numba and arviz-stats take seconds to import, and building a model needs none of them.
_LATE = {
    "compare": "exmc.diagnostics.compare",
    "diagnose": "exmc.diagnostics.checks",
    "ode": "exmc.compile.ode",
    "prior_predictive": "exmc.inference",
    "sample": "exmc.inference",
    "scan": "exmc.compile.scan",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'exmc' has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)
