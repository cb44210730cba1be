"""The whitelist: what is read, and everything else refused without being evaluated."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exmc.errors import ExpressionError
from exmc.ir.expressions import Constant, apply, ref
from exmc.ir.operations import FUNCTIONS, evaluate, infer_type
from exmc.ir.parse import DEEPEST, ELSEWHERE, LONGEST, parse_expression
from exmc.ir.serial import encode
from exmc.ir.text import expression_text
from exmc.ir.types import ArrayType


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("a[county] + b * floor", ref("a")[ref("county")] + ref("b") * ref("floor")),
        (" 1e3 ", Constant(1e3)),
        ("-2", Constant(-2)),
        ("-0.0", Constant(-0.0)),
        ("- x", -ref("x")),
        ("+x", ref("x")),
        ("True", Constant(True)),
        ("-True", apply("negative", Constant(True))),
        ("x @ y", ref("x") @ ref("y")),
        ("(x < 1) & ~(y >= 2)", (ref("x") < 1) & ~(ref("y") >= 2)),
        ("x == y", apply("equal", ref("x"), ref("y"))),
        ("x != 1", apply("not_equal", ref("x"), 1)),
        ("x[-1, 1:, ::2]", ref("x")[-1, 1:, ::2]),
        ("sum(x, axis=-1)", apply("sum", ref("x"), axis=-1)),
        ("mean(x, dim='school')", apply("mean", ref("x"), dim="school")),
        ("where(x > 0, x, 0)", apply("where", ref("x") > 0, ref("x"), 0)),
        ("exp", ref("exp")),
    ],
)
def test_what_is_read(text: str, expression: object) -> None:
    assert json.dumps(encode(parse_expression(text))) == json.dumps(encode(expression))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x +",
        "x; y",
        "x = 1",
        "__import__('os')",
        "__class__",
        "x.__class__",
        "x.shape",
        "(lambda: 1)()",
        "[1, 2]",
        "(1, 2)",
        "{1: 2}",
        "[i for i in x]",
        "x if y else z",
        "x and y",
        "not x",
        "x < y < z",
        "x is y",
        "x in y",
        "x << 2",
        "x ^ y",
        "'text'",
        "b'bytes'",
        "f'{x}'",
        "None",
        "...",
        "1j",
        "x := 1",
        "*x",
        "x[()]",
        "x[*y]",
        "x[1.5:]",
        "x[::0]",
        "x[True:]",
        "eval(x)",
        "exp()",
        "exp(x, y)",
        "exp(x, axis=0)",
        "exp(*x)",
        "exp(**x)",
        "exp(x)(y)",
        "sum(x, axis='a')",
        "sum(x, dim=1)",
        "sum(x, axis=y)",
        "sum(x, axis=0, dim='a')",
        "sum(x, axis=True)",
        "index(x, 0)",
        "1e999",
        "9223372036854775808",
        "0x" + "f" * 9000,
        "9" * 5000,
        "x\0",
        "await x",
        "(yield)",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(text)


def test_refusals_name_the_nearest_function() -> None:
    with pytest.raises(ExpressionError, match="Did you mean 'sigmoid'"):
        parse_expression("sigmoyd(x)")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("inv_logit(x)", "Use sigmoid"),
        ("log_sum_exp(x)", "Use logsumexp"),
        ("append_row(x, y)", "Use concatenate"),
        ("rep_vector(0, 3)", "Use ones"),
    ],
)
def test_refusals_know_the_names_of_other_languages(text: str, remedy: str) -> None:
    with pytest.raises(ExpressionError, match=remedy):
        parse_expression(text)


def test_what_other_languages_call_otherwise_has_another_name_here() -> None:
    assert not ELSEWHERE.keys() & FUNCTIONS.keys()
    for instead in ELSEWHERE.values():
        assert instead in FUNCTIONS or parse_expression(instead) is not None


def test_words_of_python_cannot_be_names() -> None:
    with pytest.raises(ExpressionError, match="'lambda' is a word of Python: name it lambda_"):
        parse_expression("logit(lambda)")


def test_transposition_as_in_numpy() -> None:
    assert parse_expression("x.T @ y") == parse_expression("transpose(x) @ y")


def test_length_and_depth_are_limited() -> None:
    with pytest.raises(ExpressionError, match="too long"):
        parse_expression("x" * (LONGEST + 1))
    for text in ("-" * (DEEPEST + 2) + "x", "(" * 3000 + "x" + ")" * 3000, "exp(" * 300 + "x" + ")" * 300):
        with pytest.raises(ExpressionError):
            parse_expression(text)
    assert parse_expression("+".join(["x"] * DEEPEST)) is not None


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="xy01.+-*/@&|~<>=!()[],:'axis sumexp_\\\n#", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("x[:, None]", (3, 1)),
        ("x[None]", (1, 3)),
        ("x[None, :]", (1, 3)),
        ("A[0, None]", (1, 4)),
        ("A[:, None, 1:]", (3, 1, 3)),
        ("A[None, :, None, -1]", (1, 3, 1)),
        ("x[:, None] - x[None, :]", (3, 3)),
    ],
)
def test_none_in_an_index_is_a_new_axis(text: str, shape: tuple[int, ...]) -> None:
    values = {"x": np.arange(3.0), "A": np.arange(12.0).reshape(3, 4)}
    expression = parse_expression(text)
    found = evaluate(expression, values)
    np.testing.assert_array_equal(found, eval(text, {}, values))
    types = {name: ArrayType(array.shape, (None,) * array.ndim, "float") for name, array in values.items()}
    assert infer_type(expression, types).shape == shape == found.shape
    assert parse_expression(expression_text(expression)) == expression


def test_a_new_axis_beside_data_is_refused() -> None:
    with pytest.raises(ExpressionError, match="a new axis cannot stand beside an index that is data"):
        parse_expression("x[i, None]")
    assert ref("x")[:, None] == parse_expression("x[:, None]")
