"""What a scan and a differential equation repeat, as data: named formulas with local names.

A loop is an `Apply` of the operation "scan" or "ode" whose option ``body`` is one of the values below. Its operands are
expressions of the model, in the order of the body's `places`; what the formulas take from the model is among them, so
that passes which change expressions need to know nothing of loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

from exmc.errors import ExpressionError, ModelError
from exmc.ir.expressions import Apply, Expression, Reference, names_in

Formulas: TypeAlias = tuple[tuple[str, Expression], ...]
Collect: TypeAlias = Literal["steps", "all", "last"]
COLLECTS: tuple[Collect, ...] = get_args(Collect)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ScanBody:
    """One step of a scan.

    `step` holds in order the next value of each carry and any further definitions, which the formulas after them may
    use; the name of a carry means its value before the step throughout. `output`, a carry (then its value after the
    step) or a definition, is what a step gives. `collect` says which are kept: those of all `steps`, `all` with the
    carry's value at the start before them, or the `last`. `length` is the number of steps where there is no sequence.
    """

    operation: ClassVar[str] = "scan"
    section: ClassVar[str] = "step"

    carry: tuple[str, ...]
    sequences: tuple[str, ...]
    captured: tuple[str, ...]
    step: Formulas
    output: str
    collect: Collect = "steps"
    length: int | None = None

    @property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """Where a user finds each operand: keys below that of the loop."""
        parts = (("carry", self.carry), ("sequences", self.sequences), ("captured", self.captured))
        return tuple((section, name) for section, names in parts for name in names)

    @property
    def formulas(self) -> Formulas:
        """Name and expression of each formula."""
        return self.step

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names that mean the same in every formula of a step, although there is a formula for them."""
        return self.carry

    @property
    def given(self) -> tuple[str, ...]:
        """Names that a step is given without a formula."""
        return self.sequences


@dataclass(frozen=True, slots=True)
class OdeBody:
    """The right-hand side of a differential equation, and how it is solved.

    `derivative` holds in order the derivative of each state and any further definitions, which the formulas after them
    may use. `time` is the name of the time in them, if they use it. The others are those of `exmc.compile.ode.ode`.
    """

    operation: ClassVar[str] = "ode"
    section: ClassVar[str] = "derivative"

    state: tuple[str, ...]
    captured: tuple[str, ...]
    derivative: Formulas
    time: str | None = None
    method: str = "dormand_prince"
    relative_tolerance: float = 1e-6
    absolute_tolerance: float = 1e-6
    max_steps: int = 10_000

    @property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """Where a user finds each operand: keys below that of the loop."""
        states = tuple(("state", name) for name in self.state)
        return (*states, ("start",), ("times",), *(("captured", name) for name in self.captured))

    @property
    def formulas(self) -> Formulas:
        """Name and expression of each formula."""
        return self.derivative

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names that mean the same in every formula, although there is a formula for them."""
        return self.state

    @property
    def given(self) -> tuple[str, ...]:
        """Names that the formulas are given without a formula."""
        return () if self.time is None else (self.time,)


Body: TypeAlias = ScanBody | OdeBody
BODIES: Mapping[str, type[ScanBody] | type[OdeBody]] = {"scan": ScanBody, "ode": OdeBody}


def loop_body(expression: Expression) -> Body | None:
    """The body of a loop; None for any other expression."""
    if isinstance(expression, Apply) and expression.operation in BODIES:
        body = dict(expression.options).get("body")
        if not isinstance(body, ScanBody | OdeBody) or len(body.places) != len(expression.operands):
            raise ExpressionError(f"a {expression.operation} without a body.", remedy="Build it by Builder.")
        return body
    return None


def with_formulas(body: Body, formulas: Formulas) -> Body:
    """The same loop with other formulas."""
    if isinstance(body, ScanBody):
        return replace(body, step=formulas)
    return replace(body, derivative=formulas)


def with_captured_used(expression: Apply, body: Body) -> Apply:
    """`expression`, a loop, with `body` in the place of its own and without operands that no formula names any more."""
    used = {name for _, formula in body.formulas for name in names_in(formula)}
    kept = [place[0] != "captured" or place[1] in used for place in body.places]
    operands = tuple(o for o, keep in zip(expression.operands, kept, strict=True) if keep)
    captured = tuple(name for name in body.captured if name in used)
    return replace(expression, operands=operands, options=(("body", replace(body, captured=captured)),))


def with_length(expression: Expression, length: int) -> Expression:
    """A scan with another number of steps."""
    body = loop_body(expression)
    assert isinstance(expression, Apply)
    assert isinstance(body, ScanBody)
    return replace(expression, options=(("body", replace(body, length=length)),))


def key_of(expression: Expression) -> str:
    """The key under which a user wrote a deterministic's expression."""
    body = loop_body(expression)
    return "expr" if body is None else body.operation


