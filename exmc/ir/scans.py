"""Scans as expressions: the type of their value, and the value by a plain loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import autograd.numpy as anp
import numpy as np

from exmc.errors import ModelError
from exmc.ir.expressions import Expression
from exmc.ir.loops import ScanBody, run_formulas
from exmc.ir.types import ArrayType

Value = TypeVar("Value")
Infer = Callable[[Expression, Mapping[str, ArrayType]], ArrayType]
Evaluate = Callable[[Expression, Mapping[str, Any]], Any]


class Split(NamedTuple):
    """The operands of a scan by name."""

    carry: dict[str, Any]
    sequences: dict[str, Any]
    captured: dict[str, Any]


def split(operands: list[Any], body: ScanBody) -> Split:
    """What each operand is to the scan."""
    first, second = len(body.carry), len(body.carry) + len(body.sequences)
    return Split(
        dict(zip(body.carry, operands[:first], strict=True)),
        dict(zip(body.sequences, operands[first:second], strict=True)),
        dict(zip(body.captured, operands[second:], strict=True)),
    )


def element_types(operands: list[ArrayType], body: ScanBody) -> dict[str, ArrayType]:
    """The types of the names that the formulas of a step may use, definitions aside."""
    carry, sequences, captured = split(operands, body)
    for name, sequence in sequences.items():
        if not sequence.shape:
            raise ModelError("a scan runs along the first axis of a sequence, and a scalar has none.").within(
                "sequences", name
            )
    # What is computed inside is of floats, whatever the first value.
    elements = {n: ArrayType(t.shape[1:], t.dims[1:]) for n, t in sequences.items()}
    return captured | {n: ArrayType(t.shape, t.dims) for n, t in carry.items()} | elements


def infer_scan(operands: list[ArrayType], body: ScanBody, infer: Infer) -> ArrayType:
    """The type of a scan's value."""
    scope = element_types(operands, body)
    found = run_formulas(body, scope, infer)
    for name in body.carry:
        if found[name].shape != scope[name].shape:
            raise ModelError(f"{name!r} starts as {scope[name]} and becomes {found[name]}.").within("step", name)
    steps, dim = _steps(operands, body)
    result = scope[body.output] if body.output in body.carry else found[body.output]
    if body.collect == "last":
        return ArrayType(result.shape, result.dims)
    dims = (dim if body.collect == "steps" and dim not in result.dims else None, *result.dims)
    return ArrayType((steps + (body.collect == "all"), *result.shape), dims)


def _steps(operands: list[ArrayType], body: ScanBody) -> tuple[int, str | None]:
    """The number of steps, and their dim if the sequences agree on one."""
    sequences = split(operands, body).sequences
    if not sequences:
        return body.length or 0, None
    lengths = {name: t.shape[0] for name, t in sequences.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        listed = ", ".join(f"{name} of {n}" for name, n in lengths.items())
        raise ModelError(f"sequences of one length, at least 1, are needed, not {listed}.").within("sequences")
    dims = {t.dims[0] for t in sequences.values() if t.dims[0] is not None}
    return next(iter(lengths.values())), dims.pop() if len(dims) == 1 else None


def next_values(body: ScanBody, scope: Mapping[str, Any], evaluate: Evaluate) -> tuple[tuple[Any, ...], Any]:
    """The carries after a step, and its output."""
    found = run_formulas(body, scope, evaluate)
    return tuple(found[name] for name in body.carry), found[body.output]


def collected(body: ScanBody, start: Any, outputs: Any) -> Any:
    """What a scan keeps of the outputs of all steps; `start` is the output before the first one, if it is kept."""
    if body.collect == "all":
        first = anp.reshape(1.0 * start, (1, *anp.shape(outputs)[1:]))
        return anp.concatenate([first, outputs], axis=0)
    return outputs[-1] if body.collect == "last" else outputs


def run_scan(operands: list[Any], body: ScanBody, evaluate: Evaluate) -> Any:
    """A scan by a loop in Python: slow, and what compiled ones are compared with."""
    start, sequences, captured = split(operands, body)
    steps = len(next(iter(sequences.values()))) if sequences else body.length or 0
    rows = {name: 1.0 * np.asarray(values) for name, values in sequences.items()}
    carry = {name: 1.0 * anp.array(value) for name, value in start.items()}
    outputs = []
    for t in range(steps):
        scope = {**captured, **carry, **{name: values[t] for name, values in rows.items()}}
        after, output = next_values(body, scope, evaluate)
        carry = dict(zip(body.carry, after, strict=True))
        outputs.append(output)
    return collected(body, start.get(body.output), anp.stack(outputs))
