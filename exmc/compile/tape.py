"""A recorded program as data: a straight line of primitive applications with static shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exmc.compile.facts import FACTS
from exmc.compile.primitives import BOOLEAN, FLOAT, INTEGER, PRIMITIVES, Array, ArrayType
from exmc.errors import CompileError, TooLargeError

Number = float | int | bool
Parameters = tuple[tuple[str, Any], ...]

MOST_EQUATIONS = 50_000
"""LLVM cannot be interrupted, so that what would keep it busy for more than about a minute is refused before.

It took 6 s for 29 000 equations of one chain of scalars, 12 s for 20 000 of short loops, 316 s for 115 000."""


@dataclass(frozen=True, slots=True)
class Equation:
    """`result = primitive(operands; parameters)`; results and operands are value ids."""

    result: int
    primitive: str
    operands: tuple[int, ...]
    parameters: Parameters = ()

    @property
    def static(self) -> dict[str, Any]:
        """The parameters by name."""
        return dict(self.parameters)

    def evaluate(self, values: Mapping[int, Any]) -> Any:
        """The result by numpy, operands looked up in `values`."""
        operands = [values[o] for o in self.operands]
        return PRIMITIVES[self.primitive].evaluate(*operands, **dict(self.parameters))


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """An array of data in a tape, itself through all passes.

    Code that is made of a tape may depend on the array's type, and on what was asked of it; not on its `values`, which
    are another array's when the code is used again for new data.

    Attributes
    ----------
    answers
        What was asked, and the answer: the facts on which code relies.
    """

    values: Array
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.values.shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.values.size

    def ask(self, question: str) -> str:
        """The answer to a question of `exmc.compile.facts.FACTS`."""
        if question not in self.answers:
            self.answers[question] = FACTS[question](self.values)
        return self.answers[question]


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """A program of one vector, `position`, whose value id is 0.

    Attributes
    ----------
    types
        The type of each value, by id.
    literals
        Scalars that stand in the program's code, by id. Compiled code may specialise on them.
    constants
        Data, by id.
    equations
        In an order in which every operand comes before its use.
    outputs
        The ids of the results.
    prepared
        Equations on data alone, to be evaluated once and not at each position.
    """

    types: tuple[ArrayType, ...]
    literals: Mapping[int, Number]
    constants: Mapping[int, Constant]
    equations: tuple[Equation, ...]
    outputs: tuple[int, ...]
    prepared: frozenset[int] = frozenset()

    @property
    def dimension(self) -> int:
        """The length of the position."""
        return self.types[0].shape[0]

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the outputs."""
        return tuple(self.types[output].shape for output in self.outputs)

    @property
    def values(self) -> dict[int, Array]:
        """The arrays of the constants, by id."""
        return {ident: constant.values for ident, constant in self.constants.items()}

    def check(self) -> None:
        """Raise CompileError unless ids are defined once and before use, and every type follows from its rule."""
        defined = {0, *self.literals, *self.constants}
        for ident, constant in self.constants.items():
            if constant.shape != self.types[ident].shape:
                raise CompileError(f"Constant v{ident} has shape {constant.shape}, not {self.types[ident].shape}.")
        for equation in self.equations:
            if equation.result in defined or not defined.issuperset(equation.operands):
                raise CompileError(f"Equation {self._line(equation)!r} is out of order.")
            operands = tuple(self.types[o] for o in equation.operands)
            expected = PRIMITIVES[equation.primitive].infer(operands, equation.static)
            if expected != self.types[equation.result]:
                raise CompileError(f"Equation {self._line(equation)!r} should have type {expected}.")
            defined.add(equation.result)
        if not defined.issuperset(self.outputs):
            raise CompileError(f"Outputs {self.outputs} are not all defined.")

    def evaluate(self, position: Array) -> tuple[Array, ...]:
        """The outputs at `position`, by numpy, one equation after the other: the oracle of compiled code."""
        return self.evaluator()(position)

    def evaluator(self) -> Callable[[Array], tuple[Array, ...]]:
        """`evaluate` for many positions: what does not depend on them is looked up once."""
        known: dict[int, Any] = {**self.literals, **self.values}
        steps = [(PRIMITIVES[e.primitive].evaluate, e.result, e.operands, e.static) for e in self.equations]

        def evaluate(position: Array) -> tuple[Array, ...]:
            values = {0: position, **known}
            with np.errstate(all="ignore"):
                for function, result, operands, static in steps:
                    arguments = [values[o] for o in operands]
                    values[result] = function(*arguments, **static) if static else function(*arguments)
            return tuple(np.asarray(values[output]) for output in self.outputs)

        return evaluate

    def __str__(self) -> str:
        lines = [f"v0: {self.types[0]} = position"]
        lines += [f"v{ident} = {value!r}" for ident, value in self.literals.items()]
        lines += [f"v{ident}: {self.types[ident]} = constant" for ident in self.constants]
        lines += [self._line(equation) for equation in self.equations]
        return "\n".join([*lines, "return " + " ".join(f"v{output}" for output in self.outputs)])

    def _line(self, equation: Equation) -> str:
        operands = " ".join(f"v{o}" for o in equation.operands)
        static = " ".join(
            f"{name}={value.name if name in ('call', 'loop') else value}"
            for name, value in equation.parameters
            if name != "type"
        )
        kind = self.types[equation.result]
        return f"v{equation.result}: {kind} = {equation.primitive} {operands} {static}".rstrip()


