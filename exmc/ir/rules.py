"""How the type of an operation's result follows from those of its operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from exmc.errors import ModelError
from exmc.ir.types import ArrayType, Dims, Kind, broadcast

TypeRule: TypeAlias = Callable[[list[ArrayType], dict[str, Any]], ArrayType]


def numeric_kind(types: list[ArrayType]) -> Kind:
    """Float if any of `types` is, else int: bools count as 0 and 1."""
    return "float" if any(t.kind == "float" for t in types) else "int"


def elementwise(kind: Kind | None = "float") -> TypeRule:
    """Broadcast; the result has `kind`, or the operands' common numeric kind where it is None."""

    def infer(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
        return broadcast(types, kind or numeric_kind(types))

    return infer


def choice(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """The rule of ``where``: the condition counts for the shape alone."""
    return broadcast(types, numeric_kind(types[1:]))


def checked_axis(rank: int, options: dict[str, Any]) -> int | None:
    """The option ``axis``, counted from the front; None if there is none."""
    axis = options.get("axis")
    if axis is None:
        return None
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise ModelError(f"axis={axis!r} does not exist in a value of {rank} axes.")
    return axis % rank


def reduction(kind: Kind | None = None, least: int = 0) -> TypeRule:
    """One axis less, or a scalar without ``axis``, of at least `least` elements each; kind as in `elementwise`."""

    def infer(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
        (operand,) = types
        axis = checked_axis(len(operand.shape), options)
        if (operand.size if axis is None else operand.shape[axis]) < least:
            raise ModelError(f"a value {operand} has no elements to reduce.")
        keep = [] if axis is None else [i for i in range(len(operand.shape)) if i != axis]
        result = kind or ("float" if operand.kind == "float" else "int")
        return ArrayType(tuple(operand.shape[i] for i in keep), tuple(operand.dims[i] for i in keep), result)

    return infer


def along_axis(kind: Kind | None) -> TypeRule:
    """The shape of the operand, which has the one axis or is told which; kind as in `elementwise`."""

    def infer(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
        (operand,) = types
        if not operand.shape:
            raise ModelError("an operation along an axis needs at least one axis, not a scalar.")
        if checked_axis(len(operand.shape), options) is None and len(operand.shape) > 1:
            raise ModelError(f"a value {operand} has several axes.", remedy="Say which: axis=0 or dim='name'.")
        return ArrayType(operand.shape, operand.dims, kind or numeric_kind(types))

    return infer


def new_axis(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
    """One axis more, of length 1 and without a dim, at ``axis`` of the result."""
    (operand,) = types
    rank = len(operand.shape) + 1
    axis = checked_axis(rank, {"axis": options.get("axis", 0)})
    assert axis is not None
    shape, dims = list(operand.shape), list(operand.dims)
    shape.insert(axis, 1)
    dims.insert(axis, None)
    return ArrayType(tuple(shape), tuple(dims), operand.kind)


def matmul(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """The rule of ``@`` for vectors and matrices; two dims must be the same to be summed against each other."""
    left, right = types
    if not left.shape or not right.shape:
        raise ModelError("@ needs vectors or matrices, not scalars.", remedy="Use * instead.")
    if len(left.shape) > 2 or len(right.shape) > 2:
        raise ModelError(f"@ takes vectors and matrices, not values {left} and {right}.")
    inner = 0 if len(right.shape) == 1 else -2
    if left.shape[-1] != right.shape[inner]:
        raise ModelError(f"@ cannot join values {left} and {right}.")
    if left.dims[-1] and right.dims[inner] and left.dims[-1] != right.dims[inner]:
        raise ModelError(f"@ would sum dim {left.dims[-1]!r} against dim {right.dims[inner]!r}.")
    outer = right.shape[-1:] if len(right.shape) == 2 else ()
    outer_dims = right.dims[-1:] if len(right.shape) == 2 else ()
    return ArrayType(left.shape[:-1] + outer, once(left.dims[:-1] + outer_dims), numeric_kind(types))


def transpose(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """Axes in reverse."""
    (operand,) = types
    return ArrayType(operand.shape[::-1], operand.dims[::-1], operand.kind)


def concatenate(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
    """One axis as long as all scalars and vectors together; with ``axis``, arrays joined along that axis."""
    rank = len(types[0].shape)
    axis = checked_axis(rank, options)
    if axis is None:
        if any(len(t.shape) > 1 for t in types):
            raise ModelError("concatenate joins scalars and vectors.", remedy="For matrices say which axis: axis=0.")
        return ArrayType((sum(t.size for t in types),), (None,), numeric_kind(types))
    rests = {t.shape[:axis] + t.shape[axis + 1 :] for t in types}
    if len(rests) > 1 or any(len(t.shape) != rank for t in types):
        raise ModelError(f"values of shapes {', '.join(str(t.shape) for t in types)} do not fit along axis {axis}.")
    length = sum(t.shape[axis] for t in types)
    joined = broadcast([_without(t, axis) for t in types], numeric_kind(types))
    shape, dims = list(joined.shape), list(joined.dims)
    shape.insert(axis, length)
    dims.insert(axis, None)
    return ArrayType(tuple(shape), tuple(dims), joined.kind)


def _without(operand: ArrayType, axis: int) -> ArrayType:
    shape, dims = operand.shape, operand.dims
    return ArrayType(shape[:axis] + shape[axis + 1 :], dims[:axis] + dims[axis + 1 :], operand.kind)


def stack(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
    """Values of one shape side by side along a new axis, the first unless ``axis`` says another."""
    return concatenate([new_axis([t], options) for t in types], {"axis": options.get("axis", 0)})


def of_integers(types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
    """As `elementwise`, for whole numbers alone: of others the result would have no derivative worth the name."""
    if any(t.kind == "float" for t in types):
        raise ModelError("// and % take whole numbers.", remedy="For others use floor(a / b).")
    return elementwise(None)(types, options)


def length(types: list[ArrayType], _options: dict[str, Any]) -> ArrayType:
    """A whole number, for a value that has an axis."""
    if not types[0].shape:
        raise ModelError("a scalar has no length.")
    return ArrayType((), (), "int")


def once(dims: Dims) -> Dims:
    """A dim that appears twice (x[i, j] with i and j over the same dim) keeps its first place only."""
    return tuple(d if d not in dims[:i] else None for i, d in enumerate(dims))
