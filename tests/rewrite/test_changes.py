"""Names for what passes add."""

from __future__ import annotations

from exmc.ir.builder import Builder
from exmc.rewrite.changes import unused_name


def test_names_of_variables_data_and_dims_are_avoided() -> None:
    model = Builder().coords(g=["a"]).data("x", [1.0]).data("x_", [1.0]).rv("y", "Normal").build()
    assert [unused_name(n, model) for n in ("free", "x", "y", "g")] == ["free", "x__", "y_", "g_"]
