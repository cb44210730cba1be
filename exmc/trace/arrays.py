"""Whole arrays of draws as chunk files: written, read, or taken over from another store at once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.trace import chunks, files
from exmc.trace.files import Location
from exmc.trace.schema import Variable


def write(folder: Location, values: NDArray[Any], chunk_draws: int) -> None:
    """Write the chunks of draws, shape (chain, draw, ...), of the array in `folder`."""
    event = (0,) * (values.ndim - 2)

    def put(position: tuple[int, int]) -> None:
        chain, number = position
        block = values[chain, number * chunk_draws : (number + 1) * chunk_draws]
        files.write_whole(chunks.chunk_path(folder, chain, number, *event), chunks.encode(block, chunk_draws))

    files.each(put, product(range(values.shape[0]), range(-(-values.shape[1] // chunk_draws))), folder)


def write_whole(folder: Location, values: NDArray[Any]) -> None:
    """Write the single chunk of the array in `folder` that has no sample dimensions; strings come as objects."""
    path = chunks.chunk_path(folder, *(0,) * values.ndim)
    encoded = chunks.encode_text(values) if values.dtype.kind == "O" else chunks.encode(values[None], 1)
    files.write_whole(path, encoded)


def link(
    source: Location, target: Location, variable: Variable, chains: Sequence[int], rows: int, chunk_draws: int
) -> None:
    """Give the array in `target` the first `rows` draws of `chains`, in that order, of the one in `source`.

    Files are shared by hard links; only a chunk that holds surplus draws is written anew. Chunks not there stay away.
    The folder `target` must exist.
    """
    event = (0,) * len(variable.shape)

    def take(position: tuple[tuple[int, int], int]) -> None:
        (place, chain), number = position
        old = chunks.chunk_path(source, chain, number, *event)
        new = chunks.chunk_path(target, place, number, *event)
        wanted = rows - number * chunk_draws
        # One that is damaged is taken over as it is, for `Journal.damage` to find.
        with contextlib.suppress(FileNotFoundError):
            if wanted < chunk_draws and chunks.is_whole(old):
                held = old.read_bytes()
                shorter = chunks.encode(_decode(held, variable, chunk_draws)[:wanted], chunk_draws)
                if shorter != held:
                    files.write_whole(new, shorter)
                    return
            files.share(old, new)

    files.each(take, product(enumerate(chains), range(-(-rows // chunk_draws))), source)


def read(
    folder: Location, variable: Variable, chains: Sequence[int], rows: int, chunk_draws: int, first: int = 0
) -> NDArray[Any]:
    """Draws ``[first, rows)`` of `chains` of the array in `folder`, shape (chain, draw, ...), each checksum verified.

    Zarr needs about two milliseconds a chunk for it, a hundred times as long. Raises `StoreError` for a chunk that is
    missing or damaged.
    """
    event = (0,) * len(variable.shape)
    found = np.empty((len(chains), max(rows - first, 0), *variable.shape), dtype=variable.dtype)

    def fill(position: tuple[tuple[int, int], int]) -> None:
        (place, chain), number = position
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
        begin = number * chunk_draws
        wanted = slice(max(first - begin, 0), min(rows - begin, chunk_draws))
        target = max(begin - first, 0)
        found[place, target : target + wanted.stop - wanted.start] = _decode(encoded, variable, chunk_draws)[wanted]

    files.each(fill, product(enumerate(chains), range(first // chunk_draws, -(-rows // chunk_draws))), folder)
    return found


def _decode(encoded: bytes, variable: Variable, rows: int) -> NDArray[Any]:
    payload = np.frombuffer(encoded[: -chunks.CRC_BYTES], dtype=np.dtype(variable.dtype).newbyteorder("<"))
    return payload.reshape(rows, *variable.shape).astype(variable.dtype, copy=False)