class TapeBuilder:
    """Grows a tape; asked twice for the same application it answers with the same value (hash-consing).

    Raises `TooLargeError` for more than `most` equations, if that is given.
    """

    def __init__(self, dimension: int, most: int | None = None) -> None:
        self.most = most
        self.position = 0
        self.types: list[ArrayType] = [ArrayType((dimension,), FLOAT)]
        self.literals: dict[int, Number] = {}
        self.constants: dict[int, Constant] = {}
        self.equations: dict[int, Equation] = {}
        self.prepared: set[int] = set()
        self._known: dict[Any, int] = {}
        self._alive: list[Any] = []

    def literal(self, value: Number) -> int:
        """The id of a scalar that stands in the code."""
        value = value if isinstance(value, bool | int) else float(value)
        # repr tells -0.0 from 0.0 and one type from another, and holds NaN equal to itself.
        key = ("literal", repr(value))
        if key not in self._known:
            dtype = BOOLEAN if isinstance(value, bool) else INTEGER if isinstance(value, int) else FLOAT
            self._known[key] = self._define(ArrayType((), dtype))
            self.literals[self._known[key]] = value
        return self._known[key]

    def constant(self, array: Array | Constant) -> int:
        """The id of an array of data. The same object has one id; equal contents alone are no reason to share."""
        key = ("constant", id(array))
        if key not in self._known:
            constant = array if isinstance(array, Constant) else Constant(_normal(array))
            self._alive.append(array)
            self._known[key] = self._define(ArrayType(constant.shape, constant.values.dtype.name))
            self.constants[self._known[key]] = constant
        return self._known[key]

    def adopt(self, tape: Tape) -> dict[int, int]:
        """The ids here of what a tape of the same position starts from: the position, its literals, its constants."""
        ids = {0: self.position}
        ids |= {ident: self.literal(value) for ident, value in tape.literals.items()}
        return ids | {ident: self.constant(array) for ident, array in tape.constants.items()}

    def prepare(self, primitive: str, *operands: int, **parameters: Any) -> int:
        """The id of `primitive` applied to data alone, to be evaluated once and not at each position."""
        ident = self.apply(primitive, *operands, **parameters)
        self.prepared.add(ident)
        return ident

    def apply(self, primitive: str, *operands: int, **parameters: Any) -> int:
        """The id of `primitive` applied to values."""
        static = tuple(sorted(parameters.items()))
        # An external call's arguments need not be hashable, and each call is its own value.
        key = (primitive, operands, static) if primitive != "external" else object()
        if key not in self._known:
            types = tuple(self.types[o] for o in operands)
            if self.most is not None and len(self.equations) >= self.most:
                raise TooLargeError(f"The program has more than {self.most} operations.")
            ident = self._define(PRIMITIVES[primitive].infer(types, parameters))
            self.equations[ident] = Equation(ident, primitive, operands, static)
            self._known[key] = ident
        return self._known[key]

    def finish(self, outputs: tuple[int, ...]) -> Tape:
        """The tape of what the outputs need, renumbered."""
        live: set[int] = set(outputs)
        for ident in reversed(self.equations):
            if ident in live:
                live.update(self.equations[ident].operands)
        # Numbers and data first, so that a tape that is rewritten to itself keeps its numbering.
        order = sorted(live - {0}, key=lambda i: (i in self.equations, i in self.constants, i))
        number = {old: new for new, old in enumerate([0, *order])}
        return Tape(
            types=tuple(self.types[old] for old in number),
            literals={number[i]: v for i, v in self.literals.items() if i in number},
            constants={number[i]: c for i, c in self.constants.items() if i in number},
            equations=tuple(
                Equation(number[i], e.primitive, tuple(number[o] for o in e.operands), e.parameters)
                for i, e in self.equations.items()
                if i in live
            ),
            outputs=tuple(number[output] for output in outputs),
            prepared=frozenset(number[i] for i in self.prepared if i in number),
        )

    def _define(self, kind: ArrayType) -> int:
        self.types.append(kind)
        return len(self.types) - 1


def _normal(array: Array) -> Array:
    """An array in one of the three dtypes of tapes, contiguous."""
    dtype = {"b": BOOLEAN, "i": INTEGER, "u": INTEGER, "f": FLOAT}.get(array.dtype.kind)
    if dtype is None:
        raise CompileError(f"A constant of dtype {array.dtype} has no place in a tape.")
    return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)
