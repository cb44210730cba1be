"""Building models in Python."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.distributions import HalfNormal, Normal
from exmc.errors import DataError, ExpressionError, ModelError
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.expressions import Constant, Reference, apply, ref
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable

SEEN = [2.1, 1.8, 2.5, 2.0, 1.9, 2.3, 2.2, 1.7, 2.4, 2.6]


def test_the_example_of_the_design() -> None:
    model = (
        Builder()
        .rv("mu", Normal, mu=0.0, sigma=5.0)
        .rv("sigma", HalfNormal, sigma=2.0)
        .rv("x", Normal, mu="mu", sigma="sigma")
        .obs("x_obs", "x", SEEN)
        .build()
    )
    assert model["mu"] == RandomVariable("mu", Call("Normal", (("mu", Constant(0.0)), ("sigma", Constant(5.0)))))
    assert model["x"] == RandomVariable("x", Call("Normal", (("mu", ref("mu")), ("sigma", ref("sigma")))))
    assert model["x_obs"] == Observation("x_obs", Reference("x"), Reference("x_obs_observed"))
    assert model.data["x_obs_observed"].values.tolist() == SEEN
    assert check(model)["x"].shape == (10,)


def test_parameters_may_be_numbers_text_expressions_and_arrays() -> None:
    model = (
        Builder()
        .data("i", [0, 1, 1])
        .rv("a", "Normal", shape=2)
        .rv("b", "Normal", mu="a[i] + 1", sigma=ref("a")[0] ** 2 + 1.0)
        .rv("c", "Normal", mu=[1.0, 2.0], sigma=np.float64(2.0))
        .det("d", apply("exp", ref("b")))
        .build()
    )
    assert model["c"].call.arguments == {"mu": Reference("c_mu"), "sigma": Constant(2.0)}
    assert isinstance(model["d"], Deterministic)
    types = check(model)
    assert [types[n].shape for n in "abcd"] == [(2,), (3,), (2,), (3,)]


def test_defaults_and_order_of_parameters() -> None:
    model = Builder().rv("x", "StudentT", nu=4.0).rv("y", "Normal", sigma=1.0, mu=0.0).build()
    assert [k for k, _ in model["x"].call.parameters] == ["nu", "mu", "sigma"]
    assert [k for k, _ in model["y"].call.parameters] == ["mu", "sigma"]


def test_a_single_dim_and_labels_of_numpy() -> None:
    model = Builder().coords(g=np.array(["a", "b"])).rv("x", "Normal", dims="g").build()
    assert model.coords["g"] == ("a", "b")
    assert all(type(label) is str for label in model.coords["g"])
    assert model["x"].dims == ("g",)


def test_observed_values_weights_and_masks_become_data() -> None:
    model = (
        Builder().rv("y", "Normal", observed=[1.0, 2.0], dims="row", weight=[1.0, 0.5], mask=np.array([True, False]))
    ).build()
    assert model.data["y_observed"].dims == ("row",)
    assert set(model.data) == {"y_observed", "y_weight", "y_mask"}


def test_dim_options_are_resolved_to_axes() -> None:
    model = (
        Builder()
        .data("x", np.ones((2, 3)), dims=("a", "b"))
        .rv("s", "Normal", dims="a")
        .det("m", "mean(x, dim='b') + s", dims="a")
        .build()
    )
    assert model["m"].expression == apply("mean", ref("x"), axis=1) + ref("s")


def test_dim_options_over_an_observed_variable() -> None:
    """Its dims are those of the values, which its parameters do not have."""
    model = (
        Builder()
        .data("y", [[1.0, 2.0]], dims=("a", "b"))
        .rv("x", "Normal")
        .obs("o", "x", "y")
        .det("m", "sum(x, dim='b')", dims="a")
        .build()
    )
    assert model["m"].expression == apply("sum", ref("x"), axis=1)


@pytest.mark.parametrize(
    ("build", "error", "where"),
    [
        (lambda b: b.data("x", [1.0]).data("x", [2.0]), ModelError, ("data", "x")),
        (lambda b: b.coords(g=["a"]).coords(g=["b"]), ModelError, ("coords", "g")),
        (lambda b: b.data("x", ["a"]), DataError, ("data", "x")),
        (lambda b: b.rv("x", "Normal", mu="1 +"), ExpressionError, ("variables", "x", "mu")),
        (lambda b: b.rv("x", "Normal", mu=None), ExpressionError, ("variables", "x", "mu")),
        (lambda b: b.rv("x", 3), ModelError, ("variables", "x", "dist")),
        (lambda b: b.rv("x", "Normal", weight=2.0), ModelError, ("variables", "x", "weight")),
        (lambda b: b.rv("x", "Normal", observed=1.0, transform="log"), ModelError, ("variables", "x", "transform")),
        (
            lambda b: b.rv("x", "Normal", observed=1.0, centering="centered"),
            ModelError,
            ("variables", "x", "centering"),
        ),
    ],
)
def test_faults_are_placed(build: object, error: type, where: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        build(Builder())
    assert caught.value.where == where
