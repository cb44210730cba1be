"""The model as a value: look-ups, order and immutability."""

from __future__ import annotations

import pickle

import pytest

from exmc.ir.builder import Builder
from exmc.ir.declarations import expressions_of, in_order, parents
from exmc.ir.model import Model
from exmc.ir.serial import digest


def example() -> Model:
    return (
        Builder()
        .coords(group=["a", "b"])
        .data("x", [1.0, 2.0], dims="group")
        .rv("y", "Normal", mu="m", sigma=1.0, observed="x", weight="x", mask="x > 1")
        .det("m", "a + b")
        .rv("b", "Normal", mu="a", dims="group")
        .rv("a", "Normal")
        .obs("b2", "c", [0.5])
        .rv("c", "Normal", mu="a")
        .build()
    )


def test_look_up() -> None:
    model = example()
    assert [n.name for n in model] == ["y", "m", "b", "a", "b2", "c"]
    assert model["a"].name == "a"
    assert "a" in model
    assert "x" not in model
    with pytest.raises(KeyError):
        model["nothing"]


def test_free_observed_and_deterministic() -> None:
    model = example()
    assert [v.name for v in model.free] == ["b", "a"]
    assert [o.name for o in model.observations] == ["y", "b2"]
    assert [d.name for d in model.deterministics] == ["m"]
    assert model.observed_targets == {"c"}


def test_order_puts_parents_first_and_keeps_the_rest() -> None:
    assert [n.name for n in in_order(example())] == ["a", "b", "m", "y", "c", "b2"]


def test_expressions_by_key_and_parents() -> None:
    model = example()
    assert set(expressions_of(model["y"])) == {"mu", "sigma", "observed", "weight", "mask", "log_jacobian"}
    assert set(expressions_of(model["b2"])) == {"target", "observed", "log_jacobian"}
    assert parents(model["y"]) == ["m", "x"]


def test_data_and_coords_cannot_be_changed() -> None:
    model = example()
    with pytest.raises(TypeError):
        model.data["z"] = model.data["x"]  # type: ignore[index]
    with pytest.raises(TypeError):
        model.coords["z"] = ()  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        model.data["x"].values[0] = 3.0


def test_models_pickle() -> None:
    model = example()
    assert digest(pickle.loads(pickle.dumps(model))) == digest(model)
