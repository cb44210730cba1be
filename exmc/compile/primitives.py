"""The closed set of primitives a tape is made of: each one's type rule and numpy evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc import graphs, linalg
from exmc.compile.computed_index import order_elements, pick_elements, place_elements
from exmc.compile.linear_recurrence import evaluate as evaluate_recurrence
from exmc.special import SPECIAL

Array = NDArray[Any]
Kind = Literal["elementwise", "reduction", "view", "memory", "external"]


class ArrayType(NamedTuple):
    """The static type of a value: its shape, and "float64", "int64" or "bool" ("object" for foreign results)."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


class Primitive(NamedTuple):
    """What a primitive means: the type of its result, and the result itself by numpy.

    `infer(types, parameters)` and `evaluate(*arrays, **parameters)` agree on shapes for every legal call.
    """

    name: str
    kind: Kind
    infer: Callable[[tuple[ArrayType, ...], Mapping[str, Any]], ArrayType]
    evaluate: Callable[..., Any]


FLOAT, INTEGER, BOOLEAN = "float64", "int64", "bool"


def promote(types: tuple[ArrayType, ...]) -> str:
    """The widest dtype among `types`."""
    return max((t.dtype for t in types), key=[BOOLEAN, INTEGER, FLOAT].index)


def _broadcast_shapes(types: tuple[ArrayType, ...]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(t.shape for t in types))


