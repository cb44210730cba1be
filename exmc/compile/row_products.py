"""Which products of arrays are rows of data times a vector, so that they fuse with the loop over the rows."""

from __future__ import annotations

from typing import NamedTuple

from exmc.compile.tape import Equation, Tape

_SMALLEST = 16
"""Fewer rows than this are not worth blocks of their own."""


class RowProduct(NamedTuple):
    """A constant matrix times a vector, seen as work over the matrix's rows, its longer axis.

    Attributes
    ----------
    matrix, vector
        The operands' value ids.
    axis
        The axis of the matrix that numbers the rows.
    rows, columns
        The matrix's lengths.
    forward
        Whether each row gives one element of the result (X b); else each row adds to all of them (X' r).
    """

    matrix: int
    vector: int
    axis: int
    rows: int
    columns: int
    forward: bool


def row_product(tape: Tape, equation: Equation) -> RowProduct | None:
    """The product that an equation is, or None if it is no product of a constant matrix and a vector."""
    if equation.primitive != "contract" or len(equation.operands) != 2:
        return None
    inputs, output = equation.static["spec"].split("->")
    terms = inputs.split(",")
    for matrix, vector in ((0, 1), (1, 0)):
        ident, letters = equation.operands[matrix], terms[matrix]
        if ident not in tape.constants or len(letters) != 2 or len(terms[vector]) != 1 or len(output) != 1:
            continue
        shape = tape.types[ident].shape
        axis = 1 if shape[1] > shape[0] else 0
        if min(shape) < 1 or shape[axis] < _SMALLEST or {output, terms[vector]} != set(letters):
            return None
        return RowProduct(ident, equation.operands[vector], axis, shape[axis], shape[1 - axis], output == letters[axis])
    return None
