"""What each function of autograd.numpy means in primitives: one rule a function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import autograd.numpy as anp
import autograd.scipy.special as ascipy
import numpy as np
from autograd.numpy import numpy_wrapper
from autograd.numpy.numpy_boxes import ArrayBox

from exmc.compile import backward
from exmc.compile.contraction import consistent, contraction_spec
from exmc.compile.indexing import basic_bounds, flat_indices, kept_shape, normal_axes
from exmc.compile.primitives import BOOLEAN, FLOAT, Array
from exmc.compile.tape import TapeBuilder
from exmc.special import SPECIAL


class Traced(NamedTuple):
    """An argument that depends on the position: the id of its value."""

    ident: int


class Unsupported(Exception):  # noqa: N818 - a signal between a rule and the recorder, not an error for users
    """This call has no meaning in primitives; it is recorded as an external call."""


Rule = Callable[..., int]


def operand(builder: TapeBuilder, argument: Any) -> int:
    """The value id of an argument: traced, a number in the code, or data."""
    if isinstance(argument, Traced):
        if builder.types[argument.ident].dtype == "object":
            raise Unsupported
        return argument.ident
    # np.float64 is a float, but comes from data more often than from code.
    if type(argument) in (bool, int, float):
        return builder.literal(argument)
    array = np.asarray(argument) if not isinstance(argument, np.ndarray) else argument
    if array.dtype.kind not in "biuf" or array.dtype == np.longdouble:
        raise Unsupported
    return builder.constant(array)


def _elementwise(name: str) -> Rule:
    def rule(builder: TapeBuilder, *arguments: Any) -> int:
        operands = [operand(builder, a) for a in arguments]
        truths = all(builder.types[o].dtype == BOOLEAN for o in operands)
        if truths and name in _ON_TRUTHS:
            return builder.apply(_ON_TRUTHS[name], *operands)
        if truths and name in _NOT_ON_TRUTHS:
            raise Unsupported
        return builder.apply(name, *operands)

    return rule


# numpy's arithmetic on two booleans is logic.
_ON_TRUTHS = {"add": "logical_or", "multiply": "logical_and", "maximum": "logical_or", "minimum": "logical_and"}
_NOT_ON_TRUTHS = ("power", "mod", "floor_divide", "negative", "subtract", "sign")


def _power(builder: TapeBuilder, x: Any, y: Any) -> int:
    base = operand(builder, x)
    floating = builder.types[base].dtype == FLOAT
    # Exact special cases of C's pow; other exponents go to pow itself.
    if floating and type(y) in (int, float):
        if y == 1:
            return base
        if y == 2:
            return builder.apply("multiply", base, base)
        if y == -1:
            return builder.apply("divide", builder.literal(1.0), base)
    return _elementwise("power")(builder, x, y)


def _square(builder: TapeBuilder, x: Any) -> int:
    return builder.apply("multiply", operand(builder, x), operand(builder, x))


def _reciprocal(builder: TapeBuilder, x: Any) -> int:
    return builder.apply("divide", builder.literal(1.0), operand(builder, x))


def _identity(builder: TapeBuilder, x: Any, **_keywords: Any) -> int:
    return operand(builder, x)


def _where(builder: TapeBuilder, condition: Any, x: Any, y: Any) -> int:
    return builder.apply("where", *(operand(builder, a) for a in (condition, x, y)))


def _clip(builder: TapeBuilder, x: Any, a_min: Any = None, a_max: Any = None) -> int:
    result = operand(builder, x)
    if a_min is not None:
        result = builder.apply("maximum", result, operand(builder, a_min))
    return result if a_max is None else builder.apply("minimum", result, operand(builder, a_max))


def _reduction(name: str) -> Rule:
    def rule(
        builder: TapeBuilder, x: Any, axis: Any = None, dtype: None = None, out: None = None, keepdims: Any = False
    ) -> int:
        if dtype is not None or out is not None:
            raise Unsupported
        return reduced(builder, name, operand(builder, x), axis, bool(keepdims))

    return rule


def _extremum(name: str) -> Rule:
    reduce = _reduction(name)
    return lambda builder, x, axis=None, out=None, keepdims=False: reduce(builder, x, axis, None, out, keepdims)


def reduced(builder: TapeBuilder, name: str, x: int, axis: Any, keepdims: bool) -> int:
    """A reduction over `axis` (None, a number or several), with the reduced axes kept as 1 if asked."""
    shape = builder.types[x].shape
    axes = normal_axes(axis, len(shape))
    result = builder.apply(name, x, axes=axes)
    return builder.apply("reshape", result, shape=kept_shape(shape, axes)) if keepdims else result


def _mean(
    builder: TapeBuilder, x: Any, axis: Any = None, dtype: None = None, out: None = None, keepdims: Any = False
) -> int:
    if dtype is not None or out is not None:
        raise Unsupported
    value = operand(builder, x)
    shape = builder.types[value].shape
    count = math.prod(shape[a] for a in normal_axes(axis, len(shape)))
    total = reduced(builder, "sum", value, axis, bool(keepdims))
    return builder.apply("divide", total, builder.literal(float(count)))


def _variance(
    builder: TapeBuilder,
    x: Any,
    axis: Any = None,
    dtype: None = None,
    out: None = None,
    ddof: int = 0,
    keepdims: Any = False,
) -> int:
    if dtype is not None or out is not None:
        raise Unsupported
    value = operand(builder, x)
    shape = builder.types[value].shape
    count = math.prod(shape[a] for a in normal_axes(axis, len(shape)))
    centre = builder.apply("divide", reduced(builder, "sum", value, axis, True), builder.literal(float(count)))
    residual = builder.apply("subtract", value, centre)
    total = reduced(builder, "sum", builder.apply("multiply", residual, residual), axis, bool(keepdims))
    return builder.apply("divide", total, builder.literal(float(max(count - ddof, 0))))


def _deviation(
    builder: TapeBuilder,
    x: Any,
    axis: Any = None,
    dtype: None = None,
    out: None = None,
    ddof: int = 0,
    keepdims: Any = False,
) -> int:
    return builder.apply("sqrt", _variance(builder, x, axis, dtype, out, ddof, keepdims))


def _truth_reduction(name: str) -> Rule:
    def rule(builder: TapeBuilder, x: Any, axis: Any = None, keepdims: Any = False) -> int:
        truth = builder.apply("to_boolean", operand(builder, x))
        if 0 in builder.types[truth].shape:
            raise Unsupported
        return reduced(builder, name, truth, axis, bool(keepdims))

    return rule


def _cumsum(builder: TapeBuilder, x: Any, axis: int | None = None) -> int:
    value = operand(builder, x)
    shape = builder.types[value].shape
    if axis is None:
        value = builder.apply("reshape", value, shape=(math.prod(shape),))
        axis, shape = 0, builder.types[value].shape
    return builder.apply("cumsum", value, axis=axis % len(shape))


def _shaped(function: Callable[..., Array]) -> Rule:
    """A rule for a function whose result holds its array's elements in their order."""

    def rule(builder: TapeBuilder, x: Any, *arguments: Any, **keywords: Any) -> int:
        value = operand(builder, x)
        keywords = {name: k for name, k in keywords.items() if k is not None}
        if keywords.get("order", "C") != "C":
            raise Unsupported
        # A zero-stride stand-in: numpy itself interprets the arguments, at no cost in memory.
        shape = function(np.broadcast_to(np.zeros(()), builder.types[value].shape), *arguments, **keywords).shape
        return builder.apply("reshape", value, shape=shape)

    return rule


