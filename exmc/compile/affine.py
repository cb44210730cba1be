"""Steps that are affine in their state as sums of products with it, so that one multiply-add is between two states.

The reverse loop of a scan always is one such: cotangents are pulled back by the transposed derivative of the step. Its
entries do not depend on the cotangents, and so are made for all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from exmc.compile.simplify import Simplifier
from exmc.compile.tape import Equation, Tape

_MOST_FACTORS = 16
"""Products with the state in a step."""


class Form(NamedTuple):
    """constant + the sum of factors times elements of the state; values are ids of scalars, None is 0."""

    constant: int | None
    factors: Mapping[int, int]


def affine_step(tape: Tape, states: Mapping[int, int], outputs: tuple[int, ...]) -> Tape | None:
    """The same step with some of its outputs as affine functions of the state.

    Parameters
    ----------
    tape
        A step of scalars: only slices of one element and outputs have an axis.
    states
        By the value of a slice: which element of the state it is.
    outputs
        Which outputs, by number.

    Returns
    -------
    Tape or None
        None if one of them is not affine, or needs many products.
    """
    maker = _Maker(tape, states)
    forms = [maker.form(tape.outputs[n]) for n in outputs]
    if any(form is None for form in forms) or sum(len(f.factors) for f in forms if f) > _MOST_FACTORS:
        return None
    totals = {n: maker.total(form) for n, form in zip(outputs, forms, strict=True) if form}
    return maker.builder.finish(tuple(totals.get(n, maker.known[o]) for n, o in enumerate(tape.outputs)))


class _Maker:
    def __init__(self, tape: Tape, states: Mapping[int, int]) -> None:
        self.tape = tape
        self.builder = Simplifier(tape.dimension)
        self.known = self.builder.adopt(tape)
        self.elements: dict[int, int] = {}
        self.forms: dict[int, Form | None] = {}
        for e in tape.equations:
            operands = tuple(self.known[o] for o in e.operands)
            self.known[e.result] = self.builder.rewrite(e.primitive, operands, e.static)
            if e.result in states:
                self.elements[states[e.result]] = self._operate("reshape", self.known[e.result], shape=())
                self.forms[e.result] = Form(None, {states[e.result]: self.builder.literal(1.0)})
            elif any(o in self.forms for o in e.operands):
                self.forms[e.result] = self._combined(e)

    def form(self, value: int) -> Form | None:
        """A value as an affine function, or None if it is none."""
        if value in self.forms:
            return self.forms[value]
        return Form(self._scalar(self.known[value]), {})

    def total(self, form: Form) -> int:
        """The value of a form, as a vector of one element."""
        total = form.constant
        for element, factor in form.factors.items():
            product = self._operate("multiply", factor, self.elements[element])
            total = product if total is None else self._operate("add", total, product)
        total = self.builder.literal(0.0) if total is None else total
        return self._operate("reshape", total, shape=(1,))

    def _operate(self, primitive: str, *operands: int, **static: object) -> int:
        return self.builder.rewrite(primitive, operands, static)

    def _scalar(self, value: int) -> int:
        return self._operate("reshape", value, shape=())

    def _combined(self, equation: Equation) -> Form | None:
        forms = [self.form(o) for o in equation.operands]
        linear = [f for f in forms if f is not None]
        if len(linear) < len(forms):
            return None
        match equation.primitive, linear:
            case "reshape" | "broadcast" | "to_float", [form]:
                return form
            case "negative", [form]:
                return self._each(form, lambda v: self._operate("negative", v))
            case "add" | "subtract", [a, b]:
                return self._joined(equation.primitive, a, b)
            case "multiply", [a, b] if not a.factors or not b.factors:
                form, scale = (a, b.constant) if a.factors else (b, a.constant)
                return self._each(form, lambda v: self._operate("multiply", v, self._number(scale)))
            case "divide", [a, b] if not b.factors:
                return self._each(a, lambda v: self._operate("divide", v, self._number(b.constant)))
            case "where" | "select", [condition, a, b] if not condition.factors:
                which = self._number(condition.constant)
                return self._pairs(a, b, lambda v, w: self._operate("where", which, v, w))
        return None

    def _number(self, value: int | None) -> int:
        return self.builder.literal(0.0) if value is None else value

    def _each(self, form: Form, change: Callable[[int], int]) -> Form:
        constant = None if form.constant is None else change(form.constant)
        return Form(constant, {element: change(factor) for element, factor in form.factors.items()})

    def _pairs(self, a: Form, b: Form, combine: Callable[[int, int], int]) -> Form:
        zero = self.builder.literal(0.0)
        constant = (
            None if a.constant is b.constant is None else combine(self._number(a.constant), self._number(b.constant))
        )
        elements = dict.fromkeys((*a.factors, *b.factors))
        return Form(constant, {e: combine(a.factors.get(e, zero), b.factors.get(e, zero)) for e in elements})

    def _joined(self, primitive: str, a: Form, b: Form) -> Form:
        """A sum or difference of forms, without the zeros."""
        if primitive == "subtract":
            b = self._each(b, lambda v: self._operate("negative", v))

        def add(v: int | None, w: int | None) -> int | None:
            return w if v is None else v if w is None else self._operate("add", v, w)

        factors = {}
        for element in dict.fromkeys((*a.factors, *b.factors)):
            total = add(a.factors.get(element), b.factors.get(element))
            assert total is not None
            factors[element] = total
        return Form(add(a.constant, b.constant), factors)
