"""Calls bound to the values of their parameters, and log densities as an operation of expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.law import Law
from exmc.ir.expressions import Apply, Expression, Reference
from exmc.ir.nodes import Argument, Call
from exmc.ir.types import ArrayType, Dims


def law_of(call: Call, value_of: Callable[[Expression], Any]) -> Law:
    """`call` with the value that `value_of` gives to each expression."""

    def bound(argument: Argument) -> Any:
        if isinstance(argument, Call):
            return law_of(argument, value_of)
        if isinstance(argument, tuple):
            return tuple(law_of(c, value_of) for c in argument)
        return argument if isinstance(argument, str) else value_of(argument)

    return Law(DISTRIBUTIONS[call.distribution], {name: bound(argument) for name, argument in call.parameters})


@dataclass(frozen=True, slots=True)
class DensityBody:
    """Of which distribution the operation "log_density" is, and the type of its result.

    The expressions of `call` are references to their own paths (``of.sigma``): what they stand for are the operands
    after the first, in order. `shape` and `dims` are those of one number an event.
    """

    call: Call
    shape: tuple[int, ...]
    dims: Dims


def log_density(call: Call, value: Expression, batch: ArrayType) -> Apply:
    """The log density of each event of `value` under `call`, as an expression of the type `batch`.

    Rewriting makes it; no text is parsed to it.
    """
    body = DensityBody(call.map(lambda path, _: Reference(path)), batch.shape, batch.dims)
    return Apply("log_density", (value, *call.expressions.values()), (("law", body),))


def call_in(expression: Apply) -> Call:
    """The distribution whose log density `expression` is, with its parameters."""
    body: DensityBody = dict(expression.options)["law"]
    given = dict(zip(body.call.expressions, expression.operands[1:], strict=True))
    return body.call.map(lambda path, _: given[path])


def run_density(value: Any, *parameters: Any, law: DensityBody) -> Any:
    """The value of the operation."""
    given = dict(zip(law.call.expressions, parameters, strict=True))
    bound = law_of(law.call, lambda e: given[e.name] if isinstance(e, Reference) else e)
    found = bound.log_density(value)
    return found if anp.shape(found) == law.shape else found + anp.zeros(law.shape)


def infer_density(_types: list[ArrayType], options: dict[str, Any]) -> ArrayType:
    """The type of the operation."""
    body: DensityBody = options["law"]
    return ArrayType(body.shape, body.dims)
