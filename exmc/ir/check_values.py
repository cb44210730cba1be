"""What a model's data must be where they are used: indices, parameters and observed values, each in its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Form
from exmc.errors import DataError, ModelError, brief
from exmc.ir.calls import form_of, law_of
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.declarations import expressions_of, observed_call, place_of
from exmc.ir.expressions import Apply, Expression, Slice, names_in, walk
from exmc.ir.missing import missing_in, of_events
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Node, Observation, RandomVariable
from exmc.ir.operations import as_number, infer_type
from exmc.ir.types import ArrayType
from exmc.transforms import Support


def check_indices(node: Node, model: Model, types: Mapping[str, ArrayType]) -> None:
    """Raise `ModelError` unless the indices that are data lie within the axis they index."""
    for key, expression in expressions_of(node).items():
        for part in walk(expression):
            if not (isinstance(part, Apply) and part.operation == "index"):
                continue
            base, *indices = part.operands
            sizes = infer_type(base, types).shape
            for size, index in zip(sizes, indices, strict=False):
                if isinstance(index, Slice) or not is_constant(index, model):
                    continue
                values = np.asarray(constant_value(index, model))
                # A number may count from the end; codes of data below 0 mark what is missing, or count from 1.
                least = 0 if names_in(index) else -size
                outside = np.argwhere((values < least) | (values >= size))
                if len(outside):
                    at = tuple(int(i) for i in outside[0])
                    raise ModelError(
                        f"index {values[at]}{_place(at)} is out of range for an axis of size {size}.",
                        where=place_of(node.name, key),
                        remedy=f"Indices go from 0 to {size - 1}.",
                    )


def check_values(node: Node, model: Model, types: Mapping[str, ArrayType]) -> None:
    """Raise `ModelError` or `DataError` unless parameters and observed values that are data lie in their supports."""
    if isinstance(node, Deterministic):
        return
    call = node.call if isinstance(node, RandomVariable) else observed_call(node, model)
    if call is None:
        return
    form = form_of(call)
    _check_arguments(call, model, types, ("variables", node.name))
    _check_together(call, model, types[node.name].shape, ("variables", node.name))
    bounds = _known_bounds(call, model, types)
    if bounds is None:
        return
    _check_order(call, bounds, ("variables", node.name))
    if isinstance(node, Observation) and is_constant(node.value, model):
        _check_seen(node, model, form, bounds)


def _check_order(call: Call, bounds: list[Any], where: tuple[str, ...]) -> None:
    """Raise the error of the first lower bound that is not below its upper one."""
    if len(bounds) != 2:
        return
    lower, upper = np.broadcast_arrays(*bounds)
    wrong = np.argwhere(~(lower < upper))
    if not len(wrong):
        return
    at = tuple(int(i) for i in wrong[0])
    low, high = DISTRIBUTIONS[call.distribution].bounds or ("the lower bound", "the upper one")
    raise ModelError(
        f"{low} = {lower[at].item()} is not below {high} = {upper[at].item()}{_place(at)}.",
        where=(*where, *((low,) if low in call.arguments else ())),
        remedy="No value lies between them: exchange or part them.",
    )


def _check_arguments(call: Call, model: Model, types: Mapping[str, ArrayType], where: tuple[str, ...]) -> None:
    """Parameters that are data lie in their supports, and counts are whole; those of calls among them too."""
    known = {p.name: p for p in DISTRIBUTIONS[call.distribution].parameters}
    for key, argument in call.parameters:
        if isinstance(argument, Call):
            _check_arguments(argument, model, types, (*where, key))
        elif isinstance(argument, tuple):
            for i, component in enumerate(argument):
                _check_arguments(component, model, types, (*where, key, str(i)))
        elif not isinstance(argument, str) and key in known:
            if is_constant(argument, model):
                _check_inside(constant_value(argument, model), known[key].support, (), (*where, key))
            elif known[key].support.discrete:
                _check_whole(argument, types, call, (*where, key))


def _check_together(call: Call, model: Model, shape: tuple[int, ...], where: tuple[str, ...]) -> None:
    """Parameters that are data fit each other and the shape of one value, those of calls among them too."""
    row, form = DISTRIBUTIONS[call.distribution], form_of(call)
    for key, argument in call.parameters:
        if isinstance(argument, Call) and form_of(argument).rank == form.rank:
            _check_together(argument, model, shape, (*where, key))
    if row.objection is not None:
        known = {k: constant_value(e, model) for k, e in call.arguments.items() if is_constant(e, model)}
        if objection := row.objection(shape[len(shape) - form.rank :], known):
            raise ModelError(objection, where=where)


def _check_whole(expression: Expression, types: Mapping[str, ArrayType], call: Call, where: tuple[str, ...]) -> None:
    """Raise unless a count that depends on variables is a whole number whatever they are: else it never is one."""
    if infer_type(expression, types).kind == "float":
        raise ModelError(
            f"{call.distribution} needs whole numbers for {where[-1]!r}, and this depends on continuous variables.",
            where=where,
            remedy="Give it data, or a comparison such as x > 0.",
        )


def _known_bounds(call: Call, model: Model, types: Mapping[str, ArrayType]) -> list[Any] | None:
    """The bounds of the support of `call`; None where they depend on variables."""

    def known(expression: Expression) -> Any:
        if is_constant(expression, model):
            return as_number(constant_value(expression, model))
        return np.full(infer_type(expression, types).shape, np.nan)

    with np.errstate(all="ignore"):
        bounds = [np.asarray(bound) for bound in law_of(call, known).bounds]
    return None if any(np.isnan(bound).any() for bound in bounds) else bounds


def _check_seen(node: Observation, model: Model, form: Form, bounds: list[Any]) -> None:
    seen = np.asarray(constant_value(node.value, model))
    if not seen.size:
        raise DataError("there are no values.", where=("variables", node.name, "observed"), remedy="Give at least one.")
    kept: Any = True
    if node.mask is not None and is_constant(node.mask, model):
        # What is masked out may be anything.
        kept = np.asarray(constant_value(node.mask, model), bool)
        kept = kept.reshape(kept.shape + (1,) * (form.rank - form.support.event_rank))
    missing = missing_in(model).get(node.name)
    if missing is not None:
        kept = kept & ~of_events(missing.elements, form.support.event_rank)
    _check_inside(seen, form.support, tuple(bounds), ("variables", node.name, "observed"), kept)


def _check_inside(
    value: Any, support: Support, bounds: tuple[Any, ...], where: tuple[str, ...], kept: Any = True
) -> None:
    """Raise the error of the first event of `value` that is not in `support`, of those `kept`."""
    array = np.asarray(value)
    if array.ndim < support.event_rank:
        return  # a number in the place of equal elements
    batch = array.shape[: array.ndim - support.event_rank]
    inside = np.broadcast_to(support.contains(array, *bounds) | ~np.asarray(kept), batch)
    if inside.all():
        return
    at = tuple(int(i) for i in np.argwhere(~inside)[0]) if batch else ()
    limits = [np.broadcast_to(bound, batch)[at].item() for bound in bounds]
    within = f" ({' and '.join(map(str, limits))})" if limits else ""
    what = f"the value {brief(array[at].tolist())}{_place(at)} is not {support.description}{within}."
    if where[-1] == "observed":
        raise DataError(what, where=where, remedy="Mend or mask it, or choose a distribution that can take it.")
    raise ModelError(what, where=where, remedy=f"Give {where[-1]!r} another value.")


def _place(at: tuple[int, ...]) -> str:
    return f" at [{', '.join(map(str, at))}]" if at else ""
