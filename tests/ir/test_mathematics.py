from __future__ import annotations

import glob
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from exmc import Builder, Normal
from exmc.ir.mathematics import expression_math, model_latex, model_mathml, statements
from exmc.ir.parse import parse_expression
from exmc.ir.typesetting import latex
from pipelines.exchange import load_model

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(glob.glob("configs/**/*.yaml", root_dir=ROOT, recursive=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * c", r"a + b \cdot c"),
        ("(a + b) * c", r"\left( a + b \right) \cdot c"),
        ("a - (b - c)", r"a - \left( b - c \right)"),
        ("a / (b + 1)", r"\frac{a}{b + 1}"),
        ("(a / b) ** 2", r"{\left( \frac{a}{b} \right)}^{2}"),
        ("-a ** 2", "- {a}^{2}"),
        ("(-a) ** 2", r"{\left( - a \right)}^{2}"),
        ("sqrt(a)", r"\sqrt{a}"),
        ("abs(a - b)", r"\left| a - b \right|"),
        ("a // b", r"\left\lfloor \frac{a}{b} \right\rfloor"),
        ("a[b]", "{a}_{b}"),
        ("a[1, :]", r"{a}_{1 , \texttt{:}}"),
        ("sum(a + b)", r"\sum \left( a + b \right)"),
        ("sum(a, axis=0)", r"{\sum}_{\mathrm{0}} a"),
        ("exp(a)", r"\mathrm{exp} \left( a \right)"),
        ("1.5e-7 * a", r"1.5 \cdot {10}^{-7} \cdot a"),
        ("(a < b) & (b <= c)", r"\left( a < b \right) \land \left( b \le c \right)"),
        ("~(a == b)", r"\lnot \left( a = b \right)"),
    ],
)
def test_expressions_keep_their_meaning(text: str, expected: str) -> None:
    assert latex(expression_math(parse_expression(text))).replace("−", "-") == expected


def test_a_model_is_a_statement_a_node() -> None:
    model = (
        Builder()
        .coords(school=["A", "B"])
        .data("effect", [1.0, 2.0], dims=["school"])
        .rv("mu", Normal, mu=0, sigma=5)
        .rv("theta", Normal, mu="mu", sigma=1, dims=["school"])
        .det("spread", "max(theta) - min(theta)")
        .rv("y", Normal, mu="theta", sigma=1)
        .obs("seen", "y", "effect")
        .build()
    )
    said = [(latex(s.left), s.relation, latex(s.right), s.remark) for s in statements(model)]
    assert said[0] == (r"\mu", "~", r"\mathrm{Normal} \left( 0 , 5 \right)", "")
    assert said[1][0] == r"{\theta}_{\mathrm{school}}"
    assert said[2][1] == "="
    assert said[-1] == (r"\mathrm{seen}", "~", "y", "observed: effect")


@pytest.mark.parametrize("config", CONFIGS)
def test_every_config_can_be_written(config: str) -> None:
    model = load_model(ROOT / config)
    element = ElementTree.fromstring(model_mathml(model).replace("&#xA0;", " "))
    assert len(element.findall(".//mtable/mtr")) == len(model.nodes)
    text = model_latex(model)
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert len(re.findall(r"\\left", text)) == len(re.findall(r"\\right", text))
