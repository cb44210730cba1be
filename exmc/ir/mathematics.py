"""A model in mathematical notation: its expressions, and one statement for each of its nodes."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from exmc.distributions import DISTRIBUTIONS
from exmc.ir.declarations import Declarations
from exmc.ir.expressions import Apply, Constant, Expression, Reference, Slice
from exmc.ir.laws import call_in
from exmc.ir.loops import loop_body
from exmc.ir.nodes import NO_JACOBIAN, Argument, Call, Deterministic, Node, RandomVariable
from exmc.ir.text import expression_text
from exmc.ir.types import Dims
from exmc.ir.typesetting import Math, fenced, identifier, latex, listed, mathml, row, sign

_SIGNS = {
    "logical_or": ("∨", 1), "logical_and": ("∧", 2), "less": ("<", 0), "less_equal": ("≤", 0), "greater": (">", 0),
    "greater_equal": ("≥", 0), "equal": ("=", 0), "not_equal": ("≠", 0), "add": ("+", 3), "subtract": ("−", 3),
    "multiply": ("·", 4), "matmul": ("·", 4), "mod": ("mod", 4),
}  # fmt: skip
"""Binary operations by their signs and binding strengths, those of `exmc.ir.text`."""
_SUMS = {"sum": "∑", "prod": "∏"}
_ATOM = 9
_SHORT = 7
"""Significant digits of a number: the model's text has them all."""


class Statement(NamedTuple):
    """What a model says of one node: ``left relation right``, and a remark in words."""

    left: Math
    relation: str
    right: Math
    remark: str = ""


def statements(model: Declarations) -> list[Statement]:
    """One statement a node, in the model's order."""
    return [_statement(node) for node in model.nodes]


def model_mathml(model: Declarations) -> str:
    """`model` as a table of MathML, a row a node; browsers show it without a library, or a network."""
    lines = []
    for left, relation, right, remark in statements(model):
        said = f"<mtext>&#xA0;&#xA0;({escape(remark)})</mtext>" if remark else ""
        lines.append(
            f'<mtr><mtd style="text-align: right">{mathml(left)}</mtd><mtd>{mathml(sign(relation))}</mtd>'
            f'<mtd style="text-align: left">{mathml(right)}{said}</mtd></mtr>'
        )
    return f'<math display="block"><mtable displaystyle="true">{"".join(lines)}</mtable></math>'


def model_latex(model: Declarations) -> str:
    """`model` as an ``aligned`` environment of LaTeX, a line a node."""
    lines = []
    for left, relation, right, remark in statements(model):
        said = rf" \quad \text{{({_latex_text(remark)})}}" if remark else ""
        lines.append(f"{latex(left)} &{latex(sign(relation))} {latex(right)}{said}")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}\n"


def expression_math(expression: Expression) -> Math:
    """`expression` in mathematical notation; what has none, such as a loop, as code."""
    return _math(expression)[0]


def _statement(node: Node) -> Statement:
    if isinstance(node, Deterministic):
        if node.potential:
            return Statement(
                row(Math("name", "log"), Math("symbol", "p")), "+=", expression_math(node.expression), node.name
            )
        return Statement(
            _left(node.name, node.dims), "=", expression_math(node.expression), "" if node.keep else "not kept"
        )
    if isinstance(node, RandomVariable):
        return Statement(_left(node.name, node.dims), "~", call_math(node.call))
    remarks = ["observed" if node.value == Reference(node.name) else f"observed: {_brief(node.value)}"]
    remarks += [f"weight {_brief(node.weight)}"] if node.weight is not None else []
    remarks += [f"where {_brief(node.mask)}"] if node.mask is not None else []
    remarks += [f"log Jacobian {_brief(node.log_jacobian)}"] if node.log_jacobian != NO_JACOBIAN else []
    right = call_math(node.target) if isinstance(node.target, Call) else identifier(node.target.name)
    return Statement(_left(node.name, node.dims), "~", right, ", ".join(remarks))


def call_math(call: Call) -> Math:
    """A distribution with its parameters, by name where these are not the first ones in order."""
    names = [name for name, _ in call.parameters]
    known = [parameter.name for parameter in DISTRIBUTIONS[call.distribution].parameters]
    plain = names == known[: len(names)]
    parts = []
    for name, argument in call.parameters:
        value = _argument(argument)
        parts.append(value if plain else row(Math("name", name), sign("="), value))
    return row(Math("name", call.distribution), fenced(listed(parts)))


