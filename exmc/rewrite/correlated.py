"""The non-centred form of multivariate normal variables: a factor of the covariance times independent normals.

``f ~ MvNormal(mu, K)`` becomes ``f = mu + cholesky(K) @ f_raw`` with ``f_raw ~ Normal(0, 1)``: what is sampled has a
prior of independent elements, whatever the covariance and the parameters that it depends on. Exact Gaussian processes
cannot do without: neighbouring values are nearly equal, which no diagonal metric sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from exmc.ir.constants import constant_value, is_constant
from exmc.ir.expressions import Expression, Reference, apply
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, RandomVariable
from exmc.ir.operations import infer_type
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import plus
from exmc.rewrite.standard import standard_normals

FACTORS: Mapping[str, Mapping[str, Callable[[Expression], Expression]]] = MappingProxyType(
    {
        "MvNormal": MappingProxyType(
            {
                "cov": lambda cov: apply("cholesky", cov),
                "chol": lambda chol: chol,
                "precision": lambda precision: apply("cholesky", apply("inverse_posdef", precision)),
            }
        )
    }
)
"""By family: how a factor L, with L @ L' the covariance, follows from the parameter that is given."""


def factors_of(model: Model, types: Mapping[str, ArrayType]) -> dict[str, Expression]:
    """The factor of the covariance, a matrix, of each free variable of `model` that should be non-centred by it.

    Those are the ones for which it is asked, and of ``centering: auto`` those whose prior depends on other variables or
    correlates their elements. None has more events than one product of matrices makes.
    """
    found: dict[str, Expression] = {}
    for variable in model.free:
        factor = factor_of(variable, model, types)
        if factor is not None:
            found[variable.name] = factor
    return found


def factor_of(variable: RandomVariable, model: Model, types: Mapping[str, ArrayType]) -> Expression | None:
    """The factor of the covariance of `variable`, if that should be non-centred by it."""
    factor = None if variable.centering == "centered" else _matrix_of(variable, types)
    if factor is None or not (variable.centering == "noncentered" or _gains_by(variable, factor, model)):
        return None
    return factor


def _matrix_of(variable: RandomVariable, types: Mapping[str, ArrayType]) -> Expression | None:
    factors, arguments = FACTORS.get(variable.call.distribution), variable.call.arguments
    if factors is None:
        return None
    (key,) = factors.keys() & arguments.keys()
    shape = types[variable.name].shape
    single = len(shape) <= 2 and infer_type(arguments[key], types).shape == shape[-1:] * 2
    return factors[key](arguments[key]) if single else None


def _gains_by(variable: RandomVariable, factor: Expression, model: Model) -> bool:
    """Whether the prior of `variable` depends on other variables, or correlates its elements."""
    if not all(is_constant(e, model) for e in (variable.call.arguments["mu"], factor)):
        return True
    matrix = np.asarray(constant_value(factor, model))
    return bool(np.any(matrix != np.diag(np.diagonal(matrix))))


def split_by_factor(
    node: RandomVariable, factor: Expression, raw: str, found: ArrayType
) -> tuple[RandomVariable, Deterministic]:
    """Independent standard normals called `raw`, and `node` computed from them; `found` is the type of both."""
    variable = standard_normals(raw, found)
    # The events of a batch are its rows.
    spread = (
        apply("matmul", factor, Reference(raw))
        if len(found.shape) == 1
        else apply("matmul", Reference(raw), apply("transpose", factor))
    )
    return variable, Deterministic(node.name, plus(node.call.arguments["mu"], spread), variable.dims)
