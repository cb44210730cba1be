"""Models as JSON: every node kind and expression comes back, and the digest is what it was."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings

from exmc.errors import DataError, ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import Constant, Expression, apply, ref
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Data, Deterministic, Observation, RandomVariable
from exmc.ir.serial import array_digest, decode, digest, dumps, encode, from_document, loads, to_document
from tests.ir.trees import EXPRESSIONS

STANDARD = Call("Normal", (("mu", Constant(0.0)), ("sigma", Constant(1.0))))


def example() -> Model:
    """One of every kind of node with every field set."""
    data = {
        "x": Data("x", [1.5, -2.0], ("g",), "x.csv"),
        "i": Data("i", [[0, 1]], (None, "h")),
        "m": Data("m", [True, False], ("g",)),
    }
    nodes = (
        RandomVariable("a", STANDARD, ("g", None), (2, 3), "identity", "centered"),
        RandomVariable("a_raw", STANDARD, auxiliary=True),
        RandomVariable("t", STANDARD),
        Deterministic("d", ref("a")[:, 0] + ref("x"), ("g",), keep=False),
        Deterministic("e", ref("a")[ref("i"), ::2]),
        Observation("y", STANDARD, ref("x"), ref("x") * ref("x"), ref("m"), dims=("g",)),
        Observation("z", STANDARD, ref("x") - ref("a_raw"), log_jacobian=apply("log", 2.0), joint=True),
        Observation("o", ref("t"), ref("x")),
    )
    return Model(nodes, data, {"g": ("a", "ü"), "k": (1, 2.5)})


def test_round_trip_of_every_kind_of_node() -> None:
    model = example()
    again = loads(dumps(model))
    assert again.nodes == model.nodes
    assert dict(again.coords) == dict(model.coords)
    assert list(again.data) == list(model.data)
    for name, data in model.data.items():
        assert (again.data[name].dims, again.data[name].source) == (data.dims, data.source)
        assert again.data[name].values.dtype == data.values.dtype
        assert np.array_equal(again.data[name].values, data.values)
    assert digest(again) == digest(model)
    assert dumps(again) == dumps(model)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_round_trip_of_expressions(expression: Expression) -> None:
    text = json.dumps(encode(expression))
    assert json.dumps(encode(decode(json.loads(text)))) == text


def test_digest_of_an_example_never_changes() -> None:
    """Caches and runs are keyed by digests: a change of this value breaks every one of them."""
    model = (
        Builder().data("x", [1.0, 2.0], dims="g").rv("mu", "Normal").rv("y", "Normal", mu="mu", observed="x").build()
    )
    assert digest(model) == "aea01a487d2b8055d7a78ca22b6dcc7c250c07a4539083127852253178906a96"
    assert array_digest(np.array([1.0, 2.0])) == "d1d4d1aa0d4c44be96c851b41ca718ef8601e12e51dee1b1c4ecd8e9af4dc298"


def base() -> Builder:
    return Builder().data("x", [1.0, 2.0], dims="g").data("w", [1.0, 1.0], dims="g").rv("mu", "Normal")


def test_digest_ignores_where_data_come_from_and_their_order() -> None:
    one = base().build()
    moved = Builder().data("w", [1.0, 1.0], "g").data("x", [1.0, 2.0], "g", source="f.csv").rv("mu", "Normal").build()
    assert digest(one) == digest(moved)


@pytest.mark.parametrize(
    "other",
    [
        Builder().data("x", [1.0, 2.0], dims="g").data("w", [1.0, 1.5], dims="g").rv("mu", "Normal"),
        Builder().data("x", [1.0, 2.0], dims="h").data("w", [1.0, 1.0], dims="h").rv("mu", "Normal"),
        Builder().data("x", [1, 2], dims="g").data("w", [1.0, 1.0], dims="g").rv("mu", "Normal"),
        base().rv("nu", "Normal"),
        base().coords(g=["a", "b"]),
        Builder().data("x", [1.0, 2.0], dims="g").data("w", [1.0, 1.0], dims="g").rv("mu", "Normal", sigma=2.0),
    ],
)
def test_digest_tells_models_apart(other: Builder) -> None:
    assert digest(other.build()) != digest(base().build())


def test_arrays_are_stored_once() -> None:
    _, arrays = to_document(Builder().data("x", [1.0]).data("y", [1.0]).build())
    assert len(arrays) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"arrays": 3}', "nonsense"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        loads(text)


def damaged(change: object) -> str:
    document = json.loads(dumps(example()))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format=99),
        lambda d: d.pop("nodes"),
        lambda d: d["nodes"][0].pop("call"),
        lambda d: d["nodes"][0].update(kind="plate"),
        lambda d: d["nodes"][5].update(target=3.0),
        lambda d: d["nodes"][3].update(expression={"what": 1}),
        lambda d: d["nodes"][3].update(expression="text"),
        lambda d: d["nodes"][3].update(expression={"ref": "nothing"}),
        lambda d: d["nodes"][3]["expression"].update(op="nonsense"),
        lambda d: d["data"][0].update(array="0" * 64),
        lambda d: next(iter(d["arrays"].values())).update(base64="AAAAAAAAAAAAAAAAAAAAAA=="),
    ],
)
def test_damaged_models_are_refused(change: object) -> None:
    with pytest.raises(ModelError):
        loads(damaged(change))


def test_what_is_read_is_checked() -> None:
    document, arrays = to_document(Builder().data("x", [1.0, 2.0]).rv("y", "HalfNormal", observed="x").build())
    negative = {key: -array for key, array in arrays.items()}
    with pytest.raises(DataError, match="not negative"):
        from_document(document, negative)
