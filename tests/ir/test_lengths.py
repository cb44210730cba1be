"""Lengths that follow from data: in shapes, slices, sizes of arrays and numbers of steps; and what cannot be one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exmc.errors import ModelError
from exmc.ir import serial
from exmc.ir.builder import Builder
from exmc.ir.expressions import names_in, ref
from exmc.ir.functions import zeros
from exmc.ir.infer import infer_types
from exmc.ir.nodes import Observation


def builder() -> Builder:
    return (
        Builder()
        .data("J", 3)
        .data("lengths", [2, 1, 4])
        .data("half", 1.5)
        .data("y", [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
        .rv("s", "HalfNormal")
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("J", (3,)),
        ("J - 1", (2,)),
        (["J", 2], (3, 2)),
        (ref("J") * 2, (6,)),
        ("sum(lengths)", (7,)),
        ("lengths[0]", (2,)),
        ("len(y)", (2,)),
        ("2 * half", (3,)),
        ("J // 2", (1,)),
        ("longest", (4,)),
        ("sum(arange(longest))", (6,)),
    ],
)
def test_shapes(shape: Any, expected: tuple[int, ...]) -> None:
    model = builder().rv("x", "Normal", shape=shape).det("longest", "max(lengths)").build()
    assert infer_types(model)["x"].shape == expected


def test_a_shape_gives_a_dim_its_size() -> None:
    model = builder().rv("x", "Normal", shape="J", dims="g").rv("z", "Normal", dims="g").build()
    assert infer_types(model)["z"].shape == (3,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y[:, :J - 1]", (2, 2)),
        ("y[:, 1:J]", (2, 2)),
        ("y[:1, ::J]", (1, 1)),
        ("y[:, :-lengths[0]]", (2, 1)),
        ("zeros(J, 2)", (3, 2)),
        ("ones(J) * s", (3,)),
        ("eye(J)", (3, 3)),
        ("arange(1, J + 1)", (3,)),
        ("reshape(y, J, 2)", (3, 2)),
        ("reshape(y, -1)", (6,)),
        ("zeros(3)[arange(J)[:2]]", (2,)),
    ],
)
def test_values(text: str, expected: tuple[int, ...]) -> None:
    model = builder().det("x", text).build()
    assert infer_types(model)["x"].shape == expected
    # What is built holds numbers: it is written and read without the data.
    assert serial.digest(serial.loads(serial.dumps(model))) == serial.digest(model)
    assert "J" not in names_in(model["x"].expression)


def test_slices_of_expressions_in_python() -> None:
    model = builder().det("x", ref("y")[:, : ref("J") - 1]).det("z", zeros(ref("J"))).build()
    assert infer_types(model)["x"].shape == (2, 2)
    assert infer_types(model)["z"].shape == (3,)


def test_steps_of_a_scan_and_lengths_in_its_formulas() -> None:
    model = (
        builder()
        .scan("walk", carry={"x": "zeros(J)"}, step={"x": "x + s * ones(J)"}, length="J + 1")
        .scan("once", carry={"x": 0.0}, step={"x": "x + sum(ones(J))"}, sequences={"now": "y[0]"})
        .build()
    )
    assert infer_types(model)["walk"].shape == (4, 3)
    assert serial.digest(serial.loads(serial.dumps(model))) == serial.digest(model)


def test_observed_values_and_masks_may_be_deterministics_of_data() -> None:
    model = (
        builder()
        .det("rows", "arange(len(y))")
        .det("shifted", "y[rows] - 0.1")
        .det("small", "shifted < 0.4")
        .rv("seen", "Normal", sigma="s", observed="shifted", mask="small")
        .build()
    )
    (observation,) = (node for node in model.nodes if isinstance(node, Observation))
    assert infer_types(model)[observation.name].shape == (2, 3)


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        (lambda b: b.rv("x", "Normal", shape="K"), ("variables", "x", "shape"), "depends on 'K'"),
        (lambda b: b.rv("x", "Normal", shape="s"), ("variables", "x", "shape"), "depends on 's'"),
        (lambda b: b.rv("x", "Normal", shape="half"), ("variables", "x", "shape"), "is 1.5"),
        (lambda b: b.rv("x", "Normal", shape="lengths"), ("variables", "x", "shape"), "an array of shape"),
        (lambda b: b.rv("x", "Normal", shape="J +"), ("variables", "x", "shape"), "invalid syntax"),
        (lambda b: b.det("x", "y[:, :s]"), ("variables", "x", "expr"), "depends on 's'"),
        (lambda b: b.det("x", "zeros(s)"), ("variables", "x", "expr"), "depends on 's'"),
        (lambda b: b.det("x", "zeros(1 - J)"), ("variables", "x", "expr"), "cannot have -2 elements"),
        (lambda b: b.det("x", "reshape(y, J)"), ("variables", "x", "expr"), r"cannot take the shape \(3,\)"),
        (lambda b: b.det("x", "reshape(y, -1, -1)"), ("variables", "x", "expr"), "cannot take the shape"),
        (
            lambda b: b.scan("x", carry={"J": 0.0}, step={"J": "sum(zeros(J))"}, sequences={"n": "y[0]"}),
            ("variables", "x", "scan", "step", "J"),
            "depends on 'J'",
        ),
        (
            lambda b: b.scan("x", carry={"c": 0.0}, step={"c": "c"}, length="s"),
            ("variables", "x", "scan", "length"),
            "depends on 's'",
        ),
        (lambda b: b.det("x", "y[:1.5]"), ("variables", "x", "expr"), "the slice bound 1.5"),
    ],
)
def test_what_is_no_length(change: Any, where: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        change(builder()).build()
    assert caught.value.where == where


def test_lengths_of_deterministics_that_depend_on_each_other_are_one_clear_error() -> None:
    with pytest.raises(ModelError, match="in a circle"):
        builder().det("a", "b + 1").det("b", "a + 1").build()


def test_evaluating_data_alone_is_silent() -> None:
    with np.errstate(all="raise"):
        model = builder().det("odd", "log(lengths - 1)").rv("x", "Normal", shape="J").build()
    assert infer_types(model)["x"].shape == (3,)
