"""The chunk files of a run's arrays: where each lies and what bytes it holds."""

from __future__ import annotations

from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.trace.files import Location
from exmc.trace.schema import Schema

CRC_BYTES = 4
_TARGET_BYTES = 4 << 20
FEWEST = 100
"""Draws per chunk at least."""
_MOST = 500


def chunk_draws_for(schema: Schema) -> int:
    """Draws per chunk: about 4 MiB of draws of one chain, between 100 and 500.

    It does not depend on the number of draws, so that a run which is extended has the files of one that was longer
    from the start.
    """
    return int(np.clip(_TARGET_BYTES // max(schema.bytes_per_draw, 1) // 100 * 100, FEWEST, _MOST))


def fill_value(dtype: np.dtype[Any]) -> Any:
    """What stands where nothing was drawn yet: NaN, -1 (an impossible count) or False."""
    return {"f": np.nan, "i": -1, "b": False}[dtype.kind]


def chunk_path(array: Location, *position: int) -> Location:
    """The file of the chunk at `position` of the Zarr v3 array in the folder `array`.

    The parts of its name are joined by dots: nested folders, which are Zarr's default, would be one a chunk.
    """
    return array / ".".join(("c", *map(str, position)))


def encode(values: NDArray[Any], rows: int) -> bytes:
    """The file of one chunk: `values` (n, ...) padded to `rows` rows, little-endian, then its CRC-32C.

    These are the bytes that Zarr's codecs ``bytes`` and ``crc32c`` write. Draws hardly compress, and a checksum finds
    every flipped bit, which the compressing codecs do not.
    """
    if len(values) < rows:
        padding = np.full((rows - len(values), *values.shape[1:]), fill_value(values.dtype), values.dtype)
        values = np.concatenate([values, padding])
    payload = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return payload + checksum(payload).to_bytes(CRC_BYTES, "little")


def encode_text(labels: NDArray[Any]) -> bytes:
    """The file of one chunk of strings, as Zarr's codecs ``vlen-utf8`` and ``crc32c`` write it."""
    texts = [str(label).encode() for label in labels.ravel()]
    numbers = (len(texts), *map(len, texts))
    head, *lengths = (number.to_bytes(4, "little") for number in numbers)
    payload = head + b"".join(length + text for length, text in zip(lengths, texts, strict=True))
    return payload + checksum(payload).to_bytes(CRC_BYTES, "little")


def checksum(payload: bytes) -> int:
    """CRC-32C (Castagnoli) of `payload`."""
    return int(google_crc32c.value(payload))


def stored_checksum(encoded: bytes) -> int:
    """The checksum at the end of an encoded chunk.

    It stands for the contents: the CRC of the *whole* file is the same constant for every intact chunk.
    """
    return int.from_bytes(encoded[-CRC_BYTES:], "little")


def fault_of(path: Location, length: int, crc: int) -> str | None:
    """What is wrong with the chunk file at `path`, which should have `length` bytes and checksum `crc`; or None."""
    try:
        encoded = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    fault = fault_in(encoded, length)
    if fault is None and stored_checksum(encoded) != crc:
        return "holds the draws of another segment"
    return fault


def fault_in(encoded: bytes, length: int) -> str | None:
    """What is wrong with an encoded chunk that should have `length` bytes, by itself; or None."""
    if len(encoded) != length:
        return f"has {len(encoded)} bytes instead of {length}"
    return None if checksum(encoded[:-CRC_BYTES]) == stored_checksum(encoded) else "has flipped bits"


def is_whole(path: Location) -> bool:
    """Whether the chunk file at `path` agrees with the checksum it ends with."""
    encoded = path.read_bytes()
    return checksum(encoded[:-CRC_BYTES]) == stored_checksum(encoded)


def check_rows(first: int, count: int, total: int, chunk: int, where: tuple[str, ...]) -> None:
    """Raise `StoreError` unless rows [first, first + count) of `total` are whole chunks (the last may be shorter)."""
    last = first + count
    if count < 1 or first < 0 or last > total:
        raise StoreError(f"draws {first} to {last} do not lie within the {total} of this run.", where=where)
    if first % chunk or (last % chunk and last != total):
        raise StoreError(
            f"draws {first} to {last} are no whole chunks of {chunk}.",
            where=where,
            remedy="A segment ends on a chunk boundary or with the last draw.",
        )
