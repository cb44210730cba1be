"""The metadata files of a Zarr store, as JSON: read, and gathered in the root."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exmc.errors import StoreError
from exmc.trace import chunks


def consolidate(path: Path, order: Iterable[str]) -> None:
    """Gather the metadata of the whole store at `path` in its root, as Zarr does, the nodes of `order` first.

    Zarr takes the order of directory entries, which differs between two runs with the same results, and readers see
    the variables in that order.
    """
    ranked = {node: i for i, node in enumerate(order)}

    def rank(node: str) -> tuple[int, int, str]:
        # Zarr reads a group's members only where they follow each other without a gap.
        group = node.split("/")[0]
        return ranked.get(group, len(ranked)), -1 if node == group else ranked.get(node, len(ranked)), node

    present = (p.parent.relative_to(path).as_posix() for p in path.rglob("zarr.json") if p.parent != path)
    nodes = sorted(present, key=rank)
    metadata = {node: read_metadata(path / node / "zarr.json") for node in nodes}
    root = read_metadata(path / "zarr.json")
    root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": metadata}
    chunks.replace_file(path / "zarr.json", json.dumps(root, indent=2).encode())


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON object in the file `path`; raises `StoreError` if it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"its metadata cannot be read: {error}.", where=(str(path),), remedy="Restore it from a copy."
        ) from None
    if not isinstance(found, dict):
        raise StoreError("its metadata are damaged.", where=(str(path),), remedy="Restore it from a copy.")
    return found
