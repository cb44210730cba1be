"""Programs that prepare data, and how data are packed, as JSON values."""

from __future__ import annotations

from typing import Any

from exmc.compile.packing import Layout, Packing
from exmc.compile.primitives import Array, ArrayType, Hole, Span
from exmc.compile.tape import Constant, Equation, Tape
from exmc.ir.serial import decode_array, encode_array

MOST_BYTES = 2**22
"""Arrays that belong to a function are small, or it is faster to make them again than to read them."""


class Unwritable(Exception):  # noqa: N818 - a signal, not an error for users
    """A program that calls foreign functions, or holds too many data, cannot be written."""


def written_program(program: Tape, arguments: dict[int, int]) -> dict[str, Any]:
    """A program of `Preparation` without the arrays that are its arguments."""
    own = {ident: constant.values for ident, constant in program.constants.items() if ident not in arguments}
    return {
        "types": [[list(t.shape), t.dtype] for t in program.types],
        "literals": [[ident, value] for ident, value in program.literals.items()],
        "constants": _written_arrays(own),
        "arguments": [[ident, number] for ident, number in arguments.items()],
        "equations": [
            [e.result, e.primitive, list(e.operands), [[name, _written(value)] for name, value in e.parameters]]
            for e in program.equations
        ],
        "outputs": list(program.outputs),
    }


def program_of(document: dict[str, Any]) -> tuple[Tape, dict[int, int]]:
    """What `written_program` wrote."""
    tape = Tape(
        types=tuple(ArrayType(tuple(shape), dtype) for shape, dtype in document["types"]),
        literals=dict(document["literals"]),
        constants={ident: Constant(array) for ident, array in _arrays(document["constants"]).items()},
        equations=tuple(
            Equation(result, primitive, tuple(operands), tuple((name, _read(value)) for name, value in parameters))
            for result, primitive, operands, parameters in document["equations"]
        ),
        outputs=tuple(document["outputs"]),
    )
    return tape, dict(document["arguments"])


def written_packing(packing: Packing) -> dict[str, Any]:
    """A packing as JSON values."""
    return {
        "scalars": packing.scalars,
        "layouts": packing.layouts,
        "literals": list(packing.literals.items()),
        "embedded": [[written_packing(inner), _written_arrays(dict(values))] for inner, values in packing.embedded],
    }


def packing_of(document: dict[str, Any]) -> Packing:
    """What `written_packing` wrote."""
    return Packing(
        tuple(document["scalars"]),
        tuple(Layout(c, dtype, tuple(order), tuple(how)) for c, dtype, order, how in document["layouts"]),
        dict(document["literals"]),
        tuple((packing_of(inner), _arrays(values)) for inner, values in document["embedded"]),
    )


def _written_arrays(arrays: dict[int, Array]) -> list[Any]:
    if sum(array.nbytes for array in arrays.values()) > MOST_BYTES:
        raise Unwritable
    return [[ident, encode_array(array)] for ident, array in arrays.items()]


def _arrays(document: list[Any]) -> dict[int, Array]:
    return {ident: decode_array(array) for ident, array in document}


def _written(value: Any) -> Any:
    """A parameter of an equation: numbers, text, keys of an index, and tuples of these."""
    if isinstance(value, Hole):
        return {"hole": value.operand}
    if isinstance(value, Span):
        return {"span": list(value)}
    if type(value) is tuple:
        return [_written(v) for v in value]
    if value is Ellipsis:
        return {"ellipsis": True}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise Unwritable


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(v) for v in value)
    if isinstance(value, dict):
        if "hole" in value:
            return Hole(value["hole"])
        return Span(*value["span"]) if "span" in value else Ellipsis
    return value
