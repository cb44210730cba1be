"""Rewrites a tape into a shorter one that computes the same: one rule a row, dead code dropped.

The rules are exact for every float, NaN, infinities and signed zeros included, with these exceptions: sums are
reordered (floating point fixes no order for a reduction), `sum of equal terms` replaces n additions by one product,
which rounds less, a sum of the single term -0 is -0 where numpy, which starts from +0, says 0, as is the negative of
a sum that is 0, and the sign of a NaN may differ. Factors that are powers of two combine and move outwards, and `sum
of multiples` takes a factor out of a sum, rounding once and not once a term; these differ where a value between leaves
the range of normal floats.
"""

from __future__ import annotations

from collections.abc import Callable

from exmc.compile import rules_arithmetic as arithmetic
from exmc.compile import rules_arrays as arrays
from exmc.compile.primitives import PRIMITIVES
from exmc.compile.rule import Apply, Operands, Rewriter, Rule, Static
from exmc.compile.tape import Tape


def simplify(tape: Tape) -> Tape:
    """A shorter tape with the same outputs, the same position and the same data."""
    builder = Simplifier(tape.dimension)
    number = builder.adopt(tape)
    for equation in tape.equations:
        operands = tuple(number[o] for o in equation.operands)
        number[equation.result] = builder.rewrite(equation.primitive, operands, equation.static)
    return builder.finish(tuple(number[o] for o in tape.outputs))


class Simplifier(Rewriter):
    """A builder that applies the rules of the table below."""

    def rewrite(self, primitive: str, operands: Operands, static: Static) -> int:
        """The value of an application after the first rule that holds."""
        for rule in _BY_PRIMITIVE.get(primitive, ()):
            result = rule.apply(self, operands, static)
            if result is not None:
                return result
        return self.apply(primitive, *operands, **static)


_ELEMENTWISE = tuple(
    name for name, p in PRIMITIVES.items() if p.kind == "elementwise" and name not in ("broadcast", "take")
)


def _each(name: str, primitives: tuple[str, ...], make: Callable[[str], Apply]) -> list[Rule]:
    return [Rule(f"{name} ({p})" if len(primitives) > 1 else name, (p,), make(p)) for p in primitives]


RULES: tuple[Rule, ...] = (
    *_each("fold literals", _ELEMENTWISE, arithmetic.fold_literals),
    *_each("uniform operands", _ELEMENTWISE, arithmetic.uniform_operands),
    *_each("x * 1 = x", ("multiply",), arithmetic.neutral(1.0, True, True)),
    *_each("x / 1 = x", ("divide",), arithmetic.neutral(1.0, False, True)),
    # x + 0 is 0 for x = -0, but x + (-0) and x - 0 are x.
    *_each("x + -0 = x", ("add",), arithmetic.neutral(-0.0, True, True)),
    *_each("x - 0 = x", ("subtract",), arithmetic.neutral(0.0, False, True)),
    Rule("x * -1 = -x", ("multiply",), arithmetic.minus_one),
    Rule("powers of two", ("multiply",), arithmetic.powers_of_two),
    Rule("power of two outwards", ("multiply",), arithmetic.power_outwards),
    *_each("sign outwards", ("multiply", "divide"), arithmetic.sign_outwards),
    Rule("--x = x", ("negative",), arithmetic.double_negative),
    Rule("x + -y = x - y", ("add",), arithmetic.add_negative),
    Rule("x - -y = x + y", ("subtract",), arithmetic.subtract_negative),
    Rule("to the shape it has", ("reshape", "broadcast"), arrays.same_type_view),
    Rule("to the dtype it has", ("to_float",), arithmetic.float_to_float),
    Rule("product of transposed", ("contract",), arrays.transposed_factors),
    Rule("slice of everything", ("slice",), arrays.identity_slice),
    Rule("slice twice", ("slice",), arrays.slice_twice),
    Rule("slice of scatter", ("slice",), arrays.slice_of_scatter),
    Rule("transpose that moves nothing", ("transpose",), arrays.identity_transpose),
    *_each("reshape twice", ("reshape",), arrays.twice),
    *_each("broadcast twice", ("broadcast",), arrays.twice),
    Rule("transpose twice", ("transpose",), arrays.transpose_twice),
    Rule("reshape of uniform", ("reshape",), arrays.reshape_uniform),
    Rule("reshape of scalar", ("reshape",), arrays.reshape_scalar),
    Rule("broadcast of one element", ("broadcast",), arrays.broadcast_of_single),
    Rule("slice of uniform", ("slice",), arrays.slice_uniform),
    Rule("take of uniform", ("take",), arrays.take_uniform),
    Rule("reduction over nothing", ("sum", "prod", "max", "min"), arrays.empty_axes),
    *_each("reduction over axes of length 1", ("sum", "prod", "max", "min"), arrays.sum_of_singles),
    Rule("sum of equal terms", ("sum",), arrays.sum_of_equal_terms),
    Rule("sum of negatives", ("sum",), arrays.sum_of_negatives),
    Rule("sum of multiples", ("sum",), arrays.factor_of_sum),
    Rule("sum of sum", ("sum",), arrays.sum_of_sum),
    Rule("sum of reshaped", ("sum",), arrays.sum_of_reshaped_sum),
    *_each("elementwise of reshapes", _ELEMENTWISE, arrays.elementwise_of_reshapes),
    Rule("scatter of scalars", ("scatter",), arrays.scatter_of_scalars),
    Rule("scatter of scatter", ("scatter",), arrays.scatter_of_scatter),
    Rule("scatter twice to one place", ("scatter",), arrays.scatter_twice_to_one_place),
    Rule("scatter to every place", ("scatter",), arrays.scatter_everything),
)
"""In the order in which they are tried."""

_BY_PRIMITIVE: dict[str, list[Rule]] = {
    name: [rule for rule in RULES if name in rule.primitives] for name in PRIMITIVES
}
