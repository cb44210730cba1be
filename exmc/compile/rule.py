"""What a rule of simplification is, and what it may ask of the values it rewrites."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from exmc.compile.primitives import PRIMITIVES
from exmc.compile.tape import Number, TapeBuilder

Operands = tuple[int, ...]
Static = dict[str, Any]


class Rewriter(TapeBuilder):
    """A builder of a tape whose every application is rewritten by the rules first."""

    @abstractmethod
    def rewrite(self, primitive: str, operands: Operands, static: Static) -> int:
        """The value of an application after the first rule that holds; rules build on simplified values by this."""


Apply = Callable[[Rewriter, Operands, Static], int | None]


class Rule(NamedTuple):
    """Rewrites an application of one of `primitives`: to the id of an equal value, or None where it does not hold."""

    name: str
    primitives: tuple[str, ...]
    apply: Apply


def literal_of(builder: Rewriter, value: int) -> Number | None:
    return builder.literals.get(value)


def is_number(builder: Rewriter, value: int, number: float) -> bool:
    """Whether a value is the literal `number`, sign of zero included, everywhere."""
    literal = literal_of(builder, uniform(builder, value))
    return literal is not None and literal == number and math.copysign(1.0, literal) == math.copysign(1.0, number)


def uniform(builder: Rewriter, value: int) -> int:
    """The scalar that an array repeats, or the value itself."""
    equation = builder.equations.get(value)
    if equation is not None and equation.primitive == "broadcast" and builder.types[equation.operands[0]].shape == ():
        return equation.operands[0]
    return value


def made_by(builder: Rewriter, value: int, primitive: str) -> Operands | None:
    equation = builder.equations.get(value)
    return equation.operands if equation is not None and equation.primitive == primitive else None


def same_type(builder: Rewriter, value: int, operands: Operands, primitive: str, static: Static) -> bool:
    types = tuple(builder.types[o] for o in operands)
    return builder.types[value] == PRIMITIVES[primitive].infer(types, static)


def spread(builder: Rewriter, value: int, shape: tuple[int, ...]) -> int:
    return builder.rewrite("broadcast", (value,), {"shape": shape})
