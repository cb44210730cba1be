"""Which one element of some variables each element of an expression depends on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from exmc.distributions import DISTRIBUTIONS
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.expressions import Apply, Expression, Reference, Slice
from exmc.ir.model import Model
from exmc.ir.nodes import Argument, Call
from exmc.ir.operations import infer_type, operation_of
from exmc.ir.types import ArrayType

NONE, MANY = -1, -2
"""Instead of the number of an element: depends on none, or on several (or it is not known on which)."""

Owners = NDArray[np.int64]


def owners_in_call(
    call: Call, batch: tuple[int, ...], known: Mapping[str, Owners], model: Model, types: Mapping[str, ArrayType]
) -> Owners:
    """The owner of each event of values of `call`, of the shape `batch`, as `owners_of`."""
    events = {p.name: len(p.event) for p in DISTRIBUTIONS[call.distribution].parameters}
    found: Owners = np.full(batch, NONE)

    def add(name: str, argument: Argument) -> None:
        nonlocal found
        if isinstance(argument, Call):
            found = merged(found, owners_in_call(argument, batch, known, model, types))
        elif isinstance(argument, tuple):
            for component in argument:
                found = merged(found, owners_in_call(component, batch, known, model, types))
        elif isinstance(argument, Expression):
            own = owners_of(argument, known, model, types)
            for _ in range(min(events.get(name, 0), own.ndim)):
                own = _merged_along_last(own)
            if own.ndim > len(batch):
                own = np.asarray(MANY if (own != NONE).any() else NONE)
            found = merged(found, own)

    for name, argument in call.parameters:
        add(name, argument)
    return found


def owners_of(
    expression: Expression, known: Mapping[str, Owners], model: Model, types: Mapping[str, ArrayType]
) -> Owners:
    """For each element of `expression` the number of the element, of the variables in `known`, that it depends on.

    `known` has the numbers of the elements of each such variable. What is not elementwise, or an index, is taken to
    depend on all that it is given.
    """
    if isinstance(expression, Reference):
        return known.get(expression.name, np.full(types[expression.name].shape, NONE))
    if not isinstance(expression, Apply):
        return np.asarray(NONE)
    operands = [owners_of(o, known, model, types) for o in expression.operands]
    shape = infer_type(expression, types).shape
    if all((o == NONE).all() for o in operands):
        return np.full(shape, NONE)
    if operation_of(expression).elementwise:
        return merged(*operands)
    if expression.operation in ("expand_dims", "transpose"):
        return np.asarray(operation_of(expression).evaluate(*operands, **dict(expression.options)))
    if expression.operation == "index":
        return _of_index(expression, operands, shape, model)
    return np.full(shape, MANY)


def _of_index(expression: Apply, operands: list[Owners], shape: tuple[int, ...], model: Model) -> Owners:
    keys = expression.operands[1:]
    slices = any(isinstance(key, Slice) for key in keys)
    if all(is_constant(key, model) for key in keys):
        places = [
            slice(k.start, k.stop, k.step) if isinstance(k, Slice) else np.asarray(constant_value(k, model))
            for k in keys
        ]
        return np.asarray(operands[0][tuple(places)])
    if slices or (operands[0] != NONE).any():
        return np.full(shape, MANY)
    joined = merged(*operands[1:])
    return np.broadcast_to(np.reshape(joined, (*joined.shape, *(1,) * (len(shape) - joined.ndim))), shape)


def merged(*owners: Owners) -> Owners:
    """What elements depend on that depend on all of `owners`, broadcast."""
    found = owners[0]
    for other in owners[1:]:
        same = (found == other) | (other == NONE)
        found = np.where(same, found, np.where(found == NONE, other, MANY))
    return np.asarray(found)


def _merged_along_last(owners: Owners) -> Owners:
    if owners.shape[-1] == 0:
        return np.full(owners.shape[:-1], NONE)
    return merged(*np.moveaxis(owners, -1, 0))
