"""Rewrites a tape into a shorter one that computes the same: one rule a row, dead code dropped.

The rules are exact for every float, NaN, infinities and signed zeros included, with these exceptions: sums are
reordered (floating point fixes no order for a reduction), `sum of equal terms` replaces n additions by one product,
which rounds less, a sum of the single term -0 is -0 where numpy, which starts from +0, says 0, as is the negative of
a sum that is 0, and the sign of a NaN may differ. Factors that are powers of two combine, which differs only where a
value between them leaves the range of normal floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from exmc.compile.primitives import FLOAT, PRIMITIVES
from exmc.compile.tape import Number, Tape, TapeBuilder

Operands = tuple[int, ...]
Static = dict[str, Any]
Apply = Callable[[TapeBuilder, Operands, Static], int | None]


class Rule(NamedTuple):
    """Rewrites an application of one of `primitives`: to the id of an equal value, or None where it does not hold."""

    name: str
    primitives: tuple[str, ...]
    apply: Apply


def simplify(tape: Tape) -> Tape:
    """A shorter tape with the same outputs, the same position and the same data."""
    builder = TapeBuilder(tape.dimension)
    number: dict[int, int] = {0: 0}
    for ident, value in tape.literals.items():
        number[ident] = builder.literal(value)
    for ident, array in tape.constants.items():
        number[ident] = builder.constant(array)
    for equation in tape.equations:
        operands = tuple(number[o] for o in equation.operands)
        number[equation.result] = rewrite(builder, equation.primitive, operands, equation.static)
    return builder.finish(tuple(number[o] for o in tape.outputs))


def rewrite(builder: TapeBuilder, primitive: str, operands: Operands, static: Static) -> int:
    """The value of an application after the first rule that holds; rules build on simplified values by this too."""
    for rule in _BY_PRIMITIVE.get(primitive, ()):
        result = rule.apply(builder, operands, static)
        if result is not None:
            return result
    return builder.apply(primitive, *operands, **static)


# --- what is known of a value ---------------------------------------------------------------------------------------


def _literal(builder: TapeBuilder, value: int) -> Number | None:
    return builder.literals.get(value)


def _is(builder: TapeBuilder, value: int, number: float) -> bool:
    """Whether a value is the literal `number`, sign of zero included, everywhere."""
    literal = _literal(builder, uniform(builder, value))
    return literal is not None and literal == number and math.copysign(1.0, literal) == math.copysign(1.0, number)


def uniform(builder: TapeBuilder, value: int) -> int:
    """The scalar that an array repeats, or the value itself."""
    equation = builder.equations.get(value)
    if equation is not None and equation.primitive == "broadcast" and builder.types[equation.operands[0]].shape == ():
        return equation.operands[0]
    return value


def _made_by(builder: TapeBuilder, value: int, primitive: str) -> Operands | None:
    equation = builder.equations.get(value)
    return equation.operands if equation is not None and equation.primitive == primitive else None


def _same_type(builder: TapeBuilder, value: int, operands: Operands, primitive: str, static: Static) -> bool:
    types = tuple(builder.types[o] for o in operands)
    return builder.types[value] == PRIMITIVES[primitive].infer(types, static)


def _spread(builder: TapeBuilder, value: int, shape: tuple[int, ...]) -> int:
    return rewrite(builder, "broadcast", (value,), {"shape": shape})


# --- the rules ------------------------------------------------------------------------------------------------------


def _fold_literals(primitive: str) -> Apply:
    def apply(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
        values = [_literal(builder, o) for o in operands]
        if static or any(v is None for v in values):
            return None
        with np.errstate(all="ignore"):
            # As float64, not Python numbers, whose division by zero raises.
            result = PRIMITIVES[primitive].evaluate(*(np.asarray(v) for v in values))
        return builder.literal(np.asarray(result).item())

    return apply


def _uniform_operands(primitive: str) -> Apply:
    """An elementwise function of uniform arrays is uniform; beside a full array, a uniform one is its scalar."""

    def apply(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
        scalars = tuple(uniform(builder, o) for o in operands)
        if scalars == operands:
            return None
        shape = PRIMITIVES[primitive].infer(tuple(builder.types[o] for o in operands), static).shape
        if all(builder.types[s].shape == () for s in scalars):
            return _spread(builder, rewrite(builder, primitive, scalars, static), shape)
        kept = PRIMITIVES[primitive].infer(tuple(builder.types[s] for s in scalars), static).shape
        return rewrite(builder, primitive, scalars, static) if kept == shape else None

    return apply


def _neutral(number: float, left: bool, right: bool) -> Callable[[str], Apply]:
    """x with a neutral element on either side is x."""

    def make(primitive: str) -> Apply:
        def apply(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
            a, b = operands
            if right and _is(builder, b, number) and _same_type(builder, a, operands, primitive, static):
                return a
            if left and _is(builder, a, number) and _same_type(builder, b, operands, primitive, static):
                return b
            return None

        return apply

    return make


def _minus_one(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    for one, other in (operands, operands[::-1]):
        floating = builder.types[other].dtype == FLOAT
        if floating and _is(builder, one, -1.0) and _same_type(builder, other, operands, "multiply", static):
            return rewrite(builder, "negative", (other,), {})
    return None


def _power_of_two(builder: TapeBuilder, value: int) -> float | None:
    literal = _literal(builder, uniform(builder, value))
    if not isinstance(literal, float) or literal == 0.0 or not math.isfinite(literal):
        return None
    return literal if abs(math.frexp(literal)[0]) == 0.5 else None


def _powers_of_two(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """c1 * (c2 * x) for powers of two is one product: neither rounds, unless it leaves the range of floats."""
    for one, other in (operands, operands[::-1]):
        outer, inner = _power_of_two(builder, one), _made_by(builder, other, "multiply")
        if outer is None or inner is None or not _same_type(builder, other, operands, "multiply", static):
            continue
        for first, second in (inner, inner[::-1]):
            factor = _power_of_two(builder, first)
            if factor is not None and builder.types[second] == builder.types[other]:
                return rewrite(builder, "multiply", (builder.literal(outer * factor), second), {})
    return None


def _sign_outwards(primitive: str) -> Apply:
    """The sign of a product or quotient's operand is that of the result."""

    def apply(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
        if PRIMITIVES[primitive].infer(tuple(builder.types[o] for o in operands), static).dtype != FLOAT:
            return None
        inner = [_made_by(builder, o, "negative") for o in operands]
        if not any(inner) or not all(
            builder.types[o].dtype == FLOAT for o, i in zip(operands, inner, strict=True) if i
        ):
            return None
        plain = tuple(i[0] if i else o for o, i in zip(operands, inner, strict=True))
        result = rewrite(builder, primitive, plain, static)
        return result if all(inner) else rewrite(builder, "negative", (result,), {})

    return apply


def _sum_of_negatives(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    inner = _made_by(builder, operands[0], "negative")
    if inner is None or builder.types[inner[0]].dtype != FLOAT:
        return None
    return rewrite(builder, "negative", (rewrite(builder, "sum", inner, static),), {})


def _data_to_float(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    array = builder.constants.get(operands[0])
    if array is None:
        return None
    return builder.derived((array, "to_float"), lambda: np.asarray(array, dtype=np.float64))


def _transposed_factors(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """A product of transposed arrays is a product of these arrays."""
    inputs, output = static["spec"].split("->")
    terms = inputs.split(",")
    values = list(operands)
    for number, value in enumerate(operands):
        inner = builder.equations.get(value)
        if inner is not None and inner.primitive == "transpose":
            values[number] = inner.operands[0]
            letters = dict(zip(inner.static["permutation"], terms[number], strict=True))
            terms[number] = "".join(letters[axis] for axis in range(len(letters)))
    if tuple(values) == operands:
        return None
    return rewrite(builder, "contract", tuple(values), {"spec": ",".join(terms) + "->" + output})


def _double_negative(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    inner = _made_by(builder, operands[0], "negative")
    return inner[0] if inner else None


def _add_negative(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    a, b = operands
    if (inner := _made_by(builder, b, "negative")) is not None:
        return rewrite(builder, "subtract", (a, inner[0]), {})
    if (inner := _made_by(builder, a, "negative")) is not None:
        return rewrite(builder, "subtract", (b, inner[0]), {})
    return None


def _subtract_negative(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    inner = _made_by(builder, operands[1], "negative")
    return rewrite(builder, "add", (operands[0], inner[0]), {}) if inner else None


def _same_type_view(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """A conversion to what it is already, or a reshape or broadcast to the shape it has."""
    wanted = static.get("shape", builder.types[operands[0]].shape)
    return operands[0] if builder.types[operands[0]].shape == wanted else None


def _float_to_float(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    return operands[0] if builder.types[operands[0]].dtype == FLOAT else None


def _identity_slice(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    shape = builder.types[operands[0]].shape
    return operands[0] if static["bounds"] == tuple((0, n, 1) for n in shape) else None


def _identity_transpose(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """A permutation that leaves the order of all axes longer than 1 only renames them."""
    shape = builder.types[operands[0]].shape
    long = [axis for axis in static["permutation"] if shape[axis] != 1]
    if long != sorted(long):
        return None
    renamed = tuple(shape[axis] for axis in static["permutation"])
    return rewrite(builder, "reshape", operands, {"shape": renamed})


def _twice(primitive: str) -> Apply:
    """The last of two reshapes, or of two broadcasts, alone."""

    def apply(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
        inner = _made_by(builder, operands[0], primitive)
        return rewrite(builder, primitive, inner, static) if inner else None

    return apply


def _transpose_twice(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    inner = builder.equations.get(operands[0])
    if inner is None or inner.primitive != "transpose":
        return None
    first = inner.static["permutation"]
    return rewrite(
        builder, "transpose", inner.operands, {"permutation": tuple(first[axis] for axis in static["permutation"])}
    )


def _reshape_uniform(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    return None if scalar == operands[0] else _spread(builder, scalar, static["shape"])


def _reshape_scalar(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    return _spread(builder, operands[0], static["shape"]) if builder.types[operands[0]].shape == () else None


def _broadcast_of_single(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """An array of one element broadcasts as the scalar it holds."""
    shape = builder.types[operands[0]].shape
    if shape == () or set(shape) != {1}:
        return None
    return _spread(builder, rewrite(builder, "reshape", operands, {"shape": ()}), static["shape"])


def _slice_uniform(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    shape = tuple(length for _, length, _ in static["bounds"])
    return None if scalar == operands[0] else _spread(builder, scalar, shape)


def _take_uniform(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    return None if scalar == operands[0] else _spread(builder, scalar, builder.types[operands[1]].shape)


def _sum_of_singles(primitive: str) -> Apply:
    """A reduction over axes of length 1 is a reshape; the others remain."""

    def apply(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
        kind = builder.types[operands[0]]
        axes = tuple(a for a in static["axes"] if kind.shape[a] != 1)
        if axes == static["axes"] or kind.dtype != FLOAT:
            return None
        result = tuple(n for a, n in enumerate(kind.shape) if a not in static["axes"])
        if axes:
            reduced = rewrite(builder, primitive, operands, {"axes": axes})
            return rewrite(builder, "reshape", (reduced,), {"shape": result})
        return rewrite(builder, "reshape", operands, {"shape": result})

    return apply


def _empty_axes(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    return operands[0] if static["axes"] == () and builder.types[operands[0]].dtype == FLOAT else None


def _sum_of_equal_terms(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    scalar = uniform(builder, operands[0])
    kind = builder.types[operands[0]]
    count = math.prod(kind.shape[a] for a in static["axes"])
    # No terms have the sum 0, whatever the scalar is.
    if scalar == operands[0] or kind.dtype != FLOAT or count == 0:
        return None
    total = rewrite(builder, "multiply", (builder.literal(float(count)), scalar), {})
    return _spread(builder, total, tuple(n for a, n in enumerate(kind.shape) if a not in static["axes"]))


def _sum_of_sum(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    inner = builder.equations.get(operands[0])
    if inner is None or inner.primitive != "sum" or builder.types[inner.operands[0]].dtype != FLOAT:
        return None
    rank = len(builder.types[inner.operands[0]].shape)
    first = inner.static["axes"]
    left = [axis for axis in range(rank) if axis not in first]
    axes = tuple(sorted((*first, *(left[a] for a in static["axes"]))))
    return rewrite(builder, "sum", inner.operands, {"axes": axes})


def _sum_of_reshaped_sum(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """A sum over everything does not see a reshape."""
    inner = _made_by(builder, operands[0], "reshape")
    if inner is None or len(static["axes"]) != len(builder.types[operands[0]].shape):
        return None
    return rewrite(builder, "sum", inner, {"axes": tuple(range(len(builder.types[inner[0]].shape)))})


def _elementwise_of_reshapes(primitive: str) -> Apply:
    """Arithmetic on arrays reshaped alike is reshaped arithmetic, so that it stays in the loop of its operands."""

    def apply(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
        arrays = [o for o in operands if builder.types[o].shape != ()]
        sources = [_made_by(builder, o, "reshape") for o in arrays]
        if not arrays or static or any(s is None for s in sources):
            return None
        shapes = {builder.types[o].shape for o in arrays}
        origins = {builder.types[s[0]].shape for s in sources if s}
        if len(shapes) != 1 or len(origins) != 1 or origins == {()}:
            return None
        unwrapped = dict(zip(arrays, (s[0] for s in sources if s), strict=True))
        result = rewrite(builder, primitive, tuple(unwrapped.get(o, o) for o in operands), static)
        return rewrite(builder, "reshape", (result,), {"shape": shapes.pop()})

    return apply


def _scatter_everything(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """A scatter of one part to every place in order is that part."""
    whole = (tuple((0, n, 1) for n in static["shape"]),)
    # A part of one element may have lost its axes.
    return rewrite(builder, "reshape", operands, {"shape": static["shape"]}) if static["parts"] == whole else None


def _scatter_twice_to_one_place(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """Parts of the same region are added up first, and then perhaps stored where they would have been added."""
    parts = static["parts"]
    totals: dict[Any, int] = {}
    for number, (part, value) in enumerate(zip(parts, operands, strict=False)):
        key = (number,) if part is None else part
        totals[key] = rewrite(builder, "add", (totals[key], value), {}) if key in totals else value
    if len(totals) == len(parts):
        return None
    kept = tuple(None if len(key) == 1 and isinstance(key[0], int) else key for key in totals)
    values = (*totals.values(), *operands[len(parts) :])
    return rewrite(builder, "scatter", values, {"shape": static["shape"], "parts": kept})


def _scatter_of_scalars(builder: TapeBuilder, operands: Operands, static: Static) -> int | None:
    """A part of one element is a scalar, whatever its shape."""
    values = list(operands)
    for number, part in enumerate(static["parts"]):
        if part is not None and all(n == 1 for _, n, _ in part) and builder.types[values[number]].shape != ():
            values[number] = rewrite(builder, "reshape", (values[number],), {"shape": ()})
    return None if tuple(values) == operands else rewrite(builder, "scatter", tuple(values), static)


_ELEMENTWISE = tuple(
    name for name, p in PRIMITIVES.items() if p.kind == "elementwise" and name not in ("broadcast", "take")
)


def _each(name: str, primitives: tuple[str, ...], make: Callable[[str], Apply]) -> list[Rule]:
    return [Rule(f"{name} ({p})" if len(primitives) > 1 else name, (p,), make(p)) for p in primitives]


RULES: tuple[Rule, ...] = (
    *_each("fold literals", _ELEMENTWISE, _fold_literals),
    *_each("uniform operands", _ELEMENTWISE, _uniform_operands),
    *_each("x * 1 = x", ("multiply",), _neutral(1.0, True, True)),
    *_each("x / 1 = x", ("divide",), _neutral(1.0, False, True)),
    # x + 0 is 0 for x = -0, but x + (-0) and x - 0 are x.
    *_each("x + -0 = x", ("add",), _neutral(-0.0, True, True)),
    *_each("x - 0 = x", ("subtract",), _neutral(0.0, False, True)),
    Rule("x * -1 = -x", ("multiply",), _minus_one),
    Rule("powers of two", ("multiply",), _powers_of_two),
    *_each("sign outwards", ("multiply", "divide"), _sign_outwards),
    Rule("--x = x", ("negative",), _double_negative),
    Rule("x + -y = x - y", ("add",), _add_negative),
    Rule("x - -y = x + y", ("subtract",), _subtract_negative),
    Rule("to the shape it has", ("reshape", "broadcast"), _same_type_view),
    Rule("to the dtype it has", ("to_float",), _float_to_float),
    Rule("data to float", ("to_float",), _data_to_float),
    Rule("product of transposed", ("contract",), _transposed_factors),
    Rule("slice of everything", ("slice",), _identity_slice),
    Rule("transpose that moves nothing", ("transpose",), _identity_transpose),
    *_each("reshape twice", ("reshape",), _twice),
    *_each("broadcast twice", ("broadcast",), _twice),
    Rule("transpose twice", ("transpose",), _transpose_twice),
    Rule("reshape of uniform", ("reshape",), _reshape_uniform),
    Rule("reshape of scalar", ("reshape",), _reshape_scalar),
    Rule("broadcast of one element", ("broadcast",), _broadcast_of_single),
    Rule("slice of uniform", ("slice",), _slice_uniform),
    Rule("take of uniform", ("take",), _take_uniform),
    Rule("reduction over nothing", ("sum", "prod", "max", "min"), _empty_axes),
    *_each("reduction over axes of length 1", ("sum", "prod", "max", "min"), _sum_of_singles),
    Rule("sum of equal terms", ("sum",), _sum_of_equal_terms),
    Rule("sum of negatives", ("sum",), _sum_of_negatives),
    Rule("sum of sum", ("sum",), _sum_of_sum),
    Rule("sum of reshaped", ("sum",), _sum_of_reshaped_sum),
    *_each("elementwise of reshapes", _ELEMENTWISE, _elementwise_of_reshapes),
    Rule("scatter of scalars", ("scatter",), _scatter_of_scalars),
    Rule("scatter twice to one place", ("scatter",), _scatter_twice_to_one_place),
    Rule("scatter to every place", ("scatter",), _scatter_everything),
)
"""In the order in which they are tried."""

_BY_PRIMITIVE: dict[str, list[Rule]] = {
    name: [rule for rule in RULES if name in rule.primitives] for name in PRIMITIVES
}