def _array(builder: TapeBuilder, _arguments: Any, keywords: Mapping[str, Any], x: Any) -> int:
    if set(keywords) - {"ndmin", "dtype"} or keywords.get("dtype", float) not in (float, np.float64, "float64", None):
        raise Unsupported
    value = operand(builder, x)
    shape = builder.types[value].shape
    value = builder.apply("to_float", value) if keywords.get("dtype") else value
    return builder.apply("reshape", value, shape=(1,) * (keywords.get("ndmin", 0) - len(shape)) + shape)


def _astype(builder: TapeBuilder, x: Any, dtype: Any, *, copy: bool = True) -> int:
    kind = np.dtype(dtype)
    names = {"float64": "to_float", "int64": "to_integer", "bool": "to_boolean"}
    if kind.name not in names:
        raise Unsupported
    value = operand(builder, x)
    return value if builder.types[value].dtype == kind.name else builder.apply(names[kind.name], value)


def _permuted(function: Callable[..., Array]) -> Rule:
    """A rule for a function that only permutes axes."""

    def rule(builder: TapeBuilder, x: Any, *arguments: Any, **keywords: Any) -> int:
        value = operand(builder, x)
        # Axes of distinct lengths, at zero strides, show where each one went.
        marks = np.broadcast_to(np.zeros(()), range(2, 2 + len(builder.types[value].shape)))
        shape = function(marks, *arguments, **keywords).shape
        return builder.apply("transpose", value, permutation=tuple(n - 2 for n in shape))

    return rule


