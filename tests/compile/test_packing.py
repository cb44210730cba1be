"""How data are arranged for machine code: exactly, large ones as small ones."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile import packing
from exmc.compile.packing import Layout, Packing, tiled


def test_tiles_hold_rows_column_by_column() -> None:
    matrix = np.arange(10.0).reshape(5, 2)
    tiles = tiled(matrix, 4)
    assert tiles.shape == (2, 2, 4)
    np.testing.assert_array_equal(tiles[0], matrix[:4].T)
    np.testing.assert_array_equal(tiles[1], [[8.0, 0.0, 0.0, 0.0], [9.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize("large", [1, 2**40])
def test_large_tiles_are_those_of_small_ones(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_LARGE", large)
    matrix = np.random.default_rng(0).normal(size=(37, 3))
    tiles = tiled(matrix, 8)
    np.testing.assert_array_equal(tiles.transpose(0, 2, 1).reshape(-1, 3)[:37], matrix)
    assert not tiles[-1, :, 5:].any()


def test_the_table_holds_scalars_then_each_layout_then_embedded_tables() -> None:
    index, rows = np.array([2, 0, 2, 1]), np.arange(4.0)
    inner = Packing((0,), (), {})
    whole = Packing(
        (5,),
        (
            Layout(1, "float64", (0,), ("sorted", 2)),
            Layout(2, "int8", (0,), ("starts", 4)),
            Layout(9, "float64", ()),
        ),
        {9: 2.5},
        ((inner, {0: np.array(7.0)}),),
    )
    found = whole.arrays({1: rows, 2: index, 5: np.array(3)})
    assert len(found) == whole.entries == 5
    assert [a.tolist() for a in found] == [[3.0], [1.0, 3.0, 0.0, 2.0], [0, 1, 2, 4, 4], [2.5], [7.0]]
    assert found[2].dtype == np.int8
