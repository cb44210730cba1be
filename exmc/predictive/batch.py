"""Evaluating an expression for many samples at once, exactly as it is evaluated for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.ir.expressions import Apply, Expression, Reference
from exmc.ir.loops import Body, loop_body
from exmc.ir.operations import evaluate as evaluate_once
from exmc.ir.operations import operation_of


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One value per sample: `values` has shape (samples, ...)."""

    values: NDArray[Any]

    @property
    def rank(self) -> int:
        """Number of axes of one sample's value."""
        return self.values.ndim - 1

    def flat(self) -> NDArray[Any]:
        """Each sample's value as a vector, shape (samples, size)."""
        return self.values.reshape(len(self.values), -1)


Value: TypeAlias = Batch | Any
"""A `Batch`, or what is the same for all samples."""
Rule: TypeAlias = Callable[[Callable[..., Any], list[Value], dict[str, Any], int], NDArray[Any] | None]

Loops: TypeAlias = Callable[[Body, list[Any], list[bool]], NDArray[Any] | None]
"""Evaluates a loop for all samples: given its operands and which of them have an axis of samples; None declines."""


def evaluate(expression: Expression, values: Mapping[str, Value], samples: int, loops: Loops | None = None) -> Value:
    """The value of `expression`, names looked up in `values`; a `Batch` if it depends on one.

    An operation without a rule here is evaluated sample by sample: a new operation is right at once, and fast when it
    gets a rule. So are loops, unless `loops` evaluates them.
    """
    if isinstance(expression, Reference):
        return values[expression.name]
    if not isinstance(expression, Apply):
        return evaluate_once(expression, {})
    operands = [evaluate(o, values, samples, loops) for o in expression.operands]
    function, options = operation_of(expression).evaluate, dict(expression.options)
    if not any(isinstance(o, Batch) for o in operands):
        return function(*operands, **options)
    rule, body = RULES.get(expression.operation), loop_body(expression)
    if body is not None:
        found = None if loops is None else _looped(loops, body, operands)
    else:
        found = rule(function, operands, options, samples) if rule is not None else None
    return Batch(_one_by_one(function, operands, options, samples) if found is None else found)


def _looped(loops: Loops, body: Body, operands: list[Value]) -> NDArray[Any] | None:
    plain = [o.values if isinstance(o, Batch) else o for o in operands]
    return loops(body, plain, [isinstance(o, Batch) for o in operands])


def take(value: Value, sample: int) -> Any:
    """The value for one sample."""
    return value.values[sample] if isinstance(value, Batch) else value


def _one_by_one(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any]:
    return np.stack([np.asarray(function(*(take(o, i) for o in operands), **options)) for i in range(samples)])


def _elementwise(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any]:
    rank = max(o.rank if isinstance(o, Batch) else np.ndim(o) for o in operands)
    return np.asarray(function(*(_aligned(o, rank) for o in operands), **options))


def _aligned(value: Value, rank: int) -> Any:
    """`value` with axes of length 1 between the sample axis and its own, so that those meet at the last axis."""
    if not isinstance(value, Batch):
        return value
    shape = value.values.shape
    return value.values.reshape(shape[0], *(1,) * (rank - value.rank), *shape[1:])


def _reduction(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any]:
    (operand,) = operands
    axis = options.get("axis")
    if axis is None:
        return np.asarray(function(operand.flat(), axis=1))
    return np.asarray(function(operand.values, axis=axis % operand.rank + 1))


def _along_axis(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any]:
    (operand,) = operands
    axis = options.get("axis", -1)
    return np.asarray(function(operand.values, axis=axis % operand.rank + 1))


def _matmul(function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int) -> NDArray[Any]:
    # A stack of products, one call of BLAS each, so that a sample's result does not depend on the other samples.
    left, right = (o.values if isinstance(o, Batch) else np.asarray(o)[None] for o in operands)
    row, column = left.ndim == 2, right.ndim == 2
    product = function(left[:, None, :] if row else left, right[:, :, None] if column else right)
    product = product[..., 0] if column else product
    return np.asarray(product[:, 0] if row else product)


def _transpose(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any]:
    (operand,) = operands
    return operand.values.transpose(0, *range(operand.rank, 0, -1))


def _expand_dims(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any]:
    (operand,) = operands
    return np.asarray(function(operand.values, axis=options.get("axis", 0) % (operand.rank + 1) + 1))


def _concatenate(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any] | None:
    if "axis" in options:
        return None
    parts = [
        o.flat() if isinstance(o, Batch) else np.broadcast_to(np.ravel(o), (samples, np.size(o))) for o in operands
    ]
    return np.concatenate(parts, axis=1)


def _index(
    function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int
) -> NDArray[Any] | None:
    base, *keys = operands
    if any(isinstance(key, Batch) for key in keys):
        if isinstance(base, Batch) or len(keys) > 1:
            return None
        return np.asarray(np.asarray(base)[keys[0].values])
    if _separated(keys):
        return None
    chosen: tuple[Any, ...] = (slice(None), *keys)
    return np.asarray(base.values[chosen])


def _separated(keys: Sequence[Any]) -> bool:
    """Whether a slice stands between two other keys: numpy then moves the indexed axes to the front."""
    places = [i for i, key in enumerate(keys) if not isinstance(key, slice)]
    return bool(places) and places[-1] - places[0] >= len(places)


def _matrix(function: Callable[..., Any], operands: list[Value], options: dict[str, Any], samples: int) -> None:
    """Declines: matrices, factors and solutions are made one at a time, and so is what is rarely wanted."""


_ELEMENTWISE = (
    "add", "subtract", "multiply", "divide", "power", "negative", "abs", "less", "less_equal", "greater",
    "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not", "exp", "log", "log1p",
    "expm1", "sqrt", "square", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "sign", "sigmoid", "logit", "log_sigmoid", "softplus", "gammaln", "digamma", "erf", "erfc", "ndtr",
    "log_ndtr", "minimum", "maximum", "logaddexp", "xlogy", "where", "arcsinh", "arccosh", "arctanh", "arctan2",
    "floor", "ceil", "trigamma", "betaln", "log1mexp", "i0e", "i1e", "ndtri", "erfinv", "logdiffexp", "xlog1py",
    "floor_divide", "mod",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("sum", "prod", "mean", "max", "min", "logsumexp", "sd"), _reduction),
    **dict.fromkeys(("cumsum", "cumprod", "sort", "softmax", "log_softmax"), _along_axis),
    **dict.fromkeys(("matmul", "dot"), _matmul),
    **dict.fromkeys(
        (
            *("cholesky", "solve_triangular", "solve_posdef", "inverse_posdef", "logdet", "diag", "outer"),
            *("solve", "inverse", "logabsdet", "exp_quad", "matern12", "matern32", "matern52", "rational_quadratic"),
            *("periodic", "linear", "white_noise", "hsgp_basis", "hsgp_exp_quad", "hsgp_matern12", "hsgp_matern32"),
            *("hsgp_matern52", "kron", "stack", "len", "standard_deviations", "correlations"),
        ),
        _matrix,
    ),
    "transpose": _transpose,
    "expand_dims": _expand_dims,
    "concatenate": _concatenate,
    "index": _index,
}
"""How an operation treats samples; a rule may decline by returning None."""
