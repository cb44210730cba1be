"""Where each free variable lies in the flat vector."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.layout import Entry, Layout, layout_of, posterior_names
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.rewrite.run import rewrite
from tests.rewrite.models import schools


def example() -> Model:
    return (
        Builder()
        .coords(g=["a", "b"])
        .rv("s", "HalfNormal")
        .rv("x", "Normal", dims=("g", None), shape=(2, 3))
        .rv("seen", "Normal", mu="s")
        .rv("v", "Normal", sigma="s", dims="g")
        .obs("o", "seen", [1.0])
        .build()
    )


def test_free_variables_lie_in_model_order_without_gaps() -> None:
    assert layout_of(example()) == Layout(
        (
            Entry("s", (), (), 0, 1),
            Entry("x", (2, 3), ("g", None), 1, 6),
            Entry("v", (2,), ("g",), 7, 2),
        ),
        9,
    )


def test_packing_and_unpacking_are_inverse() -> None:
    layout = layout_of(example())
    position = np.arange(9.0)
    unpacked = layout.unpack(position)
    assert unpacked["x"].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert unpacked["s"].shape == ()
    assert layout.pack(unpacked).tolist() == position.tolist()


def test_packing_broadcasts_and_refuses_what_does_not_fit() -> None:
    layout = layout_of(example())
    assert layout.pack({"s": 1, "x": [1, 2, 3], "v": 0.5}).tolist() == [1, 1, 2, 3, 1, 2, 3, 0.5, 0.5]
    with pytest.raises(ValueError, match="broadcast"):
        layout.pack({"s": [1.0, 2.0], "x": 0.0, "v": 0.0})
    with pytest.raises(KeyError):
        layout.pack({"s": 1.0})


def test_labels_follow_the_order_of_the_elements() -> None:
    layout = layout_of(example())
    assert layout.labels() == ["s", *(f"x[{i}, {j}]" for i in range(2) for j in range(3)), "v[0]", "v[1]"]
    assert len(layout.labels()) == layout.dimension


def test_a_model_without_free_variables() -> None:
    layout = layout_of(Builder().data("x", [1.0]).build())
    assert layout == Layout((), 0)
    assert layout.pack({}).shape == (0,)
    assert layout.unpack(np.empty(0)) == {}


def test_the_posterior_has_the_users_variables_whatever_the_parameterisation() -> None:
    source = schools().det("hidden", "mu + 1", keep=False).det("shown", "mu + 2").build()
    rewritten = rewrite(source).model
    assert [e.name for e in layout_of(rewritten).entries] == ["mu", "tau", "theta_raw"]
    assert posterior_names(source, rewritten) == ("mu", "tau", "theta", "shown")
