"""The metadata files of a Zarr v3 store, as JSON: made, read, and gathered in the root.

They are written here because Zarr takes milliseconds an array for it; a test holds every byte against Zarr's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from exmc.errors import StoreError
from exmc.trace import chunks
from exmc.trace.files import ROOT, Location, each, folders, write_whole


def consolidated(path: Location, order: Iterable[str], attributes: Mapping[str, Any]) -> bytes:
    """The root of the store at `path` with the metadata of all of it, as Zarr gathers them, the nodes of `order` first.

    Zarr takes the order of directory entries, which differs between two runs with the same results, and readers see
    the variables in that order.
    """
    ranked = {node: i for i, node in enumerate(order)}

    def rank(node: str) -> tuple[int, int, str]:
        # Zarr reads a group's members only where they follow each other without a gap.
        group = node.split("/")[0]
        return ranked.get(group, len(ranked)), -1 if node == group else ranked.get(node, len(ranked)), node

    nodes = sorted((node for node, files in folders(path).items() if any(f.name == ROOT for f in files)), key=rank)
    metadata = each(lambda node: read_metadata(path / node / ROOT), nodes, path)
    gathered = {"kind": "inline", "must_understand": False, "metadata": dict(zip(nodes, metadata, strict=True))}
    return encode(group_document(attributes) | {"consolidated_metadata": gathered})


def group_document(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a group."""
    return {"attributes": dict(attributes), "zarr_format": 3, "node_type": "group"}


def array_document(dtype: str, shape: Sequence[int], chunk_shape: Sequence[int], dims: Sequence[str]) -> dict[str, Any]:
    """The metadata of an array of `dtype` (a number's, or ``string``), whose chunks have checksums, uncompressed."""
    text = dtype == "string"
    endian = {} if np.dtype("bool" if text else dtype).itemsize == 1 else {"configuration": {"endian": "little"}}
    encoding = {"name": "vlen-utf8", "configuration": {}} if text else {"name": "bytes"} | endian
    fill = "" if text else chunks.fill_value(np.dtype(dtype))
    chunk = [max(int(n), 1) for n in chunk_shape]
    return {
        "shape": [int(n) for n in shape],
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": "NaN" if fill != fill else fill,
        "codecs": [encoding, {"name": "crc32c"}],
        "attributes": {},
        # Zarr leaves the key out for an array without axes.
        **({"dimension_names": list(dims)} if dims else {}),
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


def write(folder: Location, document: Mapping[str, Any]) -> None:
    """Write the metadata of the group or array in `folder`."""
    write_whole(folder / ROOT, encode(document))


def encode(document: Mapping[str, Any]) -> bytes:
    """Metadata as their file holds them."""
    return json.dumps(document, indent=2).encode()


def read_metadata(path: Location) -> dict[str, Any]:
    """The metadata of a group or an array in the file `path`; raises `StoreError` if they cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"its metadata cannot be read: {error}.", where=(str(path),), remedy="Resume the run: it repairs this."
        ) from None
    if not (isinstance(found, dict) and "node_type" in found and isinstance(found.get("attributes", {}), dict)):
        raise StoreError("its metadata are damaged.", where=(str(path),), remedy="Resume the run: it repairs this.")
    return found
