"""Canonical text: expressions read back to the same tree, models and drawings as written here."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from exmc.ir.builder import Builder
from exmc.ir.expressions import Constant, Expression, apply, ref
from exmc.ir.parse import parse_expression
from exmc.ir.serial import encode
from exmc.ir.text import expression_text, mermaid, model_text
from tests.ir.trees import EXPRESSIONS


def exactly(expression: Expression) -> str:
    """Equality of expressions does not tell 1 from 1.0 from True, nor 0.0 from -0.0; this does."""
    return json.dumps(encode(expression))


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS)
def test_text_reads_back_to_the_same_tree(expression: Expression) -> None:
    assert exactly(parse_expression(expression_text(expression))) == exactly(expression)


A, B, C = ref("a"), ref("b"), ref("c")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (A - (B - C), "a - (b - c)"),
        ((A - B) - C, "a - b - c"),
        (A + B * C, "a + b * c"),
        ((A + B) * C, "(a + b) * c"),
        (-(A**2), "-a**2"),
        ((-A) ** 2, "(-a)**2"),
        (A**B**C, "a**b**c"),
        ((A**B) ** C, "(a**b)**c"),
        (A**-B, "a**-b"),
        (apply("negative", Constant(1.0)), "negative(1.0)"),
        (apply("negative", Constant(-1.0)), "negative(-1.0)"),
        (Constant(-2) ** A, "(-2)**a"),
        ((A < B) & ~(B < C), "(a < b) & ~(b < c)"),
        (A[ref("i"), 1:, ::2], "a[i, 1:, ::2]"),
        ((A + B)[0], "(a + b)[0]"),
        (apply("sum", A @ B, axis=0), "sum(a @ b, axis=0)"),
        (apply("mean", A, dim="school"), "mean(a, dim='school')"),
    ],
)
def test_expression_golden(expression: Expression, text: str) -> None:
    assert expression_text(expression) == text
    assert exactly(parse_expression(text)) == exactly(expression)


def schools() -> Builder:
    return (
        Builder()
        .coords(school=["Choate", "Deer & <field>"])
        .data("effect", [28.0, 8.0], dims="school", source="schools.csv")
        .rv("mu", "Normal", mu=0, sigma=5)
        .rv("tau", "HalfNormal", sigma=5, transform="softplus")
        .rv("theta", "Normal", mu="mu", sigma="tau", dims="school", centering="centered")
        .rv("w", "Normal", shape=(2,))
        .det("twice", "2 * theta", keep=False)
        .det("both", "where(effect < 9, theta, mu)")
        .rv("y", "Normal", mu="theta", sigma=10.0, observed="effect", weight=2.0, mask="effect > 9")
        .obs("t", "w", [0.5, 0.25])
    )


MODEL_TEXT = """\
school in [Choate, Deer & <field>]
effect[school]: float (2,)  (from schools.csv)
t_observed[?]: float (2,)
mu ~ Normal(mu=0, sigma=5)
tau ~ HalfNormal(sigma=5)  (transform softplus)
theta[school] ~ Normal(mu=mu, sigma=tau)  (centered)
w ~ Normal(mu=0.0, sigma=1.0)  (shape (2,))
twice = 2 * theta  (not kept)
both = where(effect < 9, theta, mu)
y: effect ~ Normal(mu=theta, sigma=10.0)  (weight 2.0, mask effect > 9)
t: t_observed ~ w
"""

MERMAID = """\
flowchart TD
  effect["effect"]:::data
  t_observed["t_observed"]:::data
  mu(["mu ~ Normal(mu=0, sigma=5)"])
  tau(["tau ~ HalfNormal(sigma=5)  (transform softplus)"])
  theta(["theta[school] ~ Normal(mu=mu, sigma=tau)  (centered)"])
  w(["w ~ Normal(mu=0.0, sigma=1.0)  (shape (2,))"]):::observed
  twice{{"twice = 2 * theta  (not kept)"}}
  both{{"both = where(effect #lt; 9, theta, mu)"}}
  y(["y: effect ~ Normal(mu=theta, sigma=10.0)  (weight 2.0, mask effect #gt; 9)"]):::observed
  t(["t: t_observed ~ w"]):::observed
  mu --> theta
  tau --> theta
  theta --> twice
  effect --> both
  theta --> both
  mu --> both
  theta --> y
  effect --> y
  w --> t
  t_observed --> t
  classDef data fill:#eee,stroke:#999
  classDef observed fill:#cde,stroke:#369
"""


def test_model_text_golden() -> None:
    assert model_text(schools().build()) == MODEL_TEXT


def test_mermaid_golden() -> None:
    assert mermaid(schools().build()) == MERMAID


def test_names_that_are_words_of_mermaid() -> None:
    """A node called ``end`` would end the drawing."""
    model = Builder().rv("end", "Normal").rv("style", "Normal", mu="end").build()
    drawn = mermaid(model)
    assert "  node_end --> node_style\n" in drawn
    assert '  node_end(["end ~ Normal(mu=0.0, sigma=1.0)"])\n' in drawn
