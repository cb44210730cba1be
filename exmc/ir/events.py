"""Batch and event axes of a distribution's value, inferred from those of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Parameter
from exmc.errors import ModelError
from exmc.ir.calls import form_of
from exmc.ir.nodes import Call
from exmc.ir.operations import infer_type
from exmc.ir.types import ArrayType, broadcast

Where = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    """The length of an event axis, its dim, and which parameter says so."""

    size: int
    dim: str | None
    told_by: str


@dataclass(slots=True)
class _Found:
    """What the parameters of a call say: event axes by place, and the batch type of each."""

    event: list[_Axis | None]
    batches: list[tuple[Where, ArrayType]] = field(default_factory=list)


def infer_call(name: str, call: Call, types: Mapping[str, ArrayType], target: ArrayType | None) -> ArrayType:
    """The type of a value of `call`: `target` if that is known, else what the parameters say.

    Raises `ModelError` where parameters do not fit each other or the target; errors name the variable `name`.
    """
    where = ("variables", name)
    rank = form_of(call).rank
    if target is not None and len(target.shape) < rank:
        raise ModelError(
            f"a value of {call.distribution} has {_axes(rank)} or more, the variable is {target}.",
            where=where,
            remedy="Give it dims or a shape that ends with those of one value.",
        )
    found = _Found([None] * rank)
    if target is not None:
        split = len(target.shape) - rank
        own = zip(target.shape[split:], target.dims[split:], strict=True)
        found.event = [_Axis(size, dim, f"the variable, which is {target},") for size, dim in own]
    _collect(call, types, where, found)
    if target is not None:
        batch = ArrayType(target.shape[:split], target.dims[:split])
        for place, own_batch in found.batches:
            check_fits(own_batch, batch, place)
        return target
    try:
        batch = broadcast([own_batch for _, own_batch in found.batches])
    except ModelError as error:
        raise error.within(*where) from None
    axes = [axis for axis in found.event if axis is not None]
    if len(axes) < rank:
        raise ModelError(
            f"the parameters of {call.distribution} do not tell how long a value is.",
            where=where,
            remedy="Give the variable dims or a shape.",
        )
    dims = [axis.dim for axis in axes]
    return ArrayType(
        batch.shape + tuple(axis.size for axis in axes),
        batch.dims + tuple(d if d not in dims[:i] else None for i, d in enumerate(dims)),
    )


def _collect(call: Call, types: Mapping[str, ArrayType], where: Where, found: _Found) -> None:
    event = form_of(call).event
    known = {p.name: p for p in DISTRIBUTIONS[call.distribution].parameters}
    others: dict[str, _Axis] = {}
    for key, argument in call.parameters:
        place = (*where, key)
        if isinstance(argument, Call) and known[key].event:
            _add_part(known[key], argument, types, place, event, others, found)
        elif isinstance(argument, Call):
            _collect(argument, types, place, found)
        elif isinstance(argument, tuple):
            for i, component in enumerate(argument):
                _collect(component, types, (*place, str(i)), found)
            count = ArrayType((len(argument),), (None,))
            _add(known[key], count, place, event, others, found)
        elif isinstance(argument, str):
            if known[key].takes == "size":
                size = ArrayType((int(argument),), (None,))
                _add(replace(known[key], event=(key,)), size, place, event, others, found)
        else:
            try:
                value = infer_type(argument, types)
            except ModelError as error:
                raise error.within(*place) from None
            if key in known:  # those of a function of the user's own may have any shape
                _add(known[key], value, place, event, others, found)


def _add_part(
    parameter: Parameter,
    call: Call,
    types: Mapping[str, ArrayType],
    place: Where,
    event: tuple[str, ...],
    others: dict[str, _Axis],
    found: _Found,
) -> None:
    """What a distribution of values along event axes of the whole says of them: it has axes of its own before them."""
    rank = form_of(call).rank
    inner = _Found([None] * rank)
    _collect(call, types, place, inner)
    try:
        batch = broadcast([own for _, own in inner.batches])
    except ModelError as error:
        raise error.within(*place) from None
    axes = [axis for axis in inner.event if axis is not None]
    if len(axes) < rank or not (batch.shape or axes):
        found.batches.append((place, batch))  # of any length
        return
    sizes, dims = tuple(axis.size for axis in axes), tuple(axis.dim for axis in axes)
    _add(parameter, ArrayType(batch.shape + sizes, batch.dims + dims), place, event, others, found)


def _add(
    parameter: Parameter,
    value: ArrayType,
    place: Where,
    event: tuple[str, ...],
    others: dict[str, _Axis],
    found: _Found,
) -> None:
    axes = parameter.event
    if len(axes) == 1 and not value.shape and axes[0] in event:
        found.batches.append((place, value))
        return
    if len(value.shape) < len(axes):
        raise ModelError(f"it takes {_axes(len(axes))} or more, not {value}.", where=place)
    if parameter.steps and len(value.shape) > len(axes):
        value = _without_steps(parameter, value, place, event.index(parameter.steps), found)
    split = len(value.shape) - len(axes)
    for axis, size, dim in zip(axes, value.shape[split:], value.dims[split:], strict=True):
        # The two axes of a covariance cannot have the same dim: the second may be called otherwise.
        told = _Axis(size, dim, f"{parameter.name!r}, which is {value},")
        known = found.event[event.index(axis)] if axis in event else others.get(axis)
        if known is None:
            known = told
        elif known.size != size:
            raise ModelError(
                f"{told.told_by} has length {size} where {known.told_by} has length {known.size}.", where=place
            )
        elif len(axes) == 1 and known.dim and dim and known.dim != dim:
            raise ModelError(
                f"{told.told_by} has dim {dim!r} where {known.told_by} has dim {known.dim!r}.", where=place
            )
        elif known.dim is None:
            known = _Axis(size, dim if len(axes) == 1 else None, known.told_by)
        for i, name in enumerate(event):
            if name == axis:
                found.event[i] = known
        others[axis] = known
    found.batches.append((place, ArrayType(value.shape[:split], value.dims[:split], value.kind)))


def _without_steps(parameter: Parameter, value: ArrayType, place: Where, at: int, found: _Found) -> ArrayType:
    """`value` without its axis of steps, which has one element less than the event axis number `at`, or one in all."""
    axis = len(value.shape) - len(parameter.event) - 1
    size, told = value.shape[axis], found.event[at]
    if told is None and size > 1:
        found.event[at] = _Axis(size + 1, None, f"{parameter.name!r}, which is {value},")
    elif told is not None and size not in (1, told.size - 1):
        raise ModelError(
            f"{parameter.name!r}, which is {value}, has {size} steps, and {told.told_by} has {told.size - 1}.",
            where=place,
            remedy=f"Give it one matrix a step, or, where each series has one of its own, {parameter.name}[:, None].",
        )
    shape, dims = list(value.shape), list(value.dims)
    del shape[axis], dims[axis]
    return ArrayType(tuple(shape), tuple(dims), value.kind)


def check_fits(found: ArrayType, target: ArrayType, where: Where) -> None:
    """Raise `ModelError` unless `found` broadcasts to `target`."""
    try:
        joined = broadcast([found, target])
    except ModelError as error:
        raise error.within(*where) from None
    if joined.shape != target.shape:
        raise ModelError(
            f"a value {found} does not fit the variable, which is {target}.",
            where=where,
            remedy="Give the variable the dims it should have, or index the value.",
        )


def _axes(count: int) -> str:
    return "one axis" if count == 1 else f"{count} axes"