def _float(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(_broadcast_shapes(types), FLOAT)


def _same(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(_broadcast_shapes(types), promote(types))


def _truth(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(_broadcast_shapes(types), BOOLEAN)


def _choice(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(_broadcast_shapes(types), promote(types[1:]))


def _as_integer(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(types[0].shape, INTEGER)


# One line per elementwise primitive: its type rule and its numpy function.
_ELEMENTWISE: dict[str, tuple[Callable[..., ArrayType], Callable[..., Any]]] = {
    "add": (_same, np.add),
    "subtract": (_same, np.subtract),
    "multiply": (_same, np.multiply),
    "divide": (_float, np.divide),
    "power": (_same, np.power),
    "mod": (_same, np.mod),
    "floor_divide": (_same, np.floor_divide),
    "maximum": (_same, np.maximum),
    "minimum": (_same, np.minimum),
    "fmax": (_same, np.fmax),
    "fmin": (_same, np.fmin),
    "logaddexp": (_float, np.logaddexp),
    "arctan2": (_float, np.arctan2),
    "hypot": (_float, np.hypot),
    "copysign": (_float, np.copysign),
    "negative": (_same, np.negative),
    "absolute": (_same, np.absolute),
    "sign": (_same, np.sign),
    "floor": (_same, np.floor),
    "ceil": (_same, np.ceil),
    "trunc": (_same, np.trunc),
    "rint": (_float, np.rint),
    "exp": (_float, np.exp),
    "exp2": (_float, np.exp2),
    "expm1": (_float, np.expm1),
    "log": (_float, np.log),
    "log2": (_float, np.log2),
    "log10": (_float, np.log10),
    "log1p": (_float, np.log1p),
    "sqrt": (_float, np.sqrt),
    "cbrt": (_float, np.cbrt),
    "sin": (_float, np.sin),
    "cos": (_float, np.cos),
    "tan": (_float, np.tan),
    "arcsin": (_float, np.arcsin),
    "arccos": (_float, np.arccos),
    "arctan": (_float, np.arctan),
    "sinh": (_float, np.sinh),
    "cosh": (_float, np.cosh),
    "tanh": (_float, np.tanh),
    "arcsinh": (_float, np.arcsinh),
    "arccosh": (_float, np.arccosh),
    "arctanh": (_float, np.arctanh),
    "less": (_truth, np.less),
    "less_equal": (_truth, np.less_equal),
    "greater": (_truth, np.greater),
    "greater_equal": (_truth, np.greater_equal),
    "equal": (_truth, np.equal),
    "not_equal": (_truth, np.not_equal),
    "logical_and": (_truth, np.logical_and),
    "logical_or": (_truth, np.logical_or),
    "logical_xor": (_truth, np.logical_xor),
    "logical_not": (_truth, np.logical_not),
    "isnan": (_truth, np.isnan),
    "isinf": (_truth, np.isinf),
    "isfinite": (_truth, np.isfinite),
    "where": (_choice, np.where),
    "to_float": (_float, lambda x: np.asarray(x, dtype=np.float64)),
    "to_integer": (_as_integer, lambda x: np.asarray(np.trunc(x), dtype=np.int64)),
    "to_boolean": (_truth, lambda x: np.asarray(x, dtype=np.bool_)),
}


def _reduced(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    (operand,) = types
    shape = tuple(n for axis, n in enumerate(operand.shape) if axis not in parameters["axes"])
    return ArrayType(shape, operand.dtype)


def _counted(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    shape, dtype = _reduced(types, parameters)
    return ArrayType(shape, INTEGER if dtype == BOOLEAN else dtype)


def _reshaped(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(parameters["shape"], types[0].dtype)


def _transposed(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(tuple(types[0].shape[axis] for axis in parameters["permutation"]), types[0].dtype)


def _sliced(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(tuple(length for _, length, _ in parameters["bounds"]), types[0].dtype)


def region(bounds: tuple[tuple[int, int, int], ...]) -> tuple[Any, ...]:
    """The numpy index of a region given as (start, length, step) per axis; steps may be negative."""
    index: list[slice] = []
    for start, length, step in bounds:
        stop = start + length * step
        index.append(slice(start, None if stop < 0 else stop, step) if length else slice(0, 0))
    return tuple(index)


def _taken(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(types[1].shape, types[0].dtype)


def _scattered(_types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(parameters["shape"], FLOAT)


def scatter(*operands: Any, shape: tuple[int, ...], parts: tuple[Any, ...]) -> Array:
    """Zeros of `shape` to which each part is added: at a region, or (part None) at flat indices.

    `operands` are the parts' values, then the index arrays of the parts that have one, in order.
    """
    result = np.zeros(shape)
    indices = iter(operands[len(parts) :])
    for value, part in zip(operands, parts, strict=False):
        if part is None:
            np.add.at(result.reshape(-1), next(indices), value)
        else:
            result[region(part)] += value
    return result


def _picked(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(types[1].shape, FLOAT)


def _lu(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    *lead, size, _ = types[0].shape
    return ArrayType((*lead, size + 1, size), FLOAT)


def _joined(_types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType((parameters["size"],) * 2, FLOAT)


def _diagonal(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType(types[0].shape[:-1], FLOAT)


def _contracted(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    inputs, output = parameters["spec"].split("->")
    sizes: dict[str, int] = {}
    for letters, operand in zip(inputs.split(","), types, strict=True):
        sizes.update(zip(letters, operand.shape, strict=True))
    return ArrayType(tuple(sizes[letter] for letter in output), promote(types))


def _like_last(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return types[-1]


class Loop(NamedTuple):
    """What the primitives of a scan or an ode need of its body: tapes and sizes; `evaluate` runs it by numpy."""

    body: Any
    name: str
    evaluate: Callable[..., Any]


def _scanned(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType((types[2].shape[0], parameters["loop"].body.width), FLOAT)


def _scanned_reverse(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    start, shared, inputs = (t.size for t in types[:3])
    return ArrayType((start + shared + (inputs if parameters["loop"].name == "reverse all" else 0),), FLOAT)


def _recurred(_types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    core = parameters["loop"].body
    return ArrayType((core.steps + 1, core.width), FLOAT)


def _solved(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    return ArrayType((parameters["loop"].body.path_size(types[2].size - 1),), FLOAT)


def _solved_reverse(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    loop = parameters["loop"]
    return ArrayType((loop.body.gradient_size(types[0].size, types[1].size, loop.name),), FLOAT)


def _by_body(*operands: Any, loop: Loop) -> Any:
    return loop.evaluate(*operands, loop)


def _foreign(_types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    result: ArrayType = parameters["type"]
    return result


class Hole(NamedTuple):
    """Stands in an external call's arguments for the operand of this number."""

    operand: int


class Span(NamedTuple):
    """A slice as a key of `positions`, which can be compared and written."""

    start: int | None
    stop: int | None
    step: int | None


def call_external(*operands: Any, call: ExternalCall, **_parameters: Any) -> Any:
    """Call the foreign function with the operands in their places."""
    return call.function(*in_holes(call.arguments, operands), **call.keywords)


def _positioned(types: tuple[ArrayType, ...], parameters: Mapping[str, Any]) -> ArrayType:
    # Zero strides: numpy itself interprets the index, but for the numbers in it.
    keys = [np.broadcast_to(np.int64(0), t.shape) for t in types]
    numbers = np.broadcast_to(np.int64(0), tuple(max(n, 1) for n in parameters["shape"]))
    return ArrayType(np.shape(numbers[_index(parameters["keys"], keys)]), INTEGER)


def _index(template: tuple[Any, ...], operands: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(slice(*key) if isinstance(key, Span) else key for key in in_holes(template, operands))


def _positions(*operands: Any, shape: tuple[int, ...], keys: tuple[Any, ...]) -> Array:
    return np.asarray(np.arange(math.prod(shape)).reshape(shape)[_index(keys, operands)])


def in_holes(template: tuple[Any, ...], operands: Sequence[Any]) -> tuple[Any, ...]:
    """A template with the operands in their places."""
    return tuple(operands[a.operand] if isinstance(a, Hole) else a for a in template)


class ExternalCall(NamedTuple):
    """A call of a function without a meaning here: it evaluates through itself, and has no lowering."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    name: str
    place: tuple[str, ...]


def raw(function: Any) -> Callable[..., Any]:
    """The numpy function that an autograd function wraps."""
    wrapped: Callable[..., Any] = function.fun
    return wrapped


def _axes_of(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axes: function(x, axis=axes)


def _cumulative(types: tuple[ArrayType, ...], _parameters: Mapping[str, Any]) -> ArrayType:
    return types[0] if types[0].dtype != BOOLEAN else ArrayType(types[0].shape, INTEGER)


def _table() -> dict[str, Primitive]:
    rows = [Primitive(name, "elementwise", rule, function) for name, (rule, function) in _ELEMENTWISE.items()]
    rows += [Primitive(name, "elementwise", _float, raw(function)) for name, function in SPECIAL.items()]
    rows += [
        Primitive("sum", "reduction", _counted, _axes_of(np.sum)),
        Primitive("prod", "reduction", _counted, _axes_of(np.prod)),
        Primitive("max", "reduction", _reduced, _axes_of(np.max)),
        Primitive("min", "reduction", _reduced, _axes_of(np.min)),
        Primitive("broadcast", "elementwise", _reshaped, lambda x, shape: np.broadcast_to(x, shape)),
        Primitive("reshape", "view", _reshaped, lambda x, shape: np.reshape(x, shape)),
        Primitive("transpose", "view", _transposed, lambda x, permutation: np.transpose(x, permutation)),
        Primitive("slice", "view", _sliced, lambda x, bounds: np.asarray(x)[region(bounds)]),
        Primitive("take", "elementwise", _taken, lambda x, indices: np.asarray(x).reshape(-1)[indices]),
        # The numbers, in row-major order, of the elements that an index with arrays picks: of data alone.
        Primitive("positions", "memory", _positioned, _positions),
        Primitive("scatter", "memory", _scattered, scatter),
        Primitive("contract", "memory", _contracted, lambda *xs, spec: np.einsum(spec, *xs)),
        Primitive("cumsum", "memory", _cumulative, lambda x, axis: np.cumsum(x, axis=axis)),
        Primitive("linear_recurrence", "memory", _like_last, evaluate_recurrence),
        Primitive("pick", "memory", _picked, pick_elements),
        Primitive("place", "memory", _scattered, place_elements),
        Primitive("order", "memory", _as_integer, order_elements),
        Primitive("cholesky", "memory", _same, linalg.factor),
        Primitive("substitute", "memory", _like_last, linalg.substitute),
        Primitive("inverse_from_factor", "memory", _same, linalg.inverse_from_factor),
        Primitive("lu_factor", "memory", _lu, linalg.lu_factor),
        Primitive("lu_solve", "memory", _like_last, linalg.lu_solve),
        # Of data alone.
        Primitive("adjacency", "memory", _joined, raw(graphs.adjacency)),
        Primitive("eigenvalues", "memory", _diagonal, raw(graphs.eigenvalues)),
        Primitive("eigenvectors", "memory", _same, raw(graphs.eigenvectors)),
        Primitive("members", "external", lambda types, parameters: ArrayType((), "object"), lambda *members: members),
        Primitive("scan_rows", "memory", _scanned, _by_body),
        Primitive("scan_reverse", "memory", _scanned_reverse, _by_body),
        Primitive("recurrence", "memory", _recurred, _by_body),
        Primitive("ode_path", "memory", _solved, _by_body),
        Primitive("ode_reverse", "memory", _solved_reverse, _by_body),
        Primitive("external", "external", _foreign, call_external),
    ]
    return {row.name: row for row in rows}


PRIMITIVES: Mapping[str, Primitive] = MappingProxyType(_table())
