"""What a finished store held when it was finished, by which any later change of a byte is found."""

from __future__ import annotations

import hashlib

from exmc.errors import StoreError
from exmc.trace import chunks, files
from exmc.trace.description import STATE
from exmc.trace.files import ROOT, Location
from exmc.trace.sealed import intact, read_sealed, write_sealed

MANIFEST = "finished.json"


def write_manifest(directory: Location, store: Location, root: bytes) -> None:
    """Record every file of `store`, which with the root `root` becomes the finished one of the run in `directory`."""
    document = {"root": hashlib.sha256(root).hexdigest(), "folders": _folders(store, thorough=False)}
    write_sealed(directory / STATE / MANIFEST, document)


def is_as_finished(directory: Location, store: Location) -> bool:
    """Whether each file of `store` is there and as the manifest in `directory` says; reads every byte."""
    path = directory / STATE / MANIFEST
    if not intact(path):
        return False
    return read_sealed(path) == {"root": _root(store), "folders": _folders(store, thorough=True)}


def check_root(directory: Location, store: Location) -> None:
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
            where=(str(store / ROOT),),
            remedy="Resume the run: it repairs this.",
        )


def _root(store: Location) -> str:
    return hashlib.sha256((store / ROOT).read_bytes()).hexdigest()


def _folders(store: Location, thorough: bool) -> dict[str, str]:
    """SHA-256 of the names and checksums of the files in each folder; chunks are read as a whole only if `thorough`."""
    found = files.folders(store)
    everything = [path for paths in found.values() for path in paths]
    lines = iter(files.each(lambda path: _line(path, thorough), everything, store))
    return {
        folder: hashlib.sha256("".join(next(lines) for _ in paths).encode()).hexdigest()
        for folder, paths in found.items()
    }


def _line(path: Location, thorough: bool) -> str:
    if path.name == ROOT:
        found = f"{chunks.checksum(path.read_bytes()):08x}"
    elif not thorough or chunks.is_whole(path):
        size, crc = files.tail(path, chunks.CRC_BYTES)
        found = f"{size} {crc.hex()}"
    else:
        found = "damaged"
    return f"{path.name} {found}\n"
