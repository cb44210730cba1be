"""The loop of a scan as two primitives on vectors, forward and reverse, around the tapes of one step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp_argnums, primitive

from exmc.compile.tape import Tape

Array = Any
"""A number, a numpy array or an autograd box around one."""

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Several arrays as one vector; `single` says that their user sees one array and not a tuple."""

    shapes: Shapes
    single: bool

    @property
    def size(self) -> int:
        """The length of the vector."""
        return sum(math.prod(shape) for shape in self.shapes)

    def pack(self, value: Array) -> Array:
        """The vector of an array or tuple."""
        parts = [anp.reshape(v, (-1,)) for v in ((value,) if self.single else value)]
        return anp.concatenate(parts) if len(parts) != 1 else parts[0]

    def unpack(self, vector: Array, lead: tuple[int, ...] = ()) -> Array:
        """The array or tuple of a vector, or of vectors along leading axes."""
        parts, start = [], 0
        for shape in self.shapes:
            stop = start + math.prod(shape)
            parts.append(anp.reshape(vector[..., start:stop], (*lead, *shape)))
            start = stop
        return parts[0] if self.single else tuple(parts)


def packing_of(value: Array, drop: int = 0) -> Packing:
    """How a value is packed, without its `drop` leading axes."""
    single = not isinstance(value, tuple | list)
    return Packing(tuple(anp.shape(v)[drop:] for v in ((value,) if single else value)), single)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One step as a function of vectors: state, parameters and input to the next state and output.

    `record` makes its tapes: of the step, a function of (state, parameters, input); and of its vector-Jacobian product
    with respect to state and parameters, or to inputs too, a function of these and the cotangent of the result. While
    the surroundings are recorded, when shapes count and values do not, the loop is `sketched`: one step for all.
    """

    step: Callable[..., Any]
    carry: Packing
    inputs: Packing
    parameters: Packing
    outputs: Packing
    record: Callable[[Body, str], Tape]
    sketched: bool = False
    tapes: dict[str, Tape] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """The length of a row of results: the next state and the output."""
        return self.carry.size + self.outputs.size

    def tape(self, name: str) -> Tape:
        """The tape "forward", "reverse" or "reverse all", recorded when first asked for."""
        if name not in self.tapes:
            self.tapes[name] = self.record(self, name)
        return self.tapes[name]

    def apply(self, arguments: Array) -> Array:
        """The next state and the output, in one vector, from state, parameters and input in one."""
        first, second = self.carry.size, self.carry.size + self.parameters.size
        carry, parameters, inputs = arguments[:first], arguments[first:second], arguments[second:]
        parts = [self.carry.unpack(carry)]
        parts += [self.inputs.unpack(inputs)] if self.inputs.shapes else [None]
        extra = self.parameters.unpack(parameters)
        after, output = self.step(*parts, *extra)
        pieces = [self.carry.pack(after)] + ([self.outputs.pack(output)] if self.outputs.shapes else [])
        return anp.concatenate([floating(p) for p in pieces]) if len(pieces) > 1 else floating(pieces[0])


def floating(vector: Array) -> Array:
    """A vector of floats, recorded as one operation if it is none."""
    return vector * 1.0 if getattr(vector, "dtype", None) != np.float64 else vector


def forward_rows(start: Array, parameters: Array, inputs: Array, body: Body) -> Array:
    """The rows of states and outputs, shape (steps, width), of a body."""
    rows, evaluate = np.empty((len(inputs), body.width)), body.tape("forward").evaluator()
    carry = start
    for row, given in zip(rows, inputs, strict=True):
        (row[:],) = evaluate(np.concatenate([carry, parameters, given]))
        carry = row[: len(start)]
    return rows


def reverse_rows(
    start: Array, parameters: Array, inputs: Array, rows: Array, cotangents: Array, body: Body, name: str
) -> Array:
    """The cotangents of start, parameters and perhaps inputs, one after the other, from those of the rows."""
    tape, size, shared = body.tape(name), body.carry.size, body.parameters.size
    carried, total = np.zeros(size), np.zeros(shared)
    by_input = np.zeros((len(inputs), tape.output_shapes[0][0] - size - shared))
    evaluate = tape.evaluator()
    for t in range(len(inputs) - 1, -1, -1):
        before = rows[t - 1, :size] if t else start
        pulled = cotangents[t].copy()
        pulled[:size] += carried
        (found,) = evaluate(np.concatenate([before, parameters, inputs[t], pulled]))
        carried, total = found[:size], total + found[size : size + shared]
        by_input[t] = found[size + shared :]
    return np.concatenate([carried, total, by_input.reshape(-1)])


@primitive  # type: ignore[untyped-decorator]
def scan_rows(start: Array, parameters: Array, inputs: Array, body: Body) -> Array:
    """`forward_rows` as a function that autograd differentiates."""
    if body.sketched:
        return np.repeat(forward_rows(start, parameters, inputs[:1], body), len(inputs), axis=0)
    return forward_rows(start, parameters, inputs, body)


@primitive  # type: ignore[untyped-decorator]
def scan_reverse(
    start: Array, parameters: Array, inputs: Array, rows: Array, cotangents: Array, body: Body, name: str
) -> Array:
    """`reverse_rows` as a function that autograd records."""
    if body.sketched:
        size = body.carry.size + body.parameters.size + (inputs.size if name == "reverse all" else 0)
        body.tape(name)
        return np.zeros(size)
    return reverse_rows(start, parameters, inputs, rows, cotangents, body, name)


def _vjp(argnums: tuple[int, ...], rows: Array, args: tuple[Any, ...], _kwargs: Any) -> Any:
    start, parameters, inputs, body = args
    size, shared = body.carry.size, body.parameters.size
    shape = anp.shape(inputs)

    def cotangents(g: Array) -> list[Array]:
        name = "reverse all" if 2 in argnums else "reverse"
        found = scan_reverse(start, parameters, inputs, rows, g, body, name)
        parts = {0: found[:size], 1: found[size : size + shared]}
        if 2 in argnums:
            parts[2] = anp.reshape(found[size + shared :], shape)
        return [parts[n] for n in argnums]

    return cotangents


defvjp_argnums(scan_rows, _vjp)
