from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from exmc.errors import StoreError
from exmc.trace.records import CommitRecord, Written, decode, encode, encode_array

RECORD = CommitRecord(
    fingerprint="abc",
    chain=1,
    segment=2,
    first=30,
    count=10,
    warmup=False,
    previous="def",
    chunks={"posterior/mu": Written(804, (1, 2**32 - 1))},
    state={
        "position": np.array([1.0, -0.0, np.nan, np.inf, 5e-324]),
        "key": np.array([2**64 - 1, 3], dtype=np.uint64),
        "matrix": np.arange(6.0).reshape(2, 3).T,
        "scalar": np.array(7),
        "flag": np.array([True, False]),
        "empty": np.empty((0, 3)),
    },
    receipt={"seconds": 1.5, "divergences": 0},
)


def test_records_come_back_bit_for_bit() -> None:
    back = decode(encode(RECORD))
    assert back.digest == RECORD.digest
    assert back.chunks == RECORD.chunks
    assert back.receipt == RECORD.receipt
    for name, array in RECORD.state.items():
        assert back.state[name].dtype == array.dtype
        assert back.state[name].shape == array.shape
        assert back.state[name].tobytes() == np.ascontiguousarray(array).tobytes()


def test_the_receipt_is_no_part_of_the_digest_and_all_else_is() -> None:
    assert replace(RECORD, receipt={}).digest == RECORD.digest
    others = [
        replace(RECORD, fingerprint="x"),
        replace(RECORD, chain=0),
        replace(RECORD, segment=3),
        replace(RECORD, first=31),
        replace(RECORD, count=11),
        replace(RECORD, warmup=True),
        replace(RECORD, previous=""),
        replace(RECORD, chunks={}),
        replace(RECORD, chunks={"posterior/mu": Written(804, (1, 2))}),
        replace(RECORD, state=dict(RECORD.state) | {"scalar": np.array(8)}),
        replace(RECORD, state=dict(RECORD.state) | {"position": np.array([1.0, 0.0, np.nan, np.inf, 5e-324])}),
    ]
    assert len({RECORD.digest, *(o.digest for o in others)}) == len(others) + 1


def test_every_flipped_bit_and_every_truncation_is_found() -> None:
    content = encode(RECORD)
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StoreError, match="flipped bits"):
            decode(bytes(damaged))
    for length in range(len(content)):
        with pytest.raises(StoreError, match="torn"):
            decode(content[:length])


def test_objects_are_no_state() -> None:
    with pytest.raises(StoreError, match="cannot be kept"):
        encode_array(np.array(["a"], dtype=object))
