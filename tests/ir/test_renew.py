"""A model takes other data of its own kind, label by label, and says what is missing or does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import Reference
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import RandomVariable
from exmc.ir.renew import Renewed, predictable, with_new_data


def schools() -> Model:
    """Rows of pupils (unlabelled) in schools (labelled), with data along both."""
    return (
        Builder()
        .coords(school=["a", "b", "c"])
        .data("size", [10.0, 20.0, 30.0], dims="school")
        .data("x", [1.0, 2.0, 3.0, 4.0], dims="pupil")
        .data("of", [0, 1, 2, 0], dims="pupil")
        .data("seen", [1, 2, 3, 1], dims="pupil")
        .rv("mu", "Normal", mu=0, sigma=1)
        .rv("t", "Normal", mu="mu + size / 10", sigma=1, dims="school")
        .det("m", "t[of] * x")
        .rv("y", "Poisson", mu="exp(m)", observed="seen")
        .build()
    )


def shapes(renewed: Renewed) -> dict[str, tuple[int, ...]]:
    types = infer_types(renewed.model)
    return {node.name: types[node.name].shape for node in renewed.model.nodes}


def test_what_is_observed_and_kept_is_predicted() -> None:
    assert predictable(schools()) == ("m", "y")


def test_rows_of_another_number() -> None:
    found = with_new_data(schools(), {"x": [1, 2], "of": [2.0, 0.0]}, {})
    assert shapes(found) == {"mu": (), "t": (3,), "m": (2,), "y": (2,)}
    assert found.seen == ()
    assert isinstance(found.model["y"], RandomVariable)
    # Old rows' values are gone with them; what came as another kind of number is as the run's.
    assert set(found.model.data) == {"size", "x", "of"}
    assert (found.model.data["x"].kind, found.model.data["of"].kind) == ("float", "int")


def test_values_seen_make_an_observation() -> None:
    for name in ("seen", "y"):
        found = with_new_data(schools(), {"x": [1, 2], "of": [2, 0], name: [4, 5]}, {})
        assert found.seen == ("y",)
        np.testing.assert_array_equal(found.model.data["seen"].values, [4, 5])


def test_only_what_is_wanted_needs_data() -> None:
    found = with_new_data(schools(), {}, {"school": ["c", "a"]}, ["t"])
    assert [node.name for node in found.model.nodes] == ["mu", "t"]
    np.testing.assert_array_equal(found.model.data["size"].values, [30.0, 10.0])


def test_an_array_brings_labels_and_the_order_of_its_axes() -> None:
    source = (
        Builder()
        .coords(row=["p", "q"], column=[1, 2, 3])
        .data("x", np.arange(6.0).reshape(2, 3), dims=["row", "column"])
        .rv("b", "Normal", mu=0, sigma=1, dims="column")
        .det("m", "b * x")
        .build()
    )
    new = xr.DataArray([[1.0], [2.0]], dims=["column", "row"], coords={"column": [3, 9], "row": ["z"]})
    found = with_new_data(source, {"x": new}, {})
    assert found.model.data["x"].values.tolist() == [[1.0, 2.0]]
    assert dict(found.model.coords) == {"row": ("z",), "column": (3, 9)}


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"mu": "x", "sigma": 1, "observed": [1.0, 2.0]}, (3,)),
        ({"mu": 0, "sigma": 1, "observed": [1.0, 2.0]}, (2,)),
        ({"mu": 0, "sigma": 1, "observed": "v"}, (3,)),
    ],
    ids=["parameters", "values alone", "dims"],
)
def test_the_shape_of_what_is_not_seen(arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    """It is that of the parameters; else the dims' of the values; else the values' own."""
    for through in ("call", "variable"):
        builder = Builder().data("x", [0.0, 1.0], dims="row").data("v", [0.0, 1.0], dims="row")
        builder.rv("shift", "Normal", mu=0, sigma=1).det("uses", "x + shift")
        if through == "call":
            builder.rv("y", "Normal", **arguments)
        else:
            observed = arguments["observed"]
            builder.rv("z", "Normal", mu=arguments["mu"], sigma=1).obs("y", "z", observed)
        found = with_new_data(builder.build(), {"x": [1.0, 2.0, 3.0]}, {})
        assert shapes(found)["y"] == shape, through


def test_shapes_given_with_dims_follow_the_labels() -> None:
    source = Builder().coords(g=["a", "b"]).rv("t", "Normal", mu=0, sigma=1, dims="g", shape=2).build()
    assert shapes(with_new_data(source, {}, {"g": ["b", "x", "y"]}, ["t"])) == {"t": (3,)}


def test_an_observed_deterministic_is_computed() -> None:
    source = (
        Builder().data("x", [1.0, 2.0]).rv("z", "Normal", mu="x", sigma=1).det("d", "z + 1").obs("y", "d", [1.0, 2.0])
    ).build()
    found = with_new_data(source, {"x": [1.0, 2.0, 3.0]}, {})
    assert found.model["y"].expression == Reference("d")  # type: ignore[union-attr]


BAD: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("unknown data", {"z": 1.0}, {}, "data.z: the model has no data 'z'"),
    ("unknown dim", {}, {"shcool": ["a"]}, "coords.shcool: the model has no dim 'shcool'. Did you mean 'school'"),
    ("given twice", {"y": [1], "seen": [1]}, {}, "'seen' is given twice"),
    ("another rank", {"x": 1.0}, {}, r"data.x: the values have shape \(\); in the run they have 1 axes"),
    ("no numbers", {"x": ["p"]}, {}, "data.x: 'p' is not a number"),
    ("missing", {"x": [1.0, float("nan")], "of": [0, 0]}, {}, "data.x: the value at .1. is missing"),
    ("empty", {"x": []}, {}, "data.x: there are no values"),
    ("other dims", {"x": xr.DataArray([1.0], dims=["school"])}, {}, "the dims are .'school'.; in the run"),
    ("not all along a dim", {"x": [1.0]}, {}, "data.of: it lies along 'pupil', which has other entries now: 1, and 4"),
    ("ragged", {"x": [1.0, 2.0], "of": [0]}, {}, "2 values|1 values"),
    ("no label", {"size": [1.0]}, {}, "data.size: 1 values along the dim 'school', where 't' lies; .* coords"),
    ("new label without data", {}, {"school": ["a", "z"]}, "data.size: it lies along 'school', .* such as 'z'"),
    ("labels of another kind", {}, {"school": [1, 2, 3]}, "the label 1 is not of a kind with the run's, such as 'a'"),
    ("label twice", {"size": [1.0, 2.0], "of": [0, 1, 1, 0]}, {"school": ["a", "a"]}, "the label 'a' appears twice"),
    ("codes of moved labels", {}, {"school": ["c", "b", "a"]}, "data.of: it holds places along 'school'"),
    ("codes out of range", {"of": [0, 1, 2, 3]}, {}, "index 3 at .* is out of range"),
    ("codes no whole numbers", {"of": [0.5, 1, 2, 0]}, {}, "ind"),
    ("values outside the support", {"y": [1, 2, 3, -1]}, {}, "the value -1 at .3. is not"),
]


@pytest.mark.parametrize(("data", "coords", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_does_not_fit_is_said(data: dict[str, Any], coords: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        with_new_data(schools(), data, coords)


def test_a_variable_that_is_not_there() -> None:
    with pytest.raises(ModelError, match="no variable 'mm'"):
        with_new_data(schools(), {}, {}, ["mm"])


def test_rows_without_names_are_not_spread() -> None:
    """One new row would fit beside the old rows of what was forgotten, by broadcasting."""
    source = Builder().data("x", [1.0, 2.0]).data("z", [1.0, 2.0]).rv("b", "Normal", mu=0, sigma=1)
    source.det("m", "b * x + z")
    with pytest.raises(ModelError, match=r"data.z: it has 2 entries, as 'x' had, which has 1 now"):
        with_new_data(source.build(), {"x": [1.0]}, {})
    with pytest.raises(ModelError, match=r"Not given anew: z\."):
        with_new_data(source.build(), {"x": [1.0, 2.0, 3.0]}, {})
