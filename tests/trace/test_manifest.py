"""Any change to a finished store is found, byte by byte and file by file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exmc.errors import StoreError
from exmc.trace import chunks
from exmc.trace.files import write_whole
from exmc.trace.manifest import check_root, is_as_finished, write_manifest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A run directory's store of one array, with the manifest written."""
    path = tmp_path / "run.zarr"
    (path / "posterior" / "mu").mkdir(parents=True)
    for folder in (path, path / "posterior", path / "posterior" / "mu"):
        (folder / "zarr.json").write_text("{}")
    for number in (0, 1):
        write_whole(path / "posterior" / "mu" / f"c.{number}", chunks.encode(np.full(3, float(number)), 3))
    write_manifest(tmp_path, path, (path / "zarr.json").read_bytes())
    return path


def swapped(array: Path) -> None:
    os.rename(array / "c.0", array / "c.2")
    os.rename(array / "c.1", array / "c.0")
    os.rename(array / "c.2", array / "c.1")


def flipped(array: Path) -> None:
    content = (array / "c.0").read_bytes()
    (array / "c.0").write_bytes(bytes([content[0] ^ 1]) + content[1:])


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        flipped,
        lambda array: (array / "c.1").unlink(),
        lambda array: os.truncate(array / "c.1", 2),
        lambda array: os.truncate(array / "c.1", 0),
        lambda array: (array / "c.9").write_bytes((array / "c.0").read_bytes()),
        lambda array: (array / "zarr.json").write_text("[]"),
        lambda array: (array.parent / "zarr.json").unlink(),
        lambda array: (array.parent / "nu").mkdir(),
    ],
)
def test_what_changed_is_found(change: Callable[[Path], None], store: Path) -> None:
    assert is_as_finished(store.parent, store)
    change(store / "posterior" / "mu")
    assert not is_as_finished(store.parent, store)


def test_leftovers_of_killed_writers_are_no_change(store: Path) -> None:
    (store / "posterior" / "mu" / ".c.0.1-ab.partial").touch()
    assert is_as_finished(store.parent, store)


def test_readers_are_kept_from_changed_metadata(store: Path) -> None:
    check_root(store.parent, store)
    (store / "zarr.json").write_text('{"shape": 1}')
    with pytest.raises(StoreError, match=r"not as they were written.*Resume"):
        check_root(store.parent, store)
