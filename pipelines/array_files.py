"""Tables out of Parquet, NetCDF and Zarr, by the libraries that know them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import xarray as xr

from exmc.errors import DataError
from exmc.ir.inputs import Labelled, as_labelled


def fetch(url: str, path: str) -> bytes:
    """The bytes at `url`, for which any file system of fsspec will do; raises `DataError`."""
    try:
        with fsspec.open(url, "rb") as file:
            raw: bytes = file.read()
        return raw
    except FileNotFoundError:
        raise _fault(f"there is nothing at {path!r}.") from None
    except ImportError as error:
        raise _fault(f"cannot read {path!r}: {error}.", "Install the package that this kind of URL needs.") from None
    except Exception as error:
        # Each of fsspec's file systems has exceptions of its own, for what is always the same: it cannot be read.
        raise _fault(f"cannot read {path!r}: {type(error).__name__}: {error}.") from error


def parquet_columns(raw: bytes, path: str) -> dict[str | None, Any]:
    """The columns of a Parquet file, each an array of shape (rows,); raises `DataError`."""
    try:
        frame = pd.read_parquet(io.BytesIO(raw))
    except (ValueError, OSError) as error:
        raise _fault(f"{path} cannot be read as Parquet: {error}.") from None
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def netcdf_columns(raw: bytes, path: str) -> dict[str | None, Any]:
    """The variables of a NetCDF file with their dims and labels; raises `DataError`."""
    try:
        dataset = xr.load_dataset(io.BytesIO(raw))
    except (ValueError, OSError, TypeError) as error:
        raise _fault(f"{path} cannot be read as NetCDF: {error}.") from None
    return _columns_of(dataset)


def zarr_columns(location: str, path: str) -> dict[str | None, Any]:
    """The variables of a Zarr store, a folder or a URL, with their dims and labels; raises `DataError`."""
    if "://" not in location and not Path(location).is_dir():
        raise _fault(f"there is no Zarr store {path!r} ({location}).")
    try:
        with warnings.catch_warnings():
            # That a store is not consolidated is no fault of its reader.
            warnings.simplefilter("ignore")
            return _columns_of(xr.open_zarr(location, chunks=None))
    except Exception as error:
        # What a store can throw depends on its codecs and, at a URL, on the file system.
        raise _fault(f"{path} cannot be read as Zarr: {type(error).__name__}: {error}.") from error


def _columns_of(dataset: xr.Dataset) -> dict[str | None, Any]:
    return {str(name): _labelled(dataset[name]) for name in dataset.variables}


def _labelled(array: xr.DataArray) -> Labelled:
    found = as_labelled(array, None, ("column",))
    return Labelled(array.values, found.dims, found.coords)


def _fault(message: str, remedy: str = "") -> DataError:
    return DataError(message, where=("path",), remedy=remedy)
