"""The groups of a store on disk: their metadata and coordinates, and the arrays that are written whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exmc.errors import StoreError, suggest
from exmc.trace import arrays, files, metadata
from exmc.trace.dataset import coordinates, group_attributes
from exmc.trace.files import Location
from exmc.trace.schema import GROUPS, Schema, Variable


def create(
    path: Location,
    schema: Schema,
    groups: Iterable[str],
    chunk_draws: int,
    attributes: Mapping[str, Any],
    chains: Sequence[int],
) -> None:
    """The arrays of `groups`, empty but with coordinates, of a store at `path` the root of which has `attributes`.

    The root itself is left to the caller: what is at `path` is a store only with it.
    """
    found = ((group, schema.groups[group], schema.sample_shape(group)) for group in groups)
    _create_groups(path, schema, found, chunk_draws, attributes, chains)


def add(
    path: Location,
    schema: Schema,
    group: str,
    given: Mapping[str, ArrayLike],
    chunk_draws: int,
    attributes: Mapping[str, Any],
    chains: Sequence[int],
) -> None:
    """Add `group`, with the arrays `given`, to the store at `path` the root of which has `attributes`.

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
    _create_groups(path, schema, [(group, variables, sample_shape)], chunk_draws, attributes, chains)
    for variable in variables:
        found, wanted = values[variable.name], (*sample_shape, *variable.shape)
        if found.shape != wanted:
            raise StoreError(f"the array has shape {found.shape}, not {wanted}.", where=(group, variable.name))
        if sample_shape:
            arrays.write(path / group / variable.name, found, chunk_draws)
        else:
            arrays.write_whole(path / group / variable.name, found)


def _create_groups(
    path: Location,
    schema: Schema,
    groups: Iterable[tuple[str, Sequence[Variable], tuple[int, ...]]],
    chunk_draws: int,
    attributes: Mapping[str, Any],
    chains: Sequence[int],
) -> None:
    """Metadata and coordinates of groups: the name, variables and sample shape of each."""
    documents: list[tuple[Location, dict[str, Any]]] = []
    labelled: list[tuple[Location, NDArray[Any]]] = []
    for group, variables, sample_shape in groups:
        folder = path / group
        documents.append((folder, metadata.group_document(group_attributes(group, attributes))))
        for variable in variables:
            chunk = (1, chunk_draws, *variable.shape) if sample_shape else variable.shape
            shape, dims = (*sample_shape, *variable.shape), schema.dims(group, variable)
            documents.append((folder / variable.name, metadata.array_document(variable.dtype, shape, chunk, dims)))
        for dim, labels in coordinates(schema, group, variables, sample_shape, chains).items():
            dtype = "string" if labels.dtype.kind == "O" else labels.dtype.name
            documents.append((folder / dim, metadata.array_document(dtype, labels.shape, labels.shape, (dim,))))
            if len(labels):
                labelled.append((folder / dim, labels))
    files.each(lambda item: metadata.write(*item), documents, path)
    files.each(lambda item: arrays.write_whole(*item), labelled, path)
