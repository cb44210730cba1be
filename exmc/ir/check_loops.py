"""What makes the loops of a model valid: where they stand, their names, their limits, their times."""

from __future__ import annotations

import keyword

import numpy as np

from exmc.errors import DataError, ExpressionError, ModelError, suggest
from exmc.integrators import METHODS
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.declarations import expressions_of
from exmc.ir.expressions import Apply, Expression, names_in, walk
from exmc.ir.loops import BODIES, COLLECTS, Body, OdeBody, ScanBody, loop_body
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, Node


def check_loop(node: Node) -> None:
    """Raise `ModelError` for a loop in `node` that stands in the wrong place or cannot be read."""
    for key, expression in expressions_of(node).items():
        body = loop_body(expression) if isinstance(node, Deterministic) else None
        try:
            if isinstance(expression, Apply) and body is not None:
                _check_body(body)
                for name, formula in body.formulas:
                    _no_loop_in(formula, (body.section, name))
                for place, operand in zip(body.places, expression.operands, strict=True):
                    _no_loop_in(operand, place)
            else:
                _no_loop_in(expression, ())
        except ModelError as error:
            raise error.within("variables", node.name, key) from None


def check_times(node: Node, model: Model) -> None:
    """Raise `DataError` for times of a differential equation that are data and do not increase."""
    if not isinstance(node, Deterministic) or not isinstance(node.expression, Apply):
        return
    body = loop_body(node.expression)
    if not isinstance(body, OdeBody):
        return
    start, times = node.expression.operands[len(body.state) : len(body.state) + 2]
    where = ("variables", node.name, "ode", "times")
    if not is_constant(times, model):
        return
    values = np.asarray(constant_value(times, model), dtype=np.float64)
    falls = np.flatnonzero(~(np.diff(values) > 0.0))
    if falls.size:
        at = int(falls[0])
        raise DataError(
            f"the time {values[at + 1]} at [{at + 1}] follows {values[at]}.", where=where, remedy="Sort them."
        )
    if is_constant(start, model) and values[0] < float(constant_value(start, model)):
        message = f"the first time, {values[0]}, is before the start, {float(constant_value(start, model))}."
        raise DataError(message, where=where, remedy="Give an earlier start.")


def _no_loop_in(expression: Expression, place: tuple[str, ...]) -> None:
    for part in walk(expression):
        if isinstance(part, Apply) and part.operation in BODIES:
            remedy = "Give it a name of its own, and use the name."
            raise ExpressionError(f"a {part.operation} cannot stand inside an expression.", where=place, remedy=remedy)


def _check_body(body: Body) -> None:
    own = (*body.fixed, *body.given)
    if not body.fixed:
        raise ModelError("there is nothing that changes.", where=("carry" if isinstance(body, ScanBody) else "state",))
    formulas = [name for name, _ in body.formulas]
    for name in (*own, *formulas):
        if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name) or name.startswith("__"):
            raise ModelError(f"{name!r} is not a name.", where=(body.section,), remedy="Use letters, digits and _.")
    for name in own:
        if own.count(name) > 1:
            raise ModelError(f"the name {name!r} is used twice.", where=(body.section,), remedy="Rename one of them.")
    for name in body.given:
        if name in formulas:
            raise ModelError(f"{name!r} is given, and has a formula too.", where=(body.section, name))
    for name in body.fixed:
        if name not in formulas:
            what = "next value" if isinstance(body, ScanBody) else "derivative"
            raise ModelError(f"{name!r} has no {what}.", where=(body.section,), remedy=suggest(name, formulas))
    _check_order(body, formulas)
    if isinstance(body, ScanBody):
        _check_scan(body, formulas)
    else:
        _check_ode(body)


def _check_order(body: Body, formulas: list[str]) -> None:
    """Formulas use the definitions before them."""
    for number, (name, formula) in enumerate(body.formulas):
        for used in names_in(formula):
            if used in formulas[number:] and used not in body.fixed:
                message = f"{used!r} is used before it is defined."
                raise ModelError(message, where=(body.section, name), remedy="Write its formula above this one.")


def _check_scan(body: ScanBody, formulas: list[str]) -> None:
    if body.output not in formulas:
        raise ModelError(
            f"a step has no value {body.output!r}.", where=("output",), remedy=suggest(body.output, formulas)
        )
    if body.collect not in COLLECTS:
        raise ModelError(
            f"{body.collect!r} is none of {', '.join(COLLECTS)}.",
            where=("collect",),
            remedy=suggest(body.collect, COLLECTS),
        )
    if body.collect == "all" and body.output not in body.carry:
        raise ModelError(
            f"{body.output!r} has no value before the first step.", where=("collect",), remedy="Use steps."
        )
    if (body.length is None) == (not body.sequences):
        fault = "there are neither sequences nor a length" if body.length is None else "sequences have a length already"
        raise ModelError(f"{fault}.", where=("length",))
    if body.length is not None and (type(body.length) is not int or body.length < 1):
        raise ModelError(f"{body.length!r} is not a number of steps.", where=("length",))


def _check_ode(body: OdeBody) -> None:
    if body.method not in METHODS:
        raise ModelError(
            f"there is no method {body.method!r}.", where=("method",), remedy=suggest(body.method, METHODS)
        )
    for key in ("relative_tolerance", "absolute_tolerance", "max_steps"):
        value = getattr(body, key)
        kinds = (int,) if key == "max_steps" else (int, float)
        if type(value) not in kinds or not 0 < value < float("inf"):
            raise ModelError(f"{value!r} is not above 0.", where=(key,))
