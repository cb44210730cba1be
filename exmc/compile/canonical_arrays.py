"""What numpy's functions of shapes, indices and arrangement mean in primitives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from exmc.compile import backward
from exmc.compile.arguments import Rule, Traced, Unsupported, operand
from exmc.compile.indexing import basic_bounds, flat_indices
from exmc.compile.primitives import FLOAT, INTEGER, Array, Hole, Span
from exmc.compile.tape import TapeBuilder


def shaped(function: Callable[..., Array]) -> Rule:
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


def array(builder: TapeBuilder, _arguments: Any, keywords: Mapping[str, Any], x: Any) -> int:
    if set(keywords) - {"ndmin", "dtype"} or keywords.get("dtype", float) not in (float, np.float64, "float64", None):
        raise Unsupported
    value = operand(builder, x)
    shape = builder.types[value].shape
    value = builder.apply("to_float", value) if keywords.get("dtype") else value
    return builder.apply("reshape", value, shape=(1,) * (keywords.get("ndmin", 0) - len(shape)) + shape)


def astype(builder: TapeBuilder, x: Any, dtype: Any, *, copy: bool = True) -> int:
    kind = np.dtype(dtype)
    names = {"float64": "to_float", "int64": "to_integer", "bool": "to_boolean"}
    if kind.name not in names:
        raise Unsupported
    value = operand(builder, x)
    return value if builder.types[value].dtype == kind.name else builder.apply(names[kind.name], value)


def permuted(function: Callable[..., Array]) -> Rule:
    """A rule for a function that only permutes axes."""

    def rule(builder: TapeBuilder, x: Any, *arguments: Any, **keywords: Any) -> int:
        value = operand(builder, x)
        # Axes of distinct lengths, at zero strides, show where each one went.
        marks = np.broadcast_to(np.zeros(()), range(2, 2 + len(builder.types[value].shape)))
        shape = function(marks, *arguments, **keywords).shape
        return builder.apply("transpose", value, permutation=tuple(n - 2 for n in shape))

    return rule


def broadcast_to(builder: TapeBuilder, x: Any, shape: Any) -> int:
    target = tuple(int(n) for n in np.atleast_1d(shape)) if shape != () else ()
    return builder.apply("broadcast", operand(builder, x), shape=target)


def selection(function: Callable[..., Array]) -> Rule:
    """A rule for a function that picks elements by position: it is applied to their numbers."""

    def rule(builder: TapeBuilder, x: Any, *arguments: Any, **keywords: Any) -> int:
        value = operand(builder, x)
        if any(isinstance(a, Traced) for a in (*arguments, *keywords.values())):
            raise Unsupported
        numbers = flat_indices(builder.types[value].shape)
        return builder.apply("take", value, builder.constant(function(numbers, *arguments, **keywords)))

    return rule


def diagonal_matrix(function: Callable[..., Array]) -> Rule:
    """A rule for a function that places a vector's elements into zeros."""

    def rule(builder: TapeBuilder, x: Any, *arguments: Any, **keywords: Any) -> int:
        value = operand(builder, x)
        shape = builder.types[value].shape
        if function is np.diag and len(shape) == 2:
            return selection(np.diag)(builder, x, *arguments, **keywords)
        numbers = function(flat_indices(shape) + 1, *arguments, **keywords)
        # flatnonzero lists the targets in row-major order; their numbers say which element goes where.
        targets = np.flatnonzero(numbers)
        order = np.argsort(np.asarray(numbers).reshape(-1)[targets], kind="stable")
        indices = builder.constant(targets[order].reshape(shape))
        value = builder.apply("to_float", value)
        return builder.apply("scatter", value, indices, shape=numbers.shape, parts=(None,))

    return rule


def triangle(function: Callable[..., Array]) -> Rule:
    def rule(builder: TapeBuilder, x: Any, k: int = 0) -> int:
        value = operand(builder, x)
        mask = function(np.ones(builder.types[value].shape, dtype=bool), k)
        return builder.apply("where", builder.constant(mask), value, builder.literal(0.0))

    return rule


def concatenate(builder: TapeBuilder, axis: Any, *arguments: Any) -> int:
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


def array_of(builder: TapeBuilder, arguments: Any, keywords: Any, *elements: Any) -> int:
    if arguments or keywords:
        raise Unsupported
    values = [operand(builder, e) for e in elements]
    rows = [builder.apply("reshape", v, shape=(1, *builder.types[v].shape)) for v in values]
    return joined(builder, rows, 0)


