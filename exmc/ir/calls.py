"""Calls of distributions: their forms before values are known, and the laws they become at values of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution, Form
from exmc.distributions.law import Law
from exmc.errors import ModelError, suggest
from exmc.ir.laws import law_of as law_of
from exmc.ir.nodes import Argument, Call, RandomVariable
from exmc.ir.operations import as_number, evaluate
from exmc.ir.types import ArrayType
from exmc.transforms import TRANSFORMS, Support, Transform


def distribution_of(call: Call, name: str) -> Distribution:
    """The row of `DISTRIBUTIONS` that `call` names; raises `ModelError` for a wrong name or parameters.

    Calls among its parameters are checked too, and whether they fit; `name` is the variable's.
    """
    form_of(call, ("variables", name))
    return DISTRIBUTIONS[call.distribution]


def form_of(call: Call, where: tuple[str, ...] = ()) -> Form:
    """Support, transform and event axes of `call`; raises `ModelError` as `distribution_of` does."""
    row = DISTRIBUTIONS.get(call.distribution)
    if row is None:
        raise ModelError(
            f"there is no distribution {call.distribution!r}.",
            where=(*where, "dist"),
            remedy=suggest(call.distribution, DISTRIBUTIONS),
        )
    _check_names(call, row, where)
    parts: dict[str, Any] = {}
    for key, argument in call.parameters:
        _check_kind(row, key, argument, (*where, key))
        if isinstance(argument, Call):
            parts[key] = form_of(argument, (*where, key))
        elif isinstance(argument, tuple):
            parts[key] = tuple(form_of(c, (*where, key, str(i))) for i, c in enumerate(argument))
        else:
            parts[key] = argument if isinstance(argument, str) else None
    try:
        return row.form_of(parts)
    except ModelError as error:
        raise error.within(*where) from None


def _check_names(call: Call, row: Distribution, where: tuple[str, ...]) -> None:
    given = [n for n, _ in call.parameters]
    known = [p.name for p in row.parameters]
    for key in given:
        if key not in known and not row.open:
            raise ModelError(
                f"{call.distribution} has no parameter {key!r}.",
                where=(*where, key),
                remedy=suggest(key, known),
            )
    if not row.accepts(given):
        optional = {p.name for p in row.parameters if p.optional}
        legal = " or ".join(
            "(" + ", ".join(f"[{n}]" if n in optional else n for n in names) + ")" for names in row.alternatives
        )
        raise ModelError(
            f"{call.distribution} is given ({', '.join(given)}).", where=where, remedy=f"It takes {legal}."
        )


_KINDS = {
    "value": "a value: a number, a name or an expression",
    "distribution": "a distribution, such as {dist: Normal, mu: 0, sigma: 1}",
    "distributions": "a list of distributions",
    "text": "a text",
    "size": "a whole number of 1 or more",
}


def _check_kind(row: Distribution, key: str, argument: Argument, where: tuple[str, ...]) -> None:
    takes = next((p.takes for p in row.parameters if p.name == key), "value")
    kinds = {Call: "distribution", tuple: "distributions", str: "text"}
    given = next((kind for type_, kind in kinds.items() if isinstance(argument, type_)), "value")
    if takes == "size" and isinstance(argument, str) and argument.isdecimal() and int(argument) > 0:
        return
    if given != takes:
        raise ModelError(f"{row.name} takes {_KINDS[takes]} for {key!r}.", where=where)


def law_at(call: Call, values: Mapping[str, Any]) -> Law:
    """`call` with names looked up in `values` (arrays or traced values). Bools count as 0 and 1."""
    return law_of(call, lambda expression: as_number(evaluate(expression, values)))


def bounds_at(call: Call, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The bounds of the support of `law_at`, of whose parameters others than bounds need not be evaluated."""
    row = DISTRIBUTIONS[call.distribution]
    if row.limits is not None:
        return law_at(call, values).bounds
    return tuple(as_number(evaluate(call.arguments[name], values)) for name in row.bounds)


def batch_of(found: ArrayType, form: Form) -> ArrayType:
    """The type of one number an event, for values of type `found`."""
    rank = len(found.shape) - form.rank
    return ArrayType(found.shape[:rank], found.dims[:rank])


def transform_of(node: RandomVariable) -> Transform | None:
    """The transform of a free variable: its own, else its family's; None for one that can only be observed."""
    return TRANSFORMS.get(node.transform or form_of(node.call).transform)


def is_restricted(node: RandomVariable) -> bool:
    """Whether the transform of `node` restricts a variable, or a vector of them, to part of where they could be."""
    transform = transform_of(node)
    return transform is not None and form_of(node.call).support not in transform.supports


def restricted_to(node: RandomVariable) -> Support | None:
    """The support to which the transform of `node` restricts it, if it does."""
    transform = transform_of(node)
    return transform.supports[0] if transform is not None and is_restricted(node) else None


def unconstrained_type(node: RandomVariable, found: ArrayType) -> ArrayType:
    """The type of the unconstrained numbers of a free variable of type `found`.

    Axes that have another length than the value's are called ``<name>_unconstrained``, one dim having one length.
    """
    transform = transform_of(node)
    if transform is None or not transform.event_rank:
        return ArrayType(found.shape, found.dims)
    shape = transform.free_shape(found.shape)
    if shape == found.shape:
        return ArrayType(shape, found.dims)
    kept = len(found.shape) - transform.event_rank
    return ArrayType(shape, found.dims[:kept] + (f"{node.name}_unconstrained",) * (len(shape) - kept))
