"""Building models in Python."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from exmc.distributions import Custom, HalfNormal, Mixture, Normal, Truncated
from exmc.distributions.base import Given
from exmc.errors import DataError, ExpressionError, ModelError
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.expressions import Constant, Reference, apply, ref
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.ir.serial import digest, dumps, loads
from exmc.ir.text import call_text, model_text

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


def test_dims_of_an_observed_expression_name_its_axes_and_are_checked() -> None:
    base = Builder().coords(g=["a", "b"], h=[1, 2, 3]).data("v", [1.0, 2.0]).rv("m", "Normal")
    model = base.rv("y", "Normal", mu="m", observed="log(v)", dims="g").obs("o", "m", "v", dims="g").build()
    assert check(model)["y"].dims == check(model)["o"].dims == ("g",)
    assert check(model)["m"].dims == ("g",)
    for observed in ("v", 1.0):
        with pytest.raises(ModelError, match="do not fit") as caught:
            Builder().coords(h=[1, 2, 3]).data("v", [1.0, 2.0]).rv("y", "Normal", observed=observed, dims="h").build()
        assert caught.value.where == ("variables", "y", "dims")


def test_numbers_of_numpy_and_pandas() -> None:
    model = (
        Builder()
        .data("v", pd.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]}))
        .rv("a", "Normal", mu=pd.Series([1.0, 2.0, 3.0]), shape=np.int64(3))
        .det("b", ref("a")[: np.int64(2)] + apply("sum", ref("a"), axis=np.int64(0)))
        .build()
    )
    assert model.data["v"].values.tolist() == [[1.0, 1.0, 0.5], [2.0, 0.0, 1.5]]
    assert check(model)["b"].shape == (2,)
    assert loads(dumps(model)).nodes == model.nodes


def test_an_array_of_xarray_brings_dims_and_labels() -> None:
    effect = xr.DataArray([[1.0, 2.0]], dims=("g", "dim_1"), coords={"g": ["a"]})
    build = Builder().data("effect", effect).rv("x", "Normal", mu=effect, observed=effect)
    model = build.rv("s", "Normal", mu=xr.DataArray(2.0)).coords(g=["a"]).build()
    assert model.data["effect"].dims == model.data["x_mu"].dims == ("g", None)
    assert model.coords == {"g": ("a",)}
    assert model["s"].call.arguments["mu"] == Constant(2.0)
    assert Builder().data("v", xr.DataArray([1.0, 2.0]), dims="row").build().data["v"].dims == ("row",)
    with pytest.raises(DataError, match=r"has dims \['g', None\], not \['h', 'g'\]"):
        Builder().data("v", effect, dims=("h", "g"))
    with pytest.raises(ModelError, match="twice"):
        Builder().coords(g=["b"]).data("v", effect)


@pytest.mark.parametrize(
    ("build", "where", "words"),
    [
        (lambda b: b.rv("y", "Normal", observed=[[1], [2, 3]]), ("variables", "y", "observed"), "different lengths"),
        (lambda b: b.rv("y", "Normal", mu=[ref("a"), ref("a")]), ("variables", "y", "mu"), "concatenate"),
        (lambda b: b.rv("y", "Normal", mu=["a", "a"]), ("variables", "y", "mu"), "not a number"),
        (lambda b: b.rv("y", "Normal", mu=ref("a") + pd.Series([1.0])), (), "Series"),
        (lambda b: b.rv("y", "Normal", observed=[1.0], shape=1), ("variables", "y", "shape"), "free variables"),
        (lambda b: b.rv(3, "Normal"), ("variables",), "3 is no name"),
        (lambda b: b.data(3, [1.0]), ("data",), "3 is no name"),
        (lambda b: b.obs("o", 3, [1.0]), ("variables", "o", "target"), "3 is no name"),
        (lambda b: b.rv("x", "Normal", dims=3), ("variables", "x", "dims"), "3 is no name of a dim"),
        (lambda b: b.rv("x", "Normal", dims=("g", 3)), ("variables", "x", "dims"), "3 is no name of a dim"),
        (lambda b: b.rv("x", "Normal", shape=2.5), ("variables", "x", "shape"), "2.5 is no shape"),
        (lambda b: b.rv("x", "Normal", shape=-1), ("variables", "x", "shape"), "-1 is no shape"),
        (lambda b: b.rv("x", "Normal", shape=True), ("variables", "x", "shape"), "True is no shape"),
        (lambda b: b.rv("x", "Normal", centering=True), ("variables", "x", "centering"), "True"),
        (lambda b: b.rv("x", "Normal", transform=["log"]), ("variables", "x", "transform"), "log"),
        (lambda b: b.coords(g="abc"), ("coords", "g"), "no sequence of labels"),
        (lambda b: b.coords(g=5), ("coords", "g"), "no sequence of labels"),
        (lambda b: b.coords(g=[["a"], ["b"]]), ("coords", "g"), "no label"),
        (lambda b: b.coords(g=[1.0, float("nan")]), ("coords", "g"), "no label"),
        (lambda b: b.coords(g=[None]), ("coords", "g"), "no label"),
        (lambda b: b.det("d", ref("a")[::0]), (), "step 0"),
        (lambda b: b.det("d", ref("a")[:2.0]), (), "slice bound"),
        (lambda b: b.det("d", ref(3)), (), "3 is no name"),
    ],
)
def test_misuse_is_one_clear_error(build: object, where: tuple[str, ...], words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        build(Builder())
    assert caught.value.where == where


def test_dates_are_labels_by_their_text() -> None:
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    assert Builder().coords(day=days).build().coords["day"] == ("2020-01-01", "2020-01-02")
    stamps = pd.date_range("2020-01-01", periods=2)
    assert Builder().coords(day=stamps).build().coords["day"] == ("2020-01-01T00:00:00", "2020-01-02T00:00:00")


def test_a_single_value_seen_and_a_single_mask_may_be_true() -> None:
    build = Builder().rv("y", "Bernoulli", p=0.5, observed=True, mask=np.True_).rv("m", "Normal")
    assert build.build()["y"].value == build.build()["y"].mask == Constant(True)
    with pytest.raises(ExpressionError, match=r"exmc\.math\.equal") as caught:
        build.rv("x", "Normal", mu=ref("m") == 1)
    assert caught.value.where == ("variables", "x", "mu")


def test_distributions_take_parameters_by_place_and_by_name() -> None:
    written = [
        Builder().rv("m", "Normal").rv("x", Normal, mu="m", sigma=2.0).build(),
        Builder().rv("m", Normal()).rv("x", Normal("m", 2.0)).build(),
        Builder().rv("m", Normal(0.0)).rv("x", Normal("m"), sigma=2.0).build(),
        Builder().rv("m", Normal).rv("x", Normal(sigma=2.0, mu=ref("m"))).build(),
    ]
    assert len({digest(model) for model in written}) == 1


def test_distributions_within_distributions() -> None:
    inner = Truncated(Normal("a", [1.0, 2.0]), lower="a")
    model = Builder().rv("a", Normal(0, 1)).rv("x", Mixture([0.5, 0.5], [inner, HalfNormal]), shape=2).build()
    call = model["x"].call
    assert call.expressions.keys() == {
        "weights", "components.0.of.mu", "components.0.of.sigma", "components.0.lower", "components.1.sigma",
    }  # fmt: skip
    # An array within gets the name of its place.
    assert model.data["x_components_0_of_sigma"].values.tolist() == [1.0, 2.0]
    assert call_text(call) == (
        "Mixture(weights=x_weights, components=[Truncated(of=Normal(mu=a, sigma=x_components_0_of_sigma), lower=a), "
        "HalfNormal(sigma=1.0)])"
    )
    assert digest(loads(dumps(model))) == digest(model)


def test_what_is_given_twice_or_too_often() -> None:
    with pytest.raises(ModelError, match=r"variables\.x\.mu: 'mu' is given twice"):
        Builder().rv("x", Normal(0, 1), mu=2)
    with pytest.raises(ModelError, match="mu: Normal is given 'mu' twice"):
        Normal(0, mu=1)
    with pytest.raises(ModelError, match="at most 2 parameters, not 3"):
        Normal(0, 1, 2)


def test_potentials() -> None:
    model = Builder().rv("a", Normal(0, 1)).potential("p", "-a**2").potential("q", ref("a"), keep=True).build()
    assert model["p"] == Deterministic("p", apply("negative", ref("a") ** 2), None, keep=False, potential=True)
    assert model["q"].keep
    again = loads(dumps(model))
    assert again["p"] == model["p"]
    assert "p = -a**2  (potential, not kept)" in model_text(model)
    with pytest.raises(ModelError, match=r"variables\.r\.potential: there is no variable or data named 'b'"):
        Builder().potential("r", "b").build()


def test_custom_parameters_are_texts_and_values() -> None:
    own = Custom("tests.distributions.own_density:of_vectors", event_rank=1, scale=[1.0, 2.0])
    model = Builder().rv("x", own, shape=2).build()
    assert dict(model["x"].call.parameters)["event_rank"] == "1"
    assert model["x"].call.arguments == {"scale": Reference("x_scale")}
    assert digest(loads(dumps(model))) == digest(model)


@pytest.mark.parametrize("key", ["dims", "shape", "observed", "weight", "mask", "transform", "centering"])
def test_a_parameter_of_a_density_cannot_be_called_as_a_key_of_variables(key: str) -> None:
    """In a config it would be that key."""
    with pytest.raises(ModelError, match="cannot be called") as caught:
        Builder().rv("x", Given(Custom, (("function", "m:f"), (key, 1.0))))
    assert caught.value.where == ("variables", "x", key)


def test_a_parameter_of_a_density_within_another_cannot_be_called_dist() -> None:
    within = Given(Custom, (("function", "m:f"), ("shape", 1.0), ("dist", 1.0)))
    with pytest.raises(ModelError, match="cannot be called 'dist'") as caught:
        Builder().rv("x", Truncated(within, lower=0))
    assert caught.value.where == ("variables", "x", "of", "dist")