def parts_of(expression: Apply, body: Body) -> list[tuple[tuple[str, ...], Expression]]:
    """The operands and formulas of a loop, each with its keys; without captured names that stand for themselves."""
    operands = zip(body.places, expression.operands, strict=True)
    plain = [(place, o) for place, o in operands if place[0] != "captured" or o != Reference(place[1])]
    return [*plain, *(((body.section, name), formula) for name, formula in body.formulas)]


def place_in_loop(expression: Expression, name: str) -> tuple[str, ...]:
    """The keys of the part of a loop that refers to `name`; nothing for another expression."""
    body = loop_body(expression)
    if body is None or not isinstance(expression, Apply):
        return ()
    return next((place for place, part in parts_of(expression, body) if name in names_in(part)), ())


def make_scan(
    carry: Mapping[str, Expression],
    sequences: Mapping[str, Expression],
    step: Mapping[str, Expression],
    *,
    output: str | None = None,
    collect: Collect = "steps",
    length: int | None = None,
) -> Apply:
    """A scan of expressions; names of its formulas that are not its own are the model's. Checked by `check`."""
    if output is None:
        if len(carry) != 1:
            remedy = f"Name one of {', '.join(dict.fromkeys((*step, *carry)))}."
            raise ExpressionError("which value of a step is kept is not said.", where=("output",), remedy=remedy)
        output = next(iter(carry))
    captured = _captured(step, (*carry, *sequences))
    body = ScanBody(tuple(carry), tuple(sequences), captured, tuple(step.items()), output, collect, length)
    return _loop(body, (*carry.values(), *sequences.values()))


def make_ode(
    state: Mapping[str, Expression],
    derivative: Mapping[str, Expression],
    times: Expression,
    start: Expression,
    *,
    time: str | None = None,
    **control: Any,
) -> Apply:
    """A differential equation of expressions; `control` are the last fields of `OdeBody`. Checked by `check`."""
    captured = _captured(derivative, (*state, *(() if time is None else (time,))))
    body = OdeBody(tuple(state), captured, tuple(derivative.items()), time, **control)
    return _loop(body, (*state.values(), start, times))


def _captured(formulas: Mapping[str, Expression], own: Sequence[str]) -> tuple[str, ...]:
    used = dict.fromkeys(name for formula in formulas.values() for name in names_in(formula))
    return tuple(name for name in used if name not in own and name not in formulas)


def _loop(body: Body, operands: tuple[Expression, ...]) -> Apply:
    return Apply(body.operation, (*operands, *map(Reference, body.captured)), (("body", body),))


def run_formulas(
    body: Body, scope: Mapping[str, Value], value_of: Callable[[Expression, Mapping[str, Value]], Value]
) -> dict[str, Value]:
    """The value of each formula by name, given those of the names it may use."""
    found: dict[str, Value] = {}
    for name, formula in body.formulas:
        try:
            found[name] = value_of(formula, scope)
        except ModelError as error:
            raise error.within(body.section, name) from None
        if name not in body.fixed:
            scope = {**scope, name: found[name]}
    return found