def getitem(builder: TapeBuilder, x: Any, index: Any) -> int:
    value = operand(builder, x)
    shape = builder.types[value].shape
    if isinstance(index, Traced) and not index.fixed:
        return _rows(builder, value, index.ident)
    basic = None if isinstance(index, Traced) else basic_bounds(shape, index)
    if basic is None:
        return builder.apply("take", value, index_constant(builder, shape, index))
    bounds, result = basic
    return builder.apply("reshape", builder.apply("slice", value, bounds=bounds), shape=result)


def _rows(builder: TapeBuilder, value: int, index: int) -> int:
    """What a computed array of whole numbers selects along the first axis."""
    if builder.types[index].dtype != INTEGER or not builder.types[value].shape:
        raise Unsupported
    (count, *rest), places = builder.types[value].shape, builder.types[index].shape
    size = math.prod(rest)
    negative = builder.apply("less", index, builder.literal(0))
    first = builder.apply("where", negative, builder.apply("add", index, builder.literal(count)), index)
    start = builder.apply("multiply", first, builder.literal(size))
    column = builder.apply("reshape", start, shape=(*places, *(1 for _ in rest)))
    within = builder.constant(np.arange(size).reshape(rest))
    return builder.apply("pick", builder.apply("to_float", value), builder.apply("add", column, within))


def index_constant(builder: TapeBuilder, shape: tuple[int, ...], index: Any) -> int:
    """The flat indices that an index with arrays means, computed once for a gather and its adjoint."""
    if isinstance(index, backward.FlatIndex):
        return builder.constant(index.numbers)
    several = isinstance(index, tuple) and not isinstance(index, Traced)
    return positions(builder, shape, *(index if several else (index,)))


def positions(builder: TapeBuilder, shape: tuple[int, ...], *keys: Any) -> int:
    """The flat indices of the elements that keys pick: arrays of data, traced or not, beside numbers and slices."""
    arrays: list[int] = []
    template: list[Any] = []
    for key in keys:
        if isinstance(key, list | np.ndarray | Traced):
            value = _whole_numbers(builder, key)
            if value is None:
                return _unpredictable(builder, shape, keys)
            template.append(Hole(len(arrays)))
            arrays.append(value)
        else:
            template.append(_plain_key(key))
    return builder.prepare("positions", *arrays, shape=tuple(shape), keys=tuple(template))


def _plain_key(key: Any) -> Any:
    if isinstance(key, slice):
        return Span(key.start, key.stop, key.step)
    return int(key) if isinstance(key, np.integer) else key


def _whole_numbers(builder: TapeBuilder, key: Any) -> int | None:
    """The value of a key of integers that are known before the position is; None for another."""
    if isinstance(key, Traced):
        return key.ident if key.fixed and builder.types[key.ident].dtype == INTEGER else None
    array = np.asarray(key)
    return builder.constant(array if array is key else array.astype(np.int64)) if array.dtype.kind in "iu" else None


def _unpredictable(builder: TapeBuilder, shape: tuple[int, ...], keys: tuple[Any, ...]) -> int:
    """Flat indices whose number depends on values, as those of a mask: the function's own arrays alone will do."""
    if any(isinstance(key, Traced) for key in keys):
        raise Unsupported
    return builder.constant(flat_indices(shape)[keys])


def scatter_sum(builder: TapeBuilder, shape: Any, places: Any, *arguments: Any) -> int:
    values: list[int] = []
    indices: list[int] = []
    parts: list[Any] = []
    traced = iter(arguments[len(places) :])
    for place, argument in zip(places, arguments, strict=False):
        place = next(traced) if place is backward.FOLLOWS else place
        value = builder.apply("to_float", operand(builder, argument))
        basic = None if isinstance(place, backward.FlatIndex | Traced) else basic_bounds(shape, place)
        if basic is None:
            indices.append(index_constant(builder, shape, place))
            value = builder.apply("broadcast", value, shape=builder.types[indices[-1]].shape)
        else:
            value = builder.apply("broadcast", value, shape=basic[1])
            value = builder.apply("reshape", value, shape=tuple(n for _, n, _ in basic[0]))
        values.append(value)
        parts.append(None if basic is None else basic[0])
    return builder.apply("scatter", *values, *indices, shape=shape, parts=tuple(parts))


def full_like(value: float) -> Rule:
    def rule(builder: TapeBuilder, x: Any) -> int:
        return builder.apply("broadcast", builder.literal(value), shape=builder.types[operand(builder, x)].shape)

    return rule
