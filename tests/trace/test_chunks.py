from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec

from exmc.errors import StoreError
from exmc.trace import chunks
from exmc.trace.schema import Variable
from tests.trace.models import schema


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
@pytest.mark.parametrize("rows", [1, 7, 10])
def test_chunks_are_the_bytes_that_zarr_writes(tmp_path: Path, dtype: str, rows: int) -> None:
    values = (np.arange(rows * 6).reshape(rows, 2, 3) % 5).astype(dtype)
    array = zarr.create_array(
        tmp_path / "a",
        shape=(1, rows, 2, 3),
        chunks=(1, 10, 2, 3),
        dtype=dtype,
        fill_value=chunks.fill_value(np.dtype(dtype)),
        serializer=BytesCodec(),
        compressors=[Crc32cCodec()],
        chunk_key_encoding={"name": "default", "separator": "."},
        filters=None,
        config={"write_empty_chunks": True},
    )
    array[0] = values
    path = chunks.chunk_path(tmp_path / "a", 0, 0, 0, 0)
    assert path.read_bytes() == chunks.encode(values, 10)


def test_the_size_of_chunks_follows_from_the_draws_size_alone() -> None:
    small = schema(draws=10)
    assert chunks.chunk_draws_for(small) == chunks.chunk_draws_for(replace(small, draws=10_000)) == 500
    wide = replace(small, groups={"posterior": (Variable("x", (2000,), ("i",)),)})
    assert chunks.chunk_draws_for(wide) == 200
    assert chunks.chunk_draws_for(replace(small, groups={"posterior": (Variable("x", (10**6,), ("i",)),)})) == 100


def test_the_stored_checksum_tells_contents_apart() -> None:
    one, two = (chunks.encode(np.full((3, 2), x), 3) for x in (1.0, 2.0))
    assert chunks.stored_checksum(one) != chunks.stored_checksum(two)
    # The trap that it avoids: over the whole file, checksum included, the CRC is a constant.
    assert chunks.checksum(one) == chunks.checksum(two)


def test_every_fault_of_a_chunk_is_found(tmp_path: Path) -> None:
    path, encoded = tmp_path / "0", chunks.encode(np.arange(8.0).reshape(4, 2), 4)
    expected = len(encoded), chunks.stored_checksum(encoded)
    assert chunks.fault_of(path, *expected) == "is missing"
    path.write_bytes(encoded)
    assert chunks.fault_of(path, *expected) is None
    path.write_bytes(encoded[:-1])
    assert "bytes instead of" in str(chunks.fault_of(path, *expected))
    for bit in range(8 * len(encoded)):
        flipped = bytearray(encoded)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert chunks.fault_of(path, *expected) == "has flipped bits"
    path.write_bytes(chunks.encode(np.zeros((4, 2)), 4))
    assert chunks.fault_of(path, *expected) == "holds the draws of another segment"


@pytest.mark.parametrize(("first", "count"), [(5, 10), (0, 7), (20, 10), (-10, 10), (0, 0), (0, 30)])
def test_only_whole_chunks_are_written(first: int, count: int) -> None:
    with pytest.raises(StoreError, match="draws"):
        chunks.check_rows(first, count, 25, 10, ("run",))


@pytest.mark.parametrize(("first", "count"), [(0, 10), (10, 10), (20, 5), (0, 25), (10, 15)])
def test_the_last_chunk_may_be_short(first: int, count: int) -> None:
    chunks.check_rows(first, count, 25, 10, ("run",))
