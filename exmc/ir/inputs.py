"""What a user may pass to a builder (names, dims, shapes, labels, labelled arrays), read into plain values."""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from exmc.errors import DataError, ExpressionError, ModelError, brief
from exmc.ir.declarations import Label
from exmc.ir.expressions import Expression, Reference
from exmc.ir.parse import parse_expression
from exmc.ir.types import Dims

DimsLike: TypeAlias = str | Sequence[str | None] | None
Where: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """An array-like with what it says of itself: its dims (None: nothing) and the labels along them."""

    values: Any
    dims: Dims | None = None
    coords: dict[str, tuple[Label, ...]] = field(default_factory=dict)


def as_name(value: Any, where: Where) -> str:
    """`value` as a name; a reference stands for the name it refers to."""
    if isinstance(value, Reference):
        return value.name
    if not isinstance(value, str):
        raise ModelError(f"{brief(value)} is no name.", where=where, remedy="Give a text.")
    return str(value)


def as_dims(dims: Any, where: Where) -> Dims | None:
    """`dims` as a tuple; a single name stands for one axis."""
    if dims is None or isinstance(dims, str):
        return None if dims is None else (dims,)
    found = tuple(dims) if isinstance(dims, Iterable) else (dims,)
    for dim in found:
        if not (dim is None or isinstance(dim, str)):
            remedy = "Give one name per axis, or None for an axis without one."
            raise ModelError(f"{brief(dim)} is no name of a dim.", where=where, remedy=remedy)
    return found


def as_shape(shape: Any, where: Where) -> tuple[int | Expression, ...] | None:
    """`shape` as a tuple of lengths, numbers or expressions of data; a single one stands for one axis."""
    if shape is None:
        return None
    single = isinstance(shape, str | Expression) or not isinstance(shape, Iterable)
    return tuple(as_length(length, where, shape) for length in ((shape,) if single else shape))


def as_length(length: Any, where: Where, shown: Any = None) -> int | Expression:
    """A number of elements, or the expression of data that gives it."""
    if isinstance(length, str):
        try:
            return parse_expression(length)
        except ExpressionError as error:
            raise error.within(*where) from None
    if isinstance(length, Expression):
        return length
    if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 0:
        remedy = "Give the number of elements along each axis."
        raise ModelError(f"{brief(length if shown is None else shown)} is no shape.", where=where, remedy=remedy)
    return int(length)


def as_labels(dim: str, labels: Any) -> tuple[Label, ...]:
    """`labels` of `dim`, all texts or all finite numbers; dates become texts (ISO 8601)."""
    where = ("coords", dim)
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        remedy = "Give a sequence, one label per element."
        raise ModelError(f"{brief(labels)} is no sequence of labels.", where=where, remedy=remedy)
    # xarray would hand out its elements as arrays, and numpy knows how to print its dates.
    array = _data_array(labels)
    values = np.asarray(labels) if array is not None or isinstance(labels, np.ndarray) else labels
    found = tuple(_label(value, where) for value in values)
    if len({isinstance(label, str) for label in found}) > 1:
        raise ModelError("texts stand among numbers.", where=where, remedy="Use labels of one kind.")
    return found


def _label(value: Any, where: Where) -> Label:
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, np.datetime64):
        return str(value)
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool) or not isinstance(plain, str | int | float) or plain != plain:
        raise ModelError(f"{brief(value)} is no label.", where=where, remedy="Labels are texts or numbers.")
    if isinstance(plain, float) and math.isinf(plain):
        raise ModelError(f"{plain} is no label.", where=where, remedy="Labels are texts or finite numbers.")
    return plain


def as_labelled(values: Any, dims: Dims | None, where: Where) -> Labelled:
    """`values` with `dims`, or with the dims and labels of an `xarray.DataArray`.

    Dims that xarray made up (``dim_0``) name nothing. Raises `DataError` where `dims` are others than the array's.
    """
    array = _data_array(values)
    if array is None:
        return Labelled(values, dims)
    own = tuple(None if str(d) == f"dim_{axis}" else str(d) for axis, d in enumerate(array.dims))
    known = [d for d in own if d is not None]
    if dims is not None and known and dims != own:
        raise DataError(
            f"the array has dims {list(own)}, not {list(dims)}.",
            where=where,
            remedy="Rename or transpose it, or pass its values alone.",
        )
    labels = {d: as_labels(d, array.indexes[d]) for d in known if d in array.indexes}
    return Labelled(array.values, own if known else dims, labels)


def _data_array(value: Any) -> Any:
    """`value` if it is an `xarray.DataArray`. Nobody has one without having imported xarray, which takes long."""
    xarray = sys.modules.get("xarray")
    return value if xarray is not None and isinstance(value, xarray.DataArray) else None
