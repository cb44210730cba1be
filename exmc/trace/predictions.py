"""A Zarr store of predictions, written part by part and put in its place when it is whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

from exmc.errors import StoreError
from exmc.trace import chunks, files, groups, metadata
from exmc.trace.dataset import standard_attributes
from exmc.trace.files import ROOT, Location
from exmc.trace.schema import GROUPS, Schema


@dataclass(frozen=True, slots=True)
class PredictionStore:
    """A store that is being written beside the `path` it will have.

    Its chunks hold `chunk_draws` draws of one chain each; `chains` are the chains' labels.
    """

    path: Location
    building: Location
    schema: Schema
    chunk_draws: int
    chains: tuple[int, ...]
    attributes: Mapping[str, Any]

    @classmethod
    def create(
        cls, path: Location, schema: Schema, chunk_draws: int, chains: Sequence[int], attributes: Mapping[str, Any]
    ) -> PredictionStore:
        """An empty store for `path`; raises `StoreError` if something is there already."""
        refuse_existing(path)
        building = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.building")
        drawn = [group for group in schema.groups if GROUPS[group] != "data"]
        root = standard_attributes() | dict(attributes)
        store = cls(path, building, schema, chunk_draws, tuple(chains), root)
        try:
            groups.create(building, schema, drawn, chunk_draws, root, chains)
        except OSError:
            store.discard()
            raise
        return store

    def write(self, chain: int, first: int, arrays: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Write draws `first`, … of the chain in that place, a whole chunk or the last: arrays (draws, ...)."""
        for group, found in arrays.items():
            known = {v.name: v for v in self.schema.groups[group]}
            for name, values in found.items():
                event = (0,) * (values.ndim - 1)
                target = chunks.chunk_path(self.building / group / name, chain, first // self.chunk_draws, *event)
                block = values.astype(known[name].dtype, copy=False)
                files.write_whole(target, chunks.encode(block, self.chunk_draws))

    def finish(self, data: Mapping[str, Mapping[str, ArrayLike]]) -> None:
        """Add the groups of `data` and put the store in its place, at once; `StoreError` if another is there now."""
        for group, given in data.items():
            groups.add(self.building, self.schema, group, given, self.chunk_draws, self.attributes, self.chains)
        root = metadata.consolidated(self.building, self.schema.paths(), self.attributes)
        files.write_whole(self.building / ROOT, root)
        refuse_existing(self.path)
        files.move_store(self.building, self.path)

    def discard(self) -> None:
        """Remove what was written, unless it is in its place."""
        files.remove(self.building)


def refuse_existing(path: Location) -> None:
    """Raise `StoreError` if there is anything at `path`."""
    if path.exists() or path.is_symlink():
        message = "something is there already."
        raise StoreError(message, where=(str(path),), remedy="Choose another with --name or --out.")
