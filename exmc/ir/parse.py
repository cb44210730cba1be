"""Reading an expression from a string, through a whitelist over Python's syntax tree (never `eval`)."""

from __future__ import annotations

import ast
import keyword
import re
from typing import Any

from exmc.errors import ExpressionError, suggest
from exmc.ir.expressions import Apply, Constant, Expression, Reference, apply, indexed, make_slice
from exmc.ir.operations import FUNCTIONS, check_call

_WORD = re.compile(r"[A-Za-z_]\w*")
# What other languages call these: Stan, R, scipy.
ELSEWHERE = {
    **dict.fromkeys(("inv_logit", "expit", "logistic"), "sigmoid"),
    **dict.fromkeys(("log_inv_logit", "log_expit"), "log_sigmoid"),
    **dict.fromkeys(("lgamma", "loggamma"), "gammaln"),
    **dict.fromkeys(("Phi", "pnorm"), "ndtr"),
    **dict.fromkeys(("append_row", "append_col", "append_array", "hstack", "vstack"), "concatenate"),
    **dict.fromkeys(("rep_vector", "rep_matrix", "rep_array", "full", "rep"), "ones"),
    **dict.fromkeys(("std", "var", "variance"), "sd"),
    **dict.fromkeys(("fmin", "fmax"), "minimum"),
    **dict.fromkeys(("dot_product", "dot_self", "columns_dot_product"), "dot"),
    **dict.fromkeys(("to_vector", "to_matrix", "to_array_1d"), "reshape"),
    **dict.fromkeys(("range", "linspaced_int_array", "seq"), "arange"),
    "log_sum_exp": "logsumexp",
    "log1p_exp": "softplus",
    "cumulative_sum": "cumsum",
    "fabs": "abs",
    "pow": "power",
    "inv": "1 / x",
    "log1m": "log1p(-x)",
    "lbeta": "betaln",
    "if_else": "where",
    "diag_matrix": "diag",
    "identity_matrix": "eye",
    "diag_pre_multiply": "d[:, None] * matrix",
    "quad_form_diag": "outer(d, d) * matrix",
    "kronecker_prod": "kron",
    "tcrossprod": "x @ x.T",
    "crossprod": "x.T @ x",
    "any": "sum(x) > 0",
    "all": "min(x)",
    "size": "len",
    "num_elements": "len",
    "log_mix": "logaddexp",
}
LONGEST = 1_000_000
# As deep as `exmc.ir.check` allows, so that every formula can be written as text.
DEEPEST = 200

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.MatMult: "matmul",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "mod",
    ast.BitAnd: "logical_and",
    ast.BitOr: "logical_or",
}
_COMPARISON: dict[type[ast.cmpop], str] = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
_REMEDY = "Allowed are numbers, names, + - * / ** @ // %, comparisons, & | ~, indexing and the listed functions."


def parse_expression(text: str) -> Expression:
    """The expression written in `text`, such as ``"a[county] + b * floor"``.

    Raises `ExpressionError` for anything outside the whitelist; nothing is ever evaluated.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters is too long (limit {LONGEST}).")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or "it is nested too deeply"
        words = [word for word in _WORD.findall(text) if keyword.iskeyword(word)]
        remedy = f"{words[0]!r} is a word of Python: name it {words[0]}_, for instance." if words else ""
        raise ExpressionError(f"cannot read {_shortened(text)}: {reason}.", remedy=remedy) from None
    return _convert(tree, text, 0)


def _shortened(text: str) -> str:
    return f"the expression {text!r}" if len(text) <= 200 else f"the expression {text[:60]!r}…"


def _convert(node: ast.AST, text: str, depth: int) -> Expression:
    if depth > DEEPEST:
        raise ExpressionError(f"an expression nested deeper than {DEEPEST} levels.", remedy="Split it.")

    def below(child: ast.AST) -> Expression:
        return _convert(child, text, depth + 1)

    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return Constant(_finite(value, text))
        case ast.Name(id=name):
            return Reference(_public(name, text))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if not (
            isinstance(value, bool)
        ):
            return Constant(-_finite(value, text))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return apply("negative", below(operand))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return below(operand)
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            return apply("logical_not", below(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return apply(_BINARY[type(op)], below(left), below(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISON:
            return apply(_COMPARISON[type(op)], below(left), below(right))
        case ast.Subscript(value=value, slice=key):
            keys = key.elts if isinstance(key, ast.Tuple) else [key]
            if not keys:
                raise ExpressionError(f"an index is missing between [ and ], in {text!r}.")
            return indexed(below(value), [_index(k, text, depth + 1) for k in keys])
        case ast.Attribute(value=value, attr="T"):
            return apply("transpose", below(value))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
            return _call(name, [below(a) for a in arguments], keywords, text)
    piece = ast.get_source_segment(text.strip(), node) if hasattr(node, "lineno") else None
    raise ExpressionError(f"{piece or type(node).__name__!r} is not allowed in an expression.", remedy=_REMEDY)


def _index(node: ast.AST, text: str, depth: int) -> Expression | None:
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if not isinstance(node, ast.Slice):
        return _convert(node, text, depth)
    bounds = (None if b is None else _convert(b, text, depth) for b in (node.lower, node.upper, node.step))
    try:
        return make_slice(*bounds)
    except ExpressionError as error:
        raise ExpressionError(f"{error.message.rstrip('.')}, in {text!r}.") from None


def _call(name: str, operands: list[Expression], keywords: list[ast.keyword], text: str) -> Expression:
    if name not in FUNCTIONS or name == "index":
        known = ELSEWHERE.get(name)
        remedy = suggest(name, FUNCTIONS) if known is None else f"Use {known}."
        raise ExpressionError(f"there is no function {name!r}, in {text!r}.", remedy=remedy)
    options: dict[str, Any] = {}
    for given in keywords:
        if given.arg is None:
            raise ExpressionError(f"** is not allowed, in {text!r}.")
        options[given.arg] = _option(given.value, given.arg, text)
    made = apply(name, *operands, **options)
    assert isinstance(made, Apply)
    try:
        check_call(made)
    except ExpressionError as error:
        raise ExpressionError(f"{error.message.rstrip('.')}, in {text!r}.", remedy=error.remedy) from None
    return made


def _option(node: ast.expr, name: str, text: str) -> int | str | list[int]:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if name == "m" and isinstance(value, list | tuple) and value and all(type(v) is int for v in value):
        return list(value)
    wanted: type = str if name == "dim" else int
    if type(value) is not wanted:
        kind = "a quoted name" if wanted is str else "a whole number"
        raise ExpressionError(f"the option {name!r} must be {kind}, in {text!r}.")
    assert isinstance(value, int | str)
    return value


def _public(name: str, text: str) -> str:
    if name.startswith("__"):
        raise ExpressionError(f"the name {name!r} is not allowed, in {text!r}.")
    return name


def _finite(value: bool | int | float, text: str) -> bool | int | float:
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ExpressionError(f"a whole number is beyond 64 bits, in {text!r}.", remedy="Write it with a point.")
    if value != value or value in (float("inf"), float("-inf")):
        raise ExpressionError(f"a number in {text!r} is too large for a double.")
    return value
