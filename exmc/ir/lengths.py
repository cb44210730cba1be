"""Lengths that follow from data: shapes, slice bounds and sizes of arrays, put into a model as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.errors import ExpressionError, ModelError
from exmc.ir.expressions import (
    Apply,
    Constant,
    Expression,
    Slice,
    Span,
    names_in,
    substitute,
    transform_bottom_up,
)
from exmc.ir.infer import map_expressions
from exmc.ir.loops import loop_body, with_captured_used, with_formulas
from exmc.ir.nodes import Data, Deterministic, Node, Observation
from exmc.ir.operations import evaluate
from exmc.ir.sizes import SIZED

Length: TypeAlias = int | Expression
"""A number of elements, or the expression of data that gives it."""


class Lengths:
    """Evaluates lengths, given the data of a model and its deterministics of data alone."""

    def __init__(self, data: Mapping[str, Data], nodes: Iterable[Node]) -> None:
        self._data = data
        self._derived = _of_data_alone(data, nodes)
        self._values: dict[str, NDArray[np.generic]] = {}

    def number(self, length: Length, where: tuple[str, ...]) -> int:
        """`length` as a number; raises `ModelError` at `where` unless it is a whole number made of data alone."""
        if isinstance(length, int):
            return length
        try:
            return self._value(self._in_expression(length, frozenset()))
        except ModelError as error:
            raise error.within(*where) from None

    def in_node(self, node: Node) -> Node:
        """`node` with numbers in the place of the lengths in its expressions.

        What must be data alone, as observed values and masks, may be deterministics of data: they are written out.
        """
        if isinstance(node, Observation):
            mask = None if node.mask is None else substitute(node.mask, self._derived)
            node = replace(node, value=substitute(node.value, self._derived), mask=mask)
        return map_expressions(node, lambda e: self._in_expression(e, frozenset()))

    def _in_expression(self, expression: Expression, local: frozenset[str]) -> Expression:
        return transform_bottom_up(expression, self._in_part(local))

    def _in_part(self, local: frozenset[str]) -> Callable[[Expression], Expression]:
        """The change of one part of an expression whose own parts are changed; `local` names are a loop's."""

        def change(part: Expression) -> Expression:
            if isinstance(part, Span):
                return Slice(*(None if bound is None else self._value(bound, local) for bound in part.bounds))
            if not isinstance(part, Apply):
                return part
            if part.operation in SIZED:
                first = SIZED[part.operation].first
                sizes = (Constant(self._value(size, local)) for size in part.operands[first:])
                return replace(part, operands=(*part.operands[:first], *sizes))
            body = loop_body(part)
            if body is None:
                return part
            own = local | {*body.fixed, *body.given, *(name for name, _ in body.formulas)}
            formulas = tuple((name, self._in_formula(name, f, own, body.section)) for name, f in body.formulas)
            return with_captured_used(part, with_formulas(body, formulas))

        return change

    def _in_formula(self, name: str, formula: Expression, own: frozenset[str], section: str) -> Expression:
        try:
            return self._in_expression(formula, own)
        except ModelError as error:
            raise error.within(section, name) from None

    def _value(self, expression: Expression, local: frozenset[str] = frozenset()) -> int:
        if isinstance(expression, Constant) and type(expression.value) is int:
            return expression.value
        names = names_in(expression)
        for name in names:
            if name in local or not (name in self._data or name in self._derived):
                raise ExpressionError(
                    f"a length or a slice's bound depends on {name!r}.",
                    remedy="It must follow from data alone; is the name right?",
                )
        value = np.asarray(evaluate(expression, {name: self._of(name) for name in names}))
        if value.ndim or value.dtype.kind not in "if" or value != np.floor(value):
            shown = value.item() if value.ndim == 0 else f"an array of shape {value.shape}"
            raise ExpressionError(f"a length or a slice's bound is {shown}.", remedy="It must be a whole number.")
        return int(value)

    def _of(self, name: str) -> NDArray[np.generic]:
        if name in self._data:
            return self._data[name].values
        if name not in self._values:
            expression = self._in_expression(self._derived[name], frozenset())
            with np.errstate(all="ignore"):
                self._values[name] = np.asarray(evaluate(expression, {n: self._of(n) for n in names_in(expression)}))
        return self._values[name]


def _of_data_alone(data: Mapping[str, Data], nodes: Iterable[Node]) -> dict[str, Expression]:
    """The deterministics that no random variable reaches, each as an expression of data."""
    pending = {n.name: n.expression for n in nodes if isinstance(n, Deterministic) and loop_body(n.expression) is None}
    found: dict[str, Expression] = {}
    while ready := [name for name, e in pending.items() if all(n in data or n in found for n in names_in(e))]:
        for name in ready:
            found[name] = substitute(pending.pop(name), found)
    return found
