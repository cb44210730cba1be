"""The closed set of operations an expression may use: a table of how each is evaluated and typed."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np

from exmc import covariances, hilbert, linalg, logspace, special
from exmc.errors import ExpressionError, ModelError, suggest
from exmc.ir import arrays, matrices, odes, processes, rules, scans, sizes
from exmc.ir.expressions import Apply, Constant, Expression, Reference, Slice, Span, transform_bottom_up
from exmc.ir.laws import infer_density, run_density
from exmc.ir.loops import Body, loop_body, run_formulas, with_formulas
from exmc.ir.types import ArrayType, Kind, broadcast


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: `evaluate` runs on arrays (or traced values), `infer` gives the result's type.

    `most` is the largest number of operands (None: any number), `options` the keyword arguments allowed.
    `elementwise`: an element of the result depends on one of each operand, as numpy broadcasts them.
    """

    evaluate: Callable[..., Any]
    infer: rules.TypeRule
    least: int
    most: int | None
    options: tuple[str, ...] = ()
    elementwise: bool = False


def as_number(value: Any) -> Any:
    """`value`, true as 1 and false as 0: numpy would add bools by `or`, refuse to subtract them, and exp in float16."""
    if isinstance(value, bool):
        return int(value)
    return anp.where(value, 1, 0) if getattr(value, "dtype", None) == np.bool_ else value


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(*operands: Any, **options: Any) -> Any:
        return function(*(as_number(o) for o in operands), **options)

    return evaluate


def _unary(function: Callable[..., Any], kind: Kind | None = "float") -> Operation:
    return Operation(_of_numbers(function), rules.elementwise(kind), 1, 1, elementwise=True)


def _binary(function: Callable[..., Any], kind: Kind | None = "float") -> Operation:
    return Operation(_of_numbers(function), rules.elementwise(kind), 2, 2, elementwise=True)


def _logical(function: Callable[..., Any], count: int) -> Operation:
    return Operation(function, rules.elementwise("bool"), count, count, elementwise=True)


def _reduce(function: Callable[..., Any], kind: Kind | None = "float", least: int = 0) -> Operation:
    return Operation(_of_numbers(function), rules.reduction(kind, least), 1, 1, ("axis", "dim"))


def _covariance(name: str, *parameters: str, of_coordinates: str = "length") -> Operation:
    evaluate_points = _of_numbers(processes.between_points(getattr(covariances, name), len(parameters)))
    infer = processes.covariance(name, parameters, of_coordinates)
    return Operation(evaluate_points, infer, 1 + len(parameters), 2 + len(parameters))


def _hsgp(function: Callable[..., Any]) -> Operation:
    return Operation(_of_numbers(function), processes.scales(f"hsgp_{function.__name__}"), 3, 3, ("m",))


