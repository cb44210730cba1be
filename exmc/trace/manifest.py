"""What a finished store held when it was finished, by which any later change of a byte is found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from exmc.errors import StoreError
from exmc.trace import chunks
from exmc.trace.description import STATE
from exmc.trace.sealed import intact, read_sealed, write_sealed

MANIFEST = "finished.json"
_METADATA = "zarr.json"


def write_manifest(directory: Path, store: Path) -> None:
    """Record every file of the finished `store`, which is about to become that of the run in `directory`."""
    folders = {folder: _digest(store / folder, thorough=False) for folder in _folders(store)}
    write_sealed(directory / STATE / MANIFEST, {"root": _root(store), "folders": folders})


def is_as_finished(directory: Path, store: Path) -> bool:
    """Whether each file of `store` is there and as the manifest in `directory` says; reads every byte."""
    path = directory / STATE / MANIFEST
    if not intact(path):
        return False
    recorded = read_sealed(path)
    found = {folder: _digest(store / folder, thorough=True) for folder in _folders(store)}
    return recorded == {"root": _root(store), "folders": found}


def check_root(directory: Path, store: Path) -> None:
    """Raise `StoreError` unless the metadata in the root of the finished `store` are those of the manifest.

    All that xarray needs to find and read arrays is gathered there; the chunks of these have their own checksums.
    """
    try:
        expected = read_sealed(directory / STATE / MANIFEST)["root"]
    except FileNotFoundError:
        expected = ""
    if expected != _root(store):
        raise StoreError(
            "the metadata of the store are not as they were written.",
            where=(str(store / _METADATA),),
            remedy="Resume the run: it repairs this.",
        )


def _folders(store: Path) -> Iterator[str]:
    return (p.relative_to(store).as_posix() for p in sorted(store.rglob("*")) if p.is_dir())


def _root(store: Path) -> str:
    return hashlib.sha256((store / _METADATA).read_bytes()).hexdigest()


def _digest(folder: Path, thorough: bool) -> str:
    """SHA-256 of the names and checksums of the files in `folder`; chunks are read as a whole only if `thorough`."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.name == _METADATA:
            found = f"{chunks.checksum(path.read_bytes()):08x}"
        else:
            found = _chunk_checksum(path) if not thorough or chunks.is_whole(path) else "damaged"
        lines.append(f"{path.name} {found}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _chunk_checksum(path: Path) -> str:
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - chunks.CRC_BYTES, 0))
        return f"{path.stat().st_size} {file.read().hex()}"
