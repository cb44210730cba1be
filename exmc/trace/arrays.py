"""Whole arrays of draws as chunk files: written, read, or taken over from another store at once."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.trace import chunks
from exmc.trace.schema import Variable


def write(folder: Path, values: NDArray[Any], chunk_draws: int) -> None:
    """Write the chunks of draws, shape (chain, draw, ...), of the array in `folder`."""
    event = (0,) * (values.ndim - 2)
    for chain in range(values.shape[0]):
        for number in range(-(-values.shape[1] // chunk_draws)):
            block = values[chain, number * chunk_draws : (number + 1) * chunk_draws]
            path = chunks.chunk_path(folder, chain, number, *event)
            chunks.replace_file(path, chunks.encode(block, chunk_draws))


def write_whole(folder: Path, values: NDArray[Any]) -> None:
    """Write the single chunk of the array in `folder` that has no sample dimensions; strings come as objects."""
    path = chunks.chunk_path(folder, *(0,) * values.ndim)
    encoded = chunks.encode_text(values) if values.dtype.kind == "O" else chunks.encode(values[None], 1)
    chunks.replace_file(path, encoded)


def link(source: Path, target: Path, variable: Variable, chains: Sequence[int], rows: int, chunk_draws: int) -> None:
    """Give the array in `target` the first `rows` draws of `chains`, in that order, of the one in `source`.

    Files are shared by hard links; only a chunk that holds surplus draws is written anew. Chunks not there stay away.
    The folder `target` must exist.
    """
    event = (0,) * len(variable.shape)
    for position, chain in enumerate(chains):
        for number in range(-(-rows // chunk_draws)):
            old = chunks.chunk_path(source, chain, number, *event)
            new = chunks.chunk_path(target, position, number, *event)
            wanted = rows - number * chunk_draws
            try:
                # One that is damaged is taken over as it is, for `Journal.damage` to find.
                if wanted < chunk_draws and chunks.is_whole(old):
                    values = _decode(old.read_bytes(), variable, chunk_draws)[:wanted]
                    chunks.replace_file(new, chunks.encode(values, chunk_draws))
                else:
                    _link(old, new)
            except FileNotFoundError:
                continue


def read(folder: Path, variable: Variable, chains: Sequence[int], rows: int, chunk_draws: int) -> NDArray[Any]:
    """The first `rows` draws of `chains` of the array in `folder`, shape (chain, draw, ...), each checksum verified.

    Zarr needs about two milliseconds a chunk for it, a hundred times as long. Raises `StoreError` for a chunk that is
    missing or damaged.
    """
    event = (0,) * len(variable.shape)
    found = np.empty((len(chains), rows, *variable.shape), dtype=variable.dtype)
    for position, chain in enumerate(chains):
        for number in range(-(-rows // chunk_draws)):
            path = chunks.chunk_path(folder, chain, number, *event)
            fault: str | None = "is missing"
            try:
                encoded = path.read_bytes()
                fault = chunks.fault_in(encoded, variable.bytes_per_draw * chunk_draws + chunks.CRC_BYTES)
            except FileNotFoundError:
                pass
            if fault:
                raise StoreError(
                    f"the chunk {fault}.", where=(str(path),), remedy="Resume the run: it repairs this."
                ) from None
            block = found[position, number * chunk_draws : (number + 1) * chunk_draws]
            block[...] = _decode(encoded, variable, chunk_draws)[: len(block)]
    return found


def _decode(encoded: bytes, variable: Variable, rows: int) -> NDArray[Any]:
    payload = np.frombuffer(encoded[: -chunks.CRC_BYTES], dtype=np.dtype(variable.dtype).newbyteorder("<"))
    return payload.reshape(rows, *variable.shape).astype(variable.dtype, copy=False)


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError as error:
        # File systems without hard links, or with too many of one file.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EMLINK):
            raise
        shutil.copy2(old, new)
