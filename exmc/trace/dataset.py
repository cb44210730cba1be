"""From named arrays to an xarray `DataTree` in the ArviZ schema."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exmc.errors import StoreError, suggest
from exmc.late import Late
from exmc.trace.schema import GROUPS, SAMPLE_DIMS, Schema, Variable, label_array

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
else:
    pd, xr = Late("pandas"), Late("xarray")

LIBRARY = "exmc"


def standard_attributes(created_at: str | None = None) -> dict[str, Any]:
    """The attributes of every group: when it was created (ISO 8601, UTC) and by which library."""
    version = _version()
    return {
        "created_at": created_at or datetime.datetime.now(datetime.UTC).isoformat(),
        "creation_library": LIBRARY,
        "creation_library_version": version,
        "inference_library": LIBRARY,
        "inference_library_version": version,
    }


def build_datatree(
    schema: Schema,
    groups: Mapping[str, Mapping[str, ArrayLike]],
    attributes: Mapping[str, Any] | None = None,
    *,
    chains: Sequence[int] | None = None,
) -> xr.DataTree:
    """A `DataTree` of `groups`, in memory.

    Parameters
    ----------
    schema
        Names, dims and labels. The numbers of chains and draws are those of the arrays.
    groups
        Arrays by group and name, of shape (chain, draw, ...), or the variable's own shape in groups of data.
    attributes
        Provenance, kept in the root. It overrides `standard_attributes`, which every group has.
    chains
        Labels of the chains, by default 0, 1, ….

    Raises
    ------
    StoreError
        For a group or variable that is not in the schema, and arrays that do not fit it.
    """
    given = dict(attributes or {})
    standard = standard_attributes(given.get("created_at"))
    standard |= {key: given[key] for key in standard if key in given}
    tree: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=standard | given)}
    for group in sorted(groups, key=_rank):
        arrays = {name: np.asarray(values) for name, values in groups[group].items()}
        dataset = build_dataset(schema, group, arrays, chains)
        tree[group] = dataset.assign_attrs(group_attributes(group, standard))
    return xr.DataTree.from_dict(tree)


def build_dataset(
    schema: Schema, group: str, arrays: Mapping[str, NDArray[Any]], chains: Sequence[int] | None = None
) -> xr.Dataset:
    """One group of `build_datatree`, its variables in the schema's order."""
    known = {v.name: v for v in schema.groups.get(group, ())}
    for name in arrays:
        if name not in known:
            raise StoreError(f"{name!r} is not in the schema.", where=(group,), remedy=suggest(name, known))
    ordered = [v for v in known.values() if v.name in arrays]
    lengths = {variable.name: _sample_shape(group, variable, arrays[variable.name]) for variable in ordered}
    if len(set(lengths.values())) > 1:
        raise StoreError(f"the arrays have different numbers of chains or draws: {lengths}.", where=(group,))
    sample_shape = next(iter(lengths.values()), ())
    variables = {v.name: (schema.dims(group, v), arrays[v.name].astype(v.dtype, copy=False)) for v in ordered}
    labels = coordinates(schema, group, ordered, sample_shape, chains)
    # Of an array xarray would ask Dask, for the time that Dask takes to import, whether it is one of its own.
    return xr.Dataset(variables, {dim: pd.Index(array, dtype=array.dtype) for dim, array in labels.items()})


def coordinates(
    schema: Schema,
    group: str,
    variables: Sequence[Variable],
    sample_shape: tuple[int, ...],
    chains: Sequence[int] | None = None,
) -> dict[str, NDArray[Any]]:
    """Labels of every dim of a group: of its sample dimensions first, then of its variables'."""
    found: dict[str, NDArray[Any]] = {}
    if sample_shape:
        whole = range(sample_shape[0])
        labels = whole if chains is None or GROUPS[group] == "prior" else chains
        found["chain"] = np.array(labels, dtype=np.int64)
        found["draw"] = np.arange(sample_shape[1])
    for variable in variables:
        for dim in variable.dims:
            found.setdefault(dim, label_array(schema.coords[dim]))
    return found


@functools.cache
def _version() -> str:
    return importlib.metadata.version(LIBRARY)


def group_attributes(group: str, standard: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of `group`: the standard ones and, where it has them, its sample dimensions."""
    sampled = {"sample_dims": list(SAMPLE_DIMS)} if GROUPS[group] != "data" else {}
    return {key: standard[key] for key in standard_attributes("") if key in standard} | sampled


def _sample_shape(group: str, variable: Variable, values: NDArray[Any]) -> tuple[int, ...]:
    leading = 0 if GROUPS[group] == "data" else 2
    if values.ndim != leading + len(variable.shape) or values.shape[leading:] != variable.shape:
        wanted = ", ".join(map(str, (*SAMPLE_DIMS[:leading], *variable.shape)))
        raise StoreError(f"an array has shape {values.shape}, not ({wanted}).", where=(group, variable.name))
    return values.shape[:leading]


def _rank(group: str) -> int:
    if group not in GROUPS:
        raise StoreError(f"there is no group {group!r}.", remedy=suggest(group, GROUPS))
    return list(GROUPS).index(group)