def _broadcast_to(builder: TapeBuilder, x: Any, shape: Any) -> int:
    target = tuple(int(n) for n in np.atleast_1d(shape)) if shape != () else ()
    return builder.apply("broadcast", operand(builder, x), shape=target)


def _selection(function: Callable[..., Array]) -> Rule:
    """A rule for a function that picks elements by position: it is applied to their numbers."""

    def rule(builder: TapeBuilder, x: Any, *arguments: Any, **keywords: Any) -> int:
        value = operand(builder, x)
        if any(isinstance(a, Traced) for a in (*arguments, *keywords.values())):
            raise Unsupported
        numbers = flat_indices(builder.types[value].shape)
        return builder.apply("take", value, builder.constant(function(numbers, *arguments, **keywords)))

    return rule


def _diagonal_matrix(function: Callable[..., Array]) -> Rule:
    """A rule for a function that places a vector's elements into zeros."""

    def rule(builder: TapeBuilder, x: Any, *arguments: Any, **keywords: Any) -> int:
        value = operand(builder, x)
        shape = builder.types[value].shape
        if function is np.diag and len(shape) == 2:
            return _selection(np.diag)(builder, x, *arguments, **keywords)
        numbers = function(flat_indices(shape) + 1, *arguments, **keywords)
        # flatnonzero lists the targets in row-major order; their numbers say which element goes where.
        targets = np.flatnonzero(numbers)
        order = np.argsort(np.asarray(numbers).reshape(-1)[targets], kind="stable")
        indices = builder.constant(targets[order].reshape(shape))
        value = builder.apply("to_float", value)
        return builder.apply("scatter", value, indices, shape=numbers.shape, parts=(None,))

    return rule


def _triangle(function: Callable[..., Array]) -> Rule:
    def rule(builder: TapeBuilder, x: Any, k: int = 0) -> int:
        value = operand(builder, x)
        mask = function(np.ones(builder.types[value].shape, dtype=bool), k)
        return builder.apply("where", builder.constant(mask), value, builder.literal(0.0))

    return rule


def _concatenate(builder: TapeBuilder, axis: Any, *arguments: Any) -> int:
    values = [operand(builder, a) for a in arguments]
    if axis is None:
        values = [builder.apply("reshape", v, shape=(builder.types[v].size,)) for v in values]
        axis = 0
    return joined(builder, values, axis)


def joined(builder: TapeBuilder, values: list[int], axis: int) -> int:
    """The values side by side along `axis`: a scatter to regions that do not overlap."""
    shapes = [builder.types[v].shape for v in values]
    axis %= len(shapes[0])
    parts, start = [], 0
    for shape in shapes:
        parts.append(tuple((start if a == axis else 0, n, 1) for a, n in enumerate(shape)))
        start += shape[axis]
    total = tuple(start if a == axis else n for a, n in enumerate(shapes[0]))
    if any(builder.types[v].dtype != FLOAT for v in values):
        values = [builder.apply("to_float", v) for v in values]
    return builder.apply("scatter", *values, shape=total, parts=tuple(parts))


def _array_of(builder: TapeBuilder, arguments: Any, keywords: Any, *elements: Any) -> int:
    if arguments or keywords:
        raise Unsupported
    values = [operand(builder, e) for e in elements]
    rows = [builder.apply("reshape", v, shape=(1, *builder.types[v].shape)) for v in values]
    return joined(builder, rows, 0)


