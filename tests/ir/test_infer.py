"""The types that nodes are given: declared, inferred from parameters, or those of the values seen."""

from __future__ import annotations

import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import names_in, ref
from exmc.ir.infer import dim_sizes, distribution_of, infer_types, map_expressions, resolve_expressions
from exmc.ir.types import ArrayType


def test_types_by_name() -> None:
    model = (
        Builder()
        .coords(g=["a", "b"])
        .data("i", [0, 1, 1], dims="row")
        .data("y", [1.0, 2.0, 3.0], dims="row")
        .rv("s", "HalfNormal")
        .rv("declared", "Normal", sigma="s", dims="g")
        .rv("sized", "Normal", shape=(2, 3))
        .rv("inferred", "Normal", mu="declared[i]", sigma="s")
        .det("d", "sized > 0")
        .det("named", "sized[0]", dims="column")
        .rv("other", "Normal", dims="column", shape=3)
        .rv("seen", "Normal", mu="inferred", observed="y")
        .rv("target", "Poisson", mu="s")
        .obs("counts", "target", [1, 2])
        .build()
    )
    types = infer_types(model)
    assert types["s"] == ArrayType()
    assert types["declared"] == ArrayType((2,), ("g",))
    assert types["sized"] == ArrayType((2, 3), (None, None))
    assert types["inferred"] == ArrayType((3,), ("row",))
    assert types["d"] == ArrayType((2, 3), (None, None), "bool")
    assert types["named"] == ArrayType((3,), ("column",))
    assert types["seen"] == ArrayType((3,), ("row",))
    assert types["target"] == types["counts"] == ArrayType((2,), (None,), "int")


def test_an_unnamed_axis_of_a_deterministic_keeps_the_dim_it_has() -> None:
    model = Builder().data("x", [[1.0, 2.0]], dims=("a", "b")).det("y", "x + 1", dims=(None, "b")).build()
    assert infer_types(model)["y"].dims == ("a", "b")


def test_observed_variables_take_declared_dims() -> None:
    model = Builder().coords(g=["a", "b"]).rv("x", "Normal", dims="g").obs("o", "x", [1.0, 2.0]).build()
    assert infer_types(model)["x"] == ArrayType((2,), ("g",))


def test_sizes_of_dims_come_from_coords_then_data_then_shapes() -> None:
    model = (
        Builder()
        .coords(a=["x", "y"])
        .data("v", [1.0, 2.0, 3.0], dims="b")
        .rv("w", "Normal", dims=("c", None), shape=(4, 5))
        .build()
    )
    assert dim_sizes(model) == {"a": 2, "b": 3, "c": 4}


def test_resolving_again_changes_nothing() -> None:
    model = Builder().data("v", [[1.0]], dims=("a", "b")).det("s", "sum(v, dim='b')").build()
    assert resolve_expressions(model).nodes == model.nodes


def test_map_reaches_every_expression() -> None:
    model = (
        Builder()
        .data("v", [1.0])
        .rv("x", "Normal", mu="v")
        .rv("y", "Normal", mu="v", observed="v", weight="v", mask="v > 0")
        .det("d", "v")
        .build()
    )
    for name, count in (("x", 1), ("y", 4), ("d", 1)):
        seen = []
        map_expressions(model[name], lambda e, seen=seen: seen.append(e) or e)
        assert sum(names_in(e) == ["v"] for e in seen) == count
        assert map_expressions(model[name], lambda e: e) == model[name]
    assert map_expressions(model["d"], lambda e: ref("x")).expression == ref("x")


def test_distribution_of_a_call() -> None:
    model = Builder().rv("x", "Normal").build()
    assert distribution_of(model["x"].call, "x").name == "Normal"


@pytest.mark.parametrize("literal", ["True", 1, 1.0])
def test_shapes_do_not_depend_on_the_kind_of_a_literal(literal: str | float) -> None:
    assert infer_types(Builder().rv("x", "Normal", mu=literal).build())["x"] == ArrayType()


def test_values_along_another_dim_do_not_fit_an_observed_variable() -> None:
    """Also where the two are of one length."""
    build = Builder().coords(g=["a", "b"], h=["c", "d"]).data("v", [1.0, 2.0], dims="h").rv("x", "Normal", dims="g")
    with pytest.raises(ModelError, match="do not fit the variable 'x'"):
        build.obs("o", "x", "v").build()
