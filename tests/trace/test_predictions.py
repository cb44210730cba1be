"""A store of predictions is a plain Zarr store, there as a whole or not at all, and overwrites nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from exmc.errors import StoreError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.ir.renew import with_new_data
from exmc.trace.dataset import build_datatree
from exmc.trace.predictions import PredictionStore
from exmc.trace.schema import Schema, predictions_schema

CHAINS = (0, 2)


def model() -> Model:
    source = (
        Builder()
        .coords(g=["a", "b", "c"])
        .data("x", [1.0, 2.0, 3.0], dims="g")
        .data("seen", [1, 2, 3], dims="g")
        .data("mask", [True, False, True], dims="g")
        .rv("b", "Normal", mu=0, sigma=1)
        .det("m", "b * x")
        .rv("y", "Poisson", mu="exp(m)", observed="seen", mask="mask")
        .build()
    )
    return with_new_data(source, {"y": [3, 2, 1]}, {}).model


def schema() -> Schema:
    return predictions_schema(model(), ["m", "y"], ["y"], 5, 2)


def drawn() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    predictions = {"m": rng.normal(size=(2, 5, 3)), "y": rng.integers(0, 9, (2, 5, 3))}
    return {"predictions": predictions, "log_likelihood": {"y": rng.normal(size=(2, 5, 2))}}


DATA = {
    "observed_data": {"y": np.array([3, 1])},
    "predictions_constant_data": {"x": np.arange(3.0), "mask": np.array([True, False, True])},
}


def written(path: Path) -> PredictionStore:
    store = PredictionStore.create(path, schema(), 2, CHAINS, {"seed": 7})
    for chain in range(2):
        for first in (0, 2, 4):
            part = slice(first, first + 2)
            groups = {g: {n: a[chain, part] for n, a in arrays.items()} for g, arrays in drawn().items()}
            store.write(chain, first, groups)
    return store


def test_it_holds_what_a_tree_in_memory_holds(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "p.zarr"
    store = written(path)
    assert not path.exists()
    store.finish(DATA)
    assert [p.name for p in path.parent.iterdir()] == ["p.zarr"]
    found = xr.open_datatree(path, engine="zarr", consolidated=True).load()
    expected = build_datatree(schema(), drawn() | DATA, {"seed": 7}, chains=CHAINS)
    assert set(found.children) == set(expected.children)
    for name in expected.children:
        xr.testing.assert_equal(found[name].to_dataset(), expected[name].to_dataset())
        types = {n: v.dtype for n, v in expected[name].data_vars.items()}
        assert {n: v.dtype for n, v in found[name].data_vars.items()} == types
    assert found["log_likelihood"]["y"].dims == ("chain", "draw", "y_kept")
    assert found["log_likelihood"]["y"]["y_kept"].values.tolist() == ["a", "c"]
    assert found["predictions"]["y"]["g"].values.tolist() == ["a", "b", "c"]
    assert found.attrs["seed"] == 7


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "p.zarr"
    one, other = written(path), written(path)
    one.finish(DATA)
    before = sorted(p.read_bytes() for p in path.rglob("*") if p.is_file())
    with pytest.raises(StoreError, match="something is there already"):
        other.finish(DATA)
    other.discard()
    with pytest.raises(StoreError, match="something is there already"):
        PredictionStore.create(path, schema(), 2, CHAINS, {})
    assert sorted(p.read_bytes() for p in path.rglob("*") if p.is_file()) == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.zarr"]