def _getitem(builder: TapeBuilder, x: Any, index: Any) -> int:
    value = operand(builder, x)
    shape = builder.types[value].shape
    if isinstance(index, Traced):
        raise Unsupported
    basic = basic_bounds(shape, index)
    if basic is None:
        return builder.apply("take", value, _indices(builder, shape, index))
    bounds, result = basic
    return builder.apply("reshape", builder.apply("slice", value, bounds=bounds), shape=result)


def _indices(builder: TapeBuilder, shape: tuple[int, ...], index: Any) -> int:
    """The constant of flat indices that an index with arrays means, made once for a gather and its adjoint."""
    if isinstance(index, backward.FlatIndex):
        return builder.derived((index.numbers,), lambda: index.numbers)
    if isinstance(index, np.ndarray) and index.dtype.kind in "iu" and len(shape) == 1:
        return builder.derived((index, shape), lambda: np.where(index < 0, index + shape[0], index))
    return builder.derived((index, shape), lambda: flat_indices(shape)[index])


def _scatter_sum(builder: TapeBuilder, shape: Any, places: Any, *arguments: Any) -> int:
    values: list[int] = []
    indices: list[int] = []
    parts: list[Any] = []
    for place, argument in zip(places, arguments, strict=True):
        value = builder.apply("to_float", operand(builder, argument))
        basic = None if isinstance(place, backward.FlatIndex) else basic_bounds(shape, place)
        if basic is None:
            indices.append(_indices(builder, shape, place))
            value = builder.apply("broadcast", value, shape=builder.types[indices[-1]].shape)
        else:
            value = builder.apply("broadcast", value, shape=basic[1])
            value = builder.apply("reshape", value, shape=tuple(n for _, n, _ in basic[0]))
        values.append(value)
        parts.append(None if basic is None else basic[0])
    return builder.apply("scatter", *values, *indices, shape=shape, parts=tuple(parts))


def _contraction(function: Any) -> Rule:
    def rule(builder: TapeBuilder, *arguments: Any, **keywords: Any) -> int:
        if function is anp.tensordot and len(arguments) == 3:
            keywords, arguments = {"axes": arguments[-1]}, arguments[:2]
        text = [a for a in arguments if isinstance(a, str)]
        arrays = [operand(builder, a) for a in arguments if not isinstance(a, str)]
        shapes = [builder.types[a].shape for a in arrays]
        spec = contraction_spec(function, [len(shape) for shape in shapes], text, keywords)
        if spec is not None and consistent(spec, shapes):
            return contracted(builder, spec, arrays)
        if function is anp.matmul:
            return _batched_matmul(builder, *arrays)
        raise Unsupported

    return rule


def contracted(builder: TapeBuilder, spec: str, arrays: list[int]) -> int:
    """An einsum; without a sum over products of different layouts it becomes elementwise arithmetic."""
    inputs, output = spec.split("->")
    letters = inputs.split(",")
    if any(len(set(term)) != len(term) for term in letters):
        raise Unsupported
    if any(letter not in inputs for letter in output):
        raise Unsupported
    everything = "".join(dict.fromkeys(output + inputs.replace(",", "")))
    same = all(set(term) == set(letters[0]) for term in letters)
    if len(everything) > len(output) and not same:
        return builder.apply("contract", *(builder.apply("to_float", a) for a in arrays), spec=spec)
    product: int | None = None
    for term, array in zip(letters, arrays, strict=True):
        order = [term.index(letter) for letter in everything if letter in term]
        aligned = builder.apply("transpose", array, permutation=tuple(order))
        extents = {term[i]: n for i, n in enumerate(builder.types[array].shape)}
        aligned = builder.apply("reshape", aligned, shape=tuple(extents.get(letter, 1) for letter in everything))
        product = aligned if product is None else builder.apply("multiply", product, aligned)
    assert product is not None
    summed = tuple(range(len(output), len(everything)))
    return builder.apply("sum", product, axes=summed) if summed else product


