"""Loops as data: what they capture, how they are written, stored, and changed by passes."""

from __future__ import annotations

import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import Apply, Constant, Reference, names_in, substitute
from exmc.ir.loops import ScanBody, key_of, loop_body, make_scan, parts_of, place_in_loop
from exmc.ir.nodes import Deterministic
from exmc.ir.parse import parse_expression
from exmc.ir.serial import digest, dumps, loads
from exmc.ir.text import expression_text, mermaid, model_text
from tests.ir.sequential import SEQUENTIAL, garch


def variance() -> Apply:
    node = garch().build()["variance"]
    assert isinstance(node, Deterministic)
    assert isinstance(node.expression, Apply)
    return node.expression


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_models_come_back_from_json_and_are_written(name: str) -> None:
    model = SEQUENTIAL[name]().build()
    again = loads(dumps(model))
    assert digest(again) == digest(model)
    assert model_text(again) == model_text(model)
    assert mermaid(model)


def test_formulas_capture_what_is_the_models() -> None:
    body = loop_body(variance())
    assert isinstance(body, ScanBody)
    assert body.captured == ("base", "shares")
    assert names_in(variance()) == ["y", "mu", "base", "shares"]


def test_a_local_name_hides_the_models() -> None:
    """`y` is the series outside and its element inside; a pass that replaces the one leaves the other alone."""
    scan = make_scan({"s": Reference("y")}, {"y": parse_expression("y[1:]")}, {"s": parse_expression("s + y * k")})
    changed = substitute(scan, {"y": Reference("other"), "k": parse_expression("2 * y")})
    assert expression_text(changed) == (
        "scan(carry={s: other}, sequences={y: other[1:]}, captured={k: 2 * y}, step={s: s + y * k}, "
        "output=s, collect=steps)"
    )


def test_text_names_every_part() -> None:
    assert expression_text(variance()) == (
        "scan(carry={variance: 0.5}, sequences={shock: y[:-1] - mu}, "
        "step={variance: base + shares[0] * shock**2 + shares[1] * variance}, output=variance, collect=all)"
    )


def test_keys_lead_to_each_part() -> None:
    scan = variance()
    body = loop_body(scan)
    assert body is not None
    assert [place for place, _ in parts_of(scan, body)] == [
        ("carry", "variance"), ("sequences", "shock"), ("step", "variance")
    ]  # fmt: skip
    assert place_in_loop(scan, "mu") == ("sequences", "shock")
    assert place_in_loop(scan, "base") == ("step", "variance")
    assert place_in_loop(Reference("base"), "base") == ()
    assert (key_of(scan), key_of(Constant(1))) == ("scan", "expr")


def test_no_text_is_parsed_to_a_loop() -> None:
    with pytest.raises(ModelError, match="there is no function 'scan'"):
        parse_expression("scan(x)")


@pytest.mark.parametrize("place", ["sigma", "det"])
def test_a_loop_stands_alone(place: str) -> None:
    scan = make_scan({"s": Constant(1.0)}, {}, {"s": parse_expression("s / 2")}, length=3)
    builder = Builder()
    builder = builder.rv("x", "Normal", sigma=scan) if place == "sigma" else builder.det("x", scan + 1)
    with pytest.raises(ModelError, match="cannot stand inside an expression"):
        builder.build()


def test_a_damaged_loop_is_refused() -> None:
    text = dumps(garch().build())
    with pytest.raises(ModelError):
        loads(text.replace('"loop": "scan"', '"loop": "skan"'))
    with pytest.raises(ModelError):
        loads(text.replace('"captured": [\n', '"captured": [ "more",\n'))