def _argument(argument: Argument) -> Math:
    if isinstance(argument, Call):
        return call_math(argument)
    if isinstance(argument, tuple):
        return fenced(listed([call_math(call) for call in argument]), "[]")
    return Math("code", argument) if isinstance(argument, str) else expression_math(argument)


def _left(name: str, dims: Dims | None) -> Math:
    return identifier(name, *(Math("name", dim or "·") for dim in dims or ()))


def _math(expression: Expression) -> tuple[Math, int]:
    """Notation and binding strength."""
    if isinstance(expression, Constant):
        return _number(expression.value), 5 if str(expression.value).startswith("-") else _ATOM
    if isinstance(expression, Reference):
        return identifier(expression.name), _ATOM
    if isinstance(expression, Slice):
        return Math("code", expression_text(expression)), _ATOM
    assert isinstance(expression, Apply)
    if loop_body(expression) is not None:
        return Math("code", expression_text(expression)), _ATOM
    if expression.operation == "log_density":
        about = row(_math(expression.operands[0])[0], sign("|"), call_math(call_in(expression)))
        return row(Math("name", "log"), Math("symbol", "p"), fenced(about)), _ATOM
    return _operation(expression)


def _operation(expression: Apply) -> tuple[Math, int]:
    name, operands = expression.operation, expression.operands
    if name in _SIGNS and len(operands) == 2:
        text, strength = _SIGNS[name]
        right = _wrapped(operands[1], strength + 1)
        return row(_wrapped(operands[0], max(strength, 1)), sign(text), right), strength
    if name == "negative":
        return row(sign("−"), _wrapped(operands[0], 5)), 5
    if name == "logical_not":
        return row(sign("¬"), _wrapped(operands[0], 5)), 5
    if name == "divide":
        return Math("fraction", parts=(_math(operands[0])[0], _math(operands[1])[0])), 8
    if name == "floor_divide":
        inner = Math("fraction", parts=(_math(operands[0])[0], _math(operands[1])[0]))
        return fenced(inner, "⌊⌋"), _ATOM
    if name in ("power", "square"):
        power = Math("number", "2") if name == "square" else _math(operands[1])[0]
        return Math("superscript", parts=(_wrapped(operands[0], _ATOM), power)), 8
    if name == "sqrt":
        return Math("root", parts=(_math(operands[0])[0],)), _ATOM
    if name == "abs":
        return fenced(_math(operands[0])[0], "||"), _ATOM
    if name == "index":
        keys = listed([expression_math(key) for key in operands[1:]])
        return Math("subscript", parts=(_wrapped(operands[0], _ATOM), keys)), _ATOM
    if name in _SUMS and len(operands) == 1:
        options = dict(expression.options)
        over = [Math("name", str(options[key])) for key in ("dim", "axis") if options.get(key) is not None]
        total = Math("subscript", parts=(sign(_SUMS[name]), over[0])) if over else sign(_SUMS[name])
        return row(total, _wrapped(operands[0], 4)), 4
    parts = [expression_math(operand) for operand in operands]
    parts += [row(Math("name", key), sign("="), Math("code", str(value))) for key, value in expression.options]
    return row(Math("name", name), fenced(listed(parts))), _ATOM


def _wrapped(expression: Expression, loosest: int) -> Math:
    math, strength = _math(expression)
    return math if strength >= loosest else fenced(math)


def _number(value: bool | int | float) -> Math:
    if isinstance(value, bool):
        return Math("name", str(value).lower())
    text = str(value) if isinstance(value, int) else f"{value:.{_SHORT}g}"
    mantissa, _, exponent = text.partition("e")
    shown = Math("number", mantissa.replace("-", "−"))
    if not exponent:
        return shown
    ten = Math("superscript", parts=(Math("number", "10"), Math("number", str(int(exponent)).replace("-", "−"))))
    return row(shown, sign("·"), ten)


def _brief(expression: Expression, longest: int = 60) -> str:
    text = expression_text(expression)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _latex_text(text: str) -> str:
    inner = latex(Math("code", text))
    return inner.removeprefix(r"\texttt{").removesuffix("}")
