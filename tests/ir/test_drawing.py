from __future__ import annotations

import re
from xml.etree import ElementTree

from exmc import Builder, Normal
from exmc.ir.drawing import MOST, dot, draw_model, svg
from exmc.ir.model import Model

SPACE = "{http://www.w3.org/2000/svg}"


def model() -> Model:
    return (
        Builder()
        .coords(school=["A", "B"])
        .data("effect", [1.0, 2.0], dims=["school"])
        .data("unused", [1.0])
        .rv("mu", Normal, mu=0, sigma=5)
        .rv("theta", Normal, mu="mu", sigma=1, dims=["school"])
        .det("twice", "2 * theta")
        .rv("y", Normal, mu="twice", sigma=1)
        .obs("seen", "y", "effect")
        .build()
    )


def test_every_node_is_a_box_with_its_role() -> None:
    boxes = draw_model(model()).boxes
    assert {name: box.role for name, box in boxes.items()} == {
        "effect": "data",
        "mu": "free",
        "theta": "free",
        "twice": "deterministic",
        "y": "observed",
        "seen": "observed",
    }
    assert boxes["theta"].heading == "theta[school]"
    assert boxes["twice"].detail == "= 2 * theta"


def test_arrows_are_what_nodes_depend_on() -> None:
    arrows = set(draw_model(model()).layout.paths)
    assert arrows == {("mu", "theta"), ("theta", "twice"), ("twice", "y"), ("y", "seen"), ("effect", "seen")}


def test_it_is_an_svg_that_escapes_what_it_shows() -> None:
    drawn = Builder().rv("x", Normal, mu=0, sigma=1).det("y", "where(x < 1, 1, x)").build()
    element = ElementTree.fromstring(svg(draw_model(drawn), "<script>"))
    assert "= where(x < 1, 1, x)" in [text.text for text in element.iter(f"{SPACE}text")]
    assert "<script>" not in svg(draw_model(drawn), "<script>")


def test_dot_names_every_node_and_arrow() -> None:
    text = dot(model())
    assert text.count("->") == 5
    assert len(re.findall(r"^  \"\w+\" \[label=", text, re.MULTILINE)) == 6
    assert text.count("{") == text.count("}")


def test_a_long_formula_is_cut() -> None:
    long = Builder().rv("x", Normal, mu=0, sigma=1).det("y", "+".join(["x"] * 50)).build()
    assert draw_model(long).boxes["y"].detail.endswith("…")


def test_a_thicket_is_not_drawn() -> None:
    builder = Builder()
    for i in range(MOST + 1):
        builder = builder.rv(f"x{i}", Normal, mu=0, sigma=1)
    page = builder.build()._repr_html_()
    assert "too many to draw" in page
    assert "<math" in page


def test_a_model_shows_itself_as_html() -> None:
    page = model()._repr_html_()
    assert all(part in page for part in ("<svg", "<math", "school: 2", "<table>"))
    assert "<script" not in page