def _never(_types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    raise AssertionError("what depends on literal operands is typed by infer_type itself")


OPERATIONS: dict[str, Operation] = {
    "add": _binary(anp.add, None),
    "subtract": _binary(anp.subtract, None),
    "multiply": _binary(anp.multiply, None),
    "divide": _binary(anp.true_divide),
    "power": _binary(lambda a, b: anp.power(1.0 * a, b)),
    "floor_divide": Operation(_of_numbers(np.floor_divide), rules.of_integers, 2, 2),
    "mod": Operation(_of_numbers(np.mod), rules.of_integers, 2, 2),
    "negative": _unary(anp.negative, None),
    "abs": _unary(anp.abs, None),
    "less": _logical(anp.less, 2),
    "less_equal": _logical(anp.less_equal, 2),
    "greater": _logical(anp.greater, 2),
    "greater_equal": _logical(anp.greater_equal, 2),
    "equal": _logical(anp.equal, 2),
    "not_equal": _logical(anp.not_equal, 2),
    "logical_and": _logical(anp.logical_and, 2),
    "logical_or": _logical(anp.logical_or, 2),
    "logical_not": _logical(anp.logical_not, 1),
    "exp": _unary(anp.exp),
    "log": _unary(anp.log),
    "log1p": _unary(anp.log1p),
    "expm1": _unary(anp.expm1),
    "sqrt": _unary(anp.sqrt),
    "square": _unary(anp.square, None),
    "sin": _unary(anp.sin),
    "cos": _unary(anp.cos),
    "tan": _unary(anp.tan),
    "arcsin": _unary(anp.arcsin),
    "arccos": _unary(anp.arccos),
    "arctan": _unary(anp.arctan),
    "sinh": _unary(anp.sinh),
    "cosh": _unary(anp.cosh),
    "tanh": _unary(anp.tanh),
    "arcsinh": _unary(anp.arcsinh),
    "arccosh": _unary(anp.arccosh),
    "arctanh": _unary(anp.arctanh),
    "arctan2": _binary(anp.arctan2),
    "floor": _unary(lambda x: anp.floor(1.0 * x)),
    "ceil": _unary(lambda x: anp.ceil(1.0 * x)),
    "sign": _unary(anp.sign, None),
    "sigmoid": _unary(special.expit),
    "logit": _unary(special.logit),
    "log_sigmoid": _unary(special.log_expit),
    "softplus": _unary(special.softplus),
    "gammaln": _unary(special.gammaln),
    "digamma": _unary(special.digamma),
    "trigamma": _unary(special.trigamma),
    "betaln": _binary(special.betaln),
    "log1mexp": _unary(special.log1mexp),
    "i0e": _unary(special.i0e),
    "i1e": _unary(special.i1e),
    "erf": _unary(special.erf),
    "erfc": _unary(special.erfc),
    "ndtr": _unary(special.ndtr),
    "log_ndtr": _unary(special.log_ndtr),
    "ndtri": _unary(special.ndtri),
    "erfinv": _unary(special.erfinv),
    "minimum": _binary(anp.minimum, None),
    "maximum": _binary(anp.maximum, None),
    "logaddexp": _binary(anp.logaddexp),
    "logdiffexp": _binary(logspace.logdiffexp),
    "xlogy": _binary(special.xlogy),
    "xlog1py": _binary(special.xlog1py),
    "where": Operation(lambda c, a, b: anp.where(c, as_number(a), as_number(b)), rules.choice, 3, 3, elementwise=True),
    "sum": _reduce(anp.sum, None),
    "prod": _reduce(lambda x, axis=None: anp.prod(1.0 * x, axis=axis)),
    "mean": _reduce(anp.mean, least=1),
    "sd": _reduce(arrays.sd, least=2),
    "max": _reduce(anp.max, None, least=1),
    "min": _reduce(anp.min, None, least=1),
    "logsumexp": _reduce(logspace.logsumexp, least=1),
    "cumsum": Operation(_of_numbers(anp.cumsum), rules.along_axis(None), 1, 1, ("axis", "dim")),
    "cumprod": Operation(_of_numbers(arrays.cumprod), rules.along_axis("float"), 1, 1, ("axis", "dim")),
    "sort": Operation(_of_numbers(anp.sort), rules.along_axis(None), 1, 1, ("axis", "dim")),
    "softmax": Operation(_of_numbers(logspace.softmax), rules.along_axis("float"), 1, 1, ("axis", "dim")),
    "log_softmax": Operation(_of_numbers(logspace.log_softmax), rules.along_axis("float"), 1, 1, ("axis", "dim")),
    **dict.fromkeys(("matmul", "dot"), Operation(_of_numbers(anp.matmul), rules.matmul, 2, 2)),
    "transpose": Operation(anp.transpose, rules.transpose, 1, 1),
    "expand_dims": Operation(lambda x, axis=0: anp.expand_dims(x, axis), rules.new_axis, 1, 1, ("axis",)),
    "cholesky": Operation(_of_numbers(linalg.checked_cholesky), matrices.same_square, 1, 1),
    "solve_triangular": Operation(_of_numbers(linalg.solve_triangular), matrices.solution, 2, 2),
    "solve_posdef": Operation(_of_numbers(linalg.solve_posdef), matrices.solution, 2, 2),
    "inverse_posdef": Operation(_of_numbers(linalg.inverse_posdef), matrices.same_square, 1, 1),
    "logdet": Operation(_of_numbers(linalg.logdet), matrices.square_to_scalar, 1, 1),
    "solve": Operation(_of_numbers(linalg.solve), matrices.solution, 2, 2),
    "inverse": Operation(_of_numbers(linalg.inverse), matrices.same_square, 1, 1),
    "logabsdet": Operation(_of_numbers(linalg.logabsdet), matrices.square_to_scalar, 1, 1),
    "standard_deviations": Operation(_of_numbers(linalg.standard_deviations), matrices.row_numbers, 1, 1),
    "correlations": Operation(_of_numbers(linalg.correlations), matrices.same_square, 1, 1),
    "diag": Operation(_of_numbers(anp.diag), matrices.diagonal, 1, 1),
    "outer": Operation(_of_numbers(anp.outer), matrices.outer_product, 2, 2),
    "exp_quad": _covariance("exp_quad", "scale", "length"),
    "matern12": _covariance("matern12", "scale", "length"),
    "matern32": _covariance("matern32", "scale", "length"),
    "matern52": _covariance("matern52", "scale", "length"),
    "rational_quadratic": _covariance("rational_quadratic", "scale", "length", "alpha"),
    "periodic": _covariance("periodic", "scale", "length", "period"),
    "linear": _covariance("linear", "scale", of_coordinates="scale"),
    "white_noise": Operation(_of_numbers(covariances.white_noise), processes.white_noise, 2, 2),
    "hsgp_basis": Operation(_of_numbers(hilbert.basis), processes.basis, 2, 2, ("m",)),
    "hsgp_exp_quad": _hsgp(hilbert.exp_quad),
    "hsgp_matern12": _hsgp(hilbert.matern12),
    "hsgp_matern32": _hsgp(hilbert.matern32),
    "hsgp_matern52": _hsgp(hilbert.matern52),
    "concatenate": Operation(_of_numbers(arrays.concatenate), rules.concatenate, 1, None, ("axis",)),
    "stack": Operation(_of_numbers(arrays.stack), rules.stack, 1, None, ("axis",)),
    "kron": Operation(_of_numbers(arrays.kron), matrices.kronecker, 2, 2),
    "len": Operation(lambda x: anp.shape(x)[0], rules.length, 1, 1),
    "index": Operation(arrays.element, _never, 2, None),
}


def _loop(run: Callable[..., Any], infer: Callable[..., ArrayType]) -> Operation:
    """A row that evaluates and types the formulas of its option ``body``."""

    def evaluate_loop(*operands: Any, body: Body) -> Any:
        return run(list(operands), body, evaluate)

    def infer_loop(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
        return infer(types, options["body"], infer_type)

    return Operation(evaluate_loop, infer_loop, 1, None, ("body",))


LOOPS: dict[str, Operation] = {
    "scan": _loop(scans.run_scan, scans.infer_scan),
    "ode": _loop(odes.run_ode, odes.infer_ode),
}
"""Operations that repeat formulas; they stand alone as a deterministic's expression, and no text is parsed to one."""

FORMS: dict[str, Operation] = {
    "zeros": Operation(sizes.zeros, _never, 1, None),
    "ones": Operation(sizes.ones, _never, 1, None),
    "eye": Operation(sizes.eye, _never, 1, 1),
    "arange": Operation(sizes.arange, _never, 1, 2),
    "reshape": Operation(sizes.reshape, _never, 2, None),
}
"""Operations with operands that are lengths, and literal in a built model: the rows of `exmc.ir.sizes.SIZED`."""

FUNCTIONS: Mapping[str, Operation] = ChainMap(OPERATIONS, FORMS)
"""What the text of an expression may call, and "index"."""

_DENSITY = {"log_density": Operation(_of_numbers(run_density), infer_density, 1, None, ("law",))}
_ROWS: Mapping[str, Operation] = ChainMap(OPERATIONS, FORMS, LOOPS, _DENSITY)
_SCOPES: dict[str, Callable[..., dict[str, ArrayType]]] = {"scan": scans.element_types, "ode": odes.state_types}


def evaluate(expression: Expression, values: Mapping[str, Any]) -> Any:
    """The value of `expression`, names looked up in `values` (arrays or traced values)."""
    if isinstance(expression, Constant):
        return expression.value
    if isinstance(expression, Reference):
        return values[expression.name]
    if isinstance(expression, Slice):
        return slice(expression.start, expression.stop, expression.step)
    assert isinstance(expression, Apply)
    operands = [evaluate(o, values) for o in expression.operands]
    return operation_of(expression).evaluate(*operands, **dict(expression.options))


def operation_of(expression: Apply) -> Operation:
    """The row of the operation that is applied."""
    return _ROWS[expression.operation]


def check_call(expression: Apply) -> None:
    """Raise `ExpressionError` for an unknown operation, a wrong number of operands or an unknown option."""
    name, count = expression.operation, len(expression.operands)
    operation = _ROWS.get(name)
    if operation is None:
        raise ExpressionError(f"there is no function {name!r}.", remedy=suggest(name, FUNCTIONS))
    if count < operation.least or (operation.most is not None and count > operation.most):
        wanted = f"{operation.least}" if operation.most == operation.least else f"{operation.least} or more"
        raise ExpressionError(f"{name} takes {wanted} operands, not {count}.")
    for option, _ in expression.options:
        if option not in operation.options:
            raise ExpressionError(f"{name} has no option {option!r}.", remedy=suggest(option, operation.options))
    if len(expression.options) > 1:
        raise ExpressionError(f"{name} takes axis or dim, not both.")


def infer_type(expression: Expression, types: Mapping[str, ArrayType]) -> ArrayType:
    """The type of `expression` given those of the names it refers to; raises `ModelError`."""
    if isinstance(expression, Constant):
        kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "float"}
        return ArrayType((), (), kinds[type(expression.value)])
    if isinstance(expression, Reference):
        return types[expression.name]
    if isinstance(expression, Slice | Span):
        raise ExpressionError("a slice can stand only inside [ ].")
    assert isinstance(expression, Apply)
    check_call(expression)
    if expression.operation == "index":
        return _infer_index(expression, types)
    operands = [infer_type(o, types) for o in expression.operands]
    if expression.operation in sizes.SIZED:
        return sizes.sized_type(expression.operation, expression.operands, operands)
    return operation_of(expression).infer(operands, _with_axis(expression, operands))


def resolve_dims(expression: Apply, types: Mapping[str, ArrayType]) -> Apply:
    """`expression` with an option ``dim='name'`` replaced by the ``axis`` it stands for."""
    body = loop_body(expression)
    if body is not None:
        return _resolve_loop(expression, body, [infer_type(o, types) for o in expression.operands])
    if all(key != "dim" for key, _ in expression.options):
        return expression
    options = _with_axis(expression, [infer_type(o, types) for o in expression.operands])
    return Apply(expression.operation, expression.operands, tuple(sorted(options.items())))


def _resolve_loop(expression: Apply, body: Body, operands: list[ArrayType]) -> Apply:
    """A loop with the dims in its formulas resolved."""
    scope = _SCOPES[body.operation](operands, body)
    resolved: list[Expression] = []

    def resolve(formula: Expression, names: Mapping[str, ArrayType]) -> ArrayType:
        def change(part: Expression) -> Expression:
            return resolve_dims(part, names) if isinstance(part, Apply) else part

        resolved.append(transform_bottom_up(formula, change))
        return infer_type(formula, names)

    run_formulas(body, scope, resolve)
    formulas = tuple((name, formula) for (name, _), formula in zip(body.formulas, resolved, strict=True))
    return Apply(expression.operation, expression.operands, (("body", with_formulas(body, formulas)),))


def _with_axis(expression: Apply, operands: list[ArrayType]) -> dict[str, Any]:
    """The options of `expression`, a dim replaced by the axis it stands for."""
    options = dict(expression.options)
    if "dim" in options:
        dim, dims = options.pop("dim"), operands[0].dims
        if dim not in dims:
            present = ", ".join(repr(d) for d in dims if d) or "none"
            raise ModelError(f"{expression.operation} over dim {dim!r}: the value has dims {present}.")
        options["axis"] = dims.index(dim)
    return options


def _infer_index(expression: Apply, types: Mapping[str, ArrayType]) -> ArrayType:
    base, *keys = expression.operands
    operand = infer_type(base, types)
    if len(keys) > len(operand.shape):
        raise ModelError(f"{len(keys)} indices for a value {operand}.")
    shape: list[int] = []
    dims: list[str | None] = []
    advanced: list[ArrayType] = []
    places: list[int] = []
    position = 0
    for axis, key in enumerate(keys):
        size = operand.shape[axis]
        if isinstance(key, Slice):
            count = len(range(*slice(key.start, key.stop, key.step).indices(size)))
            shape.append(count)
            dims.append(operand.dims[axis] if key == Slice() else None)
            position += 1
            continue
        index = infer_type(key, types)
        _check_index(key, index, size)
        advanced.append(index)
        places.append(position)
    shape += operand.shape[len(keys) :]
    dims += operand.dims[len(keys) :]
    if advanced:
        joined = broadcast(advanced, "int")
        # numpy puts the indexed axes first when a slice separates them.
        at = places[0] if len(set(places)) == 1 else 0
        shape[at:at] = joined.shape
        dims[at:at] = joined.dims
    return ArrayType(tuple(shape), rules.once(tuple(dims)), operand.kind)


def _check_index(key: Expression, index: ArrayType, size: int) -> None:
    if index.kind != "int":
        raise ModelError(
            f"an index must hold whole numbers, this one holds {index.kind}s.",
            remedy="Use integer data (0-based).",
        )
    if isinstance(key, Apply) and key.operation == "negative" and isinstance(key.operands[0], Constant):
        key = Constant(-key.operands[0].value)
    if isinstance(key, Constant) and not -size <= key.value < size:
        raise ModelError(f"index {key.value} is out of range for an axis of size {size} (0-based).")
