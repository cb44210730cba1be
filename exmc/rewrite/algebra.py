"""Arithmetic on expressions that leaves out neutral elements, so that rewritten models stay readable."""

from __future__ import annotations

import numpy as np

from exmc.ir.calls import form_of
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.expressions import Apply, Constant, Expression, Reference, apply
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, RandomVariable
from exmc.transforms import NONNEGATIVE, OPEN_UNIT_INTERVAL, POSITIVE, UNIT_INTERVAL

ZERO = Constant(0.0)
ONE = Constant(1.0)
_POSITIVE_SUPPORTS = (POSITIVE, NONNEGATIVE, UNIT_INTERVAL, OPEN_UNIT_INTERVAL)
_POSITIVE_RESULTS = frozenset({"exp", "sigmoid", "softplus"})
_POSITIVE_OF_POSITIVES = frozenset({"add", "multiply", "divide", "sqrt", "square", "power", "abs", "index", "sum"})


def is_number(expression: Expression, number: float) -> bool:
    """Whether `expression` is the literal `number` (as 1, 1.0 or True)."""
    return isinstance(expression, Constant) and expression.value == number


def plus(left: Expression, right: Expression) -> Expression:
    """``left + right``."""
    if is_number(left, 0):
        return right
    return left if is_number(right, 0) else apply("add", left, right)


def minus(left: Expression, right: Expression) -> Expression:
    """``left - right``."""
    return left if is_number(right, 0) else apply("subtract", left, right)


def times(left: Expression, right: Expression) -> Expression:
    """``left * right``; a literal 0 is kept, since 0 * infinity is not 0."""
    if is_number(left, 1):
        return right
    return left if is_number(right, 1) else apply("multiply", left, right)


def over(left: Expression, right: Expression) -> Expression:
    """``left / right``."""
    return left if is_number(right, 1) else apply("divide", left, right)


def negated(expression: Expression) -> Expression:
    """``-expression``."""
    return Constant(-expression.value) if isinstance(expression, Constant) else apply("negative", expression)


def magnitude(expression: Expression, model: Model) -> Expression:
    """``abs(expression)``, or the expression itself where it is known to be positive."""
    return expression if is_positive(expression, model) else apply("abs", expression)


def is_positive(expression: Expression, model: Model) -> bool:
    """Whether `expression` is positive (almost surely) by its form, its data and the supports of its variables."""
    if is_constant(expression, model):
        return bool(np.all(np.asarray(constant_value(expression, model)) > 0))
    if isinstance(expression, Reference):
        node = model[expression.name]
        if isinstance(node, Deterministic):
            return is_positive(node.expression, model)
        return isinstance(node, RandomVariable) and form_of(node.call).support in _POSITIVE_SUPPORTS
    if not isinstance(expression, Apply):
        return False
    if expression.operation in _POSITIVE_RESULTS:
        return True
    operands = expression.operands[:1] if expression.operation in ("index", "power") else expression.operands
    return expression.operation in _POSITIVE_OF_POSITIVES and all(is_positive(o, model) for o in operands)
