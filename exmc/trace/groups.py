"""The groups of a store on disk: their metadata and coordinates, and the arrays that are written whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from exmc.errors import StoreError, suggest
from exmc.trace import arrays, metadata
from exmc.trace.dataset import coordinates, group_attributes
from exmc.trace.schema import GROUPS, Schema, Variable


def create(
    path: Path,
    schema: Schema,
    groups: Iterable[str],
    chunk_draws: int,
    attributes: Mapping[str, Any],
    chains: Sequence[int],
) -> None:
    """A store at `path`, where nothing may be, with the arrays of `groups`: empty, but with coordinates."""
    path.mkdir()
    metadata.write(path, metadata.group_document(attributes))
    for group in groups:
        _create_group(path, schema, group, schema.groups[group], schema.sample_shape(group), chunk_draws, chains)


def add(
    path: Path,
    schema: Schema,
    group: str,
    given: Mapping[str, ArrayLike],
    chunk_draws: int,
    chains: Sequence[int],
) -> None:
    """Add `group`, with the arrays `given`, to the store at `path`.

    Raises `StoreError` for a variable that is not in the schema, or of another shape.
    """
    known = {v.name: v for v in schema.groups.get(group, ())}
    for name in given:
        if name not in known:
            raise StoreError(f"{name!r} is not in the schema of this run.", where=(group,), remedy=suggest(name, known))
    variables = [v for v in known.values() if v.name in given]
    values = {v.name: np.asarray(given[v.name]).astype(v.dtype, copy=False) for v in variables}
    sample_shape = schema.sample_shape(group)
    if GROUPS[group] == "prior":
        # How many draws of the prior there are is not in the schema.
        sample_shape = next((a.shape[:2] for a in values.values()), sample_shape)
    _create_group(path, schema, group, variables, sample_shape, chunk_draws, chains)
    for variable in variables:
        found, wanted = values[variable.name], (*sample_shape, *variable.shape)
        if found.shape != wanted:
            raise StoreError(f"the array has shape {found.shape}, not {wanted}.", where=(group, variable.name))
        if sample_shape:
            arrays.write(path / group / variable.name, found, chunk_draws)
        else:
            arrays.write_whole(path / group / variable.name, found)


def _create_group(
    path: Path,
    schema: Schema,
    group: str,
    variables: Sequence[Variable],
    sample_shape: tuple[int, ...],
    chunk_draws: int,
    chains: Sequence[int],
) -> None:
    standard = metadata.read_metadata(path / "zarr.json")["attributes"]
    metadata.write(path / group, metadata.group_document(group_attributes(group, standard)))
    for variable in variables:
        chunk = (1, chunk_draws, *variable.shape) if sample_shape else variable.shape
        shape, dims = (*sample_shape, *variable.shape), schema.dims(group, variable)
        metadata.write(path / group / variable.name, metadata.array_document(variable.dtype, shape, chunk, dims))
    for dim, labels in coordinates(schema, group, variables, sample_shape, chains).items():
        dtype = "string" if labels.dtype.kind == "O" else labels.dtype.name
        metadata.write(path / group / dim, metadata.array_document(dtype, labels.shape, labels.shape, (dim,)))
        if len(labels):
            arrays.write_whole(path / group / dim, labels)
