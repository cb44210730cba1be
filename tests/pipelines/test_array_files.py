"""Parquet, NetCDF and Zarr give what was written into them, from a path or a URL; a fault is one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from exmc.errors import DataError
from pipelines.data_files import DataFiles

# How Zarr keeps text is not final, which is no matter here.
pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

FRAME = pd.DataFrame(
    {"age": [31, 40, 25], "pay": [1.5, 2.0, 2.5], "town": ["Ulm", "Bonn", "Ulm"], "in": [True, False, True]}
)
DATASET = xr.Dataset(
    {"level": (("town", "day"), [[1.0, 2.0], [3.0, 4.0]]), "count": ("day", [3, 4]), "alone": 7.5},
    coords={"town": np.array(["Ulm", "Bonn"], dtype=object)},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FRAME.to_parquet(tmp_path / "d.parquet")
    DATASET.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    DATASET.to_netcdf(tmp_path / "old.nc", engine="scipy")
    DATASET.to_zarr(tmp_path / "d.zarr", consolidated=False)
    return tmp_path


@pytest.mark.parametrize(("column", "kind"), [("age", "i"), ("pay", "f"), ("in", "b")])
def test_parquet(column: str, kind: str, folder: Path) -> None:
    loaded = DataFiles(folder).load("d.parquet", column)
    assert loaded.values.tolist() == FRAME[column].tolist()
    assert loaded.values.dtype.kind == kind
    assert (loaded.dims, dict(loaded.coords)) == (None, {})


@pytest.mark.parametrize("name", ["d.nc", "old.nc", "d.zarr"])
def test_arrays_bring_their_dims_and_labels(name: str, folder: Path) -> None:
    files = DataFiles(folder)
    level = files.load(name, "level")
    assert level.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert level.dims == ("town", "day")
    assert dict(level.coords) == {"town": ("Ulm", "Bonn")}
    assert files.load(name, "count").values.tolist() == [3, 4]
    assert files.load(name, "alone").values.tolist() == 7.5
    assert files.load_labels(name, "town").labels == ["Ulm", "Bonn"]


@pytest.mark.parametrize("name", ["d.parquet", "d.nc", "d.zarr"])
def test_urls_are_read_by_fsspec(name: str, folder: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(folder / name), f"/bucket/{name}", recursive=True)
    column = "pay" if name == "d.parquet" else "level"
    try:
        here, there = (DataFiles(folder).load(path, column) for path in (name, f"memory://bucket/{name}"))
    finally:
        memory.rm("/bucket", recursive=True)
    np.testing.assert_array_equal(there.values, here.values)
    assert there.digest == here.digest


def test_a_zarr_store_is_known_by_the_values_that_are_used(folder: Path) -> None:
    before = DataFiles(folder).load("d.zarr", "level").digest
    DATASET.assign(count=DATASET["count"] + 1).to_zarr(folder / "other.zarr", consolidated=False)
    DATASET.assign(level=DATASET["level"] + 1).to_zarr(folder / "changed.zarr", consolidated=False)
    assert DataFiles(folder).load("other.zarr", "level").digest == before
    assert DataFiles(folder).load("changed.zarr", "level").digest != before


@pytest.mark.parametrize(
    ("path", "column", "message"),
    [
        ("d.parquet", "wage", "no column 'wage'"),
        ("d.parquet", "town", r"row 0: 'Ulm' is not a number.*factor"),
        ("d.parquet", None, "has 4 columns"),
        ("text.parquet", "a", "cannot be read as Parquet"),
        ("text.nc", "a", "cannot be read as NetCDF"),
        ("none.zarr", "a", "there is no Zarr store 'none.zarr'"),
        ("empty.zarr", "a", "cannot be read as Zarr"),
        ("memory://nowhere/d.csv", "a", "there is nothing at"),
        ("nosuch://nowhere/d.csv", "a", "cannot read 'nosuch://nowhere/d.csv'"),
        ("none.parquet", "a", "there is no file"),
    ],
)
def test_faults(path: str, column: Any, message: str, folder: Path) -> None:
    for name in ("text.parquet", "text.nc"):
        (folder / name).write_text("no such thing")
    (folder / "empty.zarr").mkdir()
    with pytest.raises(DataError, match=message):
        DataFiles(folder).load(path, column)