def _batched_matmul(builder: TapeBuilder, a: int, b: int) -> int:
    """matmul whose batch axes need broadcasting."""
    ranks = [len(builder.types[x].shape) for x in (a, b)]
    if min(ranks) < 2:
        raise Unsupported
    batch = np.broadcast_shapes(builder.types[a].shape[:-2], builder.types[b].shape[:-2])
    values = [builder.apply("broadcast", x, shape=batch + builder.types[x].shape[-2:]) for x in (a, b)]
    names = "abcdefgh"[: len(batch)]
    return contracted(builder, f"{names}xy,{names}yz->{names}xz", values)


def _full_like(value: float) -> Rule:
    def rule(builder: TapeBuilder, x: Any) -> int:
        return builder.apply("broadcast", builder.literal(value), shape=builder.types[operand(builder, x)].shape)

    return rule


_UFUNCS = (
    *("add", "subtract", "multiply", "divide", "mod", "floor_divide", "maximum", "minimum", "fmax", "fmin"),
    *("negative", "absolute", "sign", "floor", "ceil", "trunc", "rint", "sqrt", "cbrt", "hypot", "logaddexp"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
    *("arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh", "isnan", "isinf", "isfinite"),
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
    *("logical_and", "logical_or", "logical_xor", "logical_not"),
)
"""Functions of numpy that are primitives of the same name."""


def _table() -> dict[Any, Rule]:
    table: dict[Any, Rule] = {getattr(anp, name): _elementwise(name) for name in _UFUNCS}
    table |= {function: _elementwise(name) for name, function in SPECIAL.items() if name != "select"}
    foreign = {"gammaln": "gammaln", "digamma": "psi", "erf": "erf", "erfc": "erfc", "expit": "expit", "logit": "logit"}
    table |= {getattr(ascipy, theirs): _elementwise(ours) for ours, theirs in foreign.items()}
    table |= {
        anp.fabs: _elementwise("absolute"),
        anp.power: _power,
        anp.square: _square,
        anp.reciprocal: _reciprocal,
        anp.real: _identity,
        anp.conj: _identity,
        anp.real_if_close: _identity,
        anp.copy: _identity,
        backward.WHERE: _where,
        anp.astype: _astype,
        SPECIAL["select"]: _where,
        anp.clip: _clip,
        anp.sum: _reduction("sum"),
        anp.prod: _reduction("prod"),
        anp.max: _extremum("max"),
        anp.min: _extremum("min"),
        numpy_wrapper._primitive_mean: _mean,
        numpy_wrapper._primitive_var: _variance,
        numpy_wrapper._primitive_std: _deviation,
        anp.all: _truth_reduction("min"),
        anp.any: _truth_reduction("max"),
        anp.cumsum: _cumsum,
        anp.zeros_like: _full_like(0.0),
        anp.ones_like: _full_like(1.0),
        anp.broadcast_to: _broadcast_to,
        numpy_wrapper.concatenate_args: _concatenate,
        numpy_wrapper.array_from_args: _array_of,
        numpy_wrapper._array_from_scalar_or_array: _array,
        anp.triu: _triangle(np.triu),
        anp.tril: _triangle(np.tril),
        anp.diag: _diagonal_matrix(np.diag),
        numpy_wrapper.make_diagonal: _diagonal_matrix(numpy_wrapper.make_diagonal.fun),
        ArrayBox.__getitem__: _getitem,
        backward.scatter_sum: _scatter_sum,
    }
    table |= {f: _shaped(f.fun) for f in (anp.reshape, anp.ravel, anp.expand_dims, anp.squeeze)}
    table |= {f: _shaped(f.fun) for f in (anp.atleast_1d, anp.atleast_2d, anp.atleast_3d)}
    table |= {f: _permuted(f.fun) for f in (anp.transpose, anp.swapaxes, anp.moveaxis, anp.rollaxis)}
    table |= {f: _selection(f.fun) for f in backward.SELECTIONS}
    contractions = (anp.dot, anp.matmul, anp.tensordot, anp.inner, anp.outer, anp.einsum)
    return table | {f: _contraction(f) for f in contractions}


RULES: Mapping[Any, Rule] = MappingProxyType(_table())
