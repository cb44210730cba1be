"""Commit records: what a finished segment leaves behind, as a value and as bytes that show any damage."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.trace.chunks import checksum

FORMAT = 1
NO_RECORD = ""
"""The digest that the first segment of a chain has before it."""


class Written(NamedTuple):
    """The chunks of one array that a segment wrote: bytes of each file, and their checksums in order of draws."""

    length: int
    checksums: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CommitRecord:
    """One finished segment of one chain.

    Attributes
    ----------
    fingerprint
        Digest of all that decides the draws: model, data, seed, versions, sampler options.
    chain, segment
        Whose segment it is and its number, from 0 on, warm-up first.
    first, count
        The draws it made, ``[first, first + count)``; of the warm-up if `warmup`, else of the kept ones.
    previous
        Digest of the record before, `NO_RECORD` for segment 0.
    chunks
        What was written, by the array's ``group/name``.
    state
        The chain's state after the segment.
    receipt
        What it cost and how it went, for people: JSON values, no part of the digest.
    digest
        SHA-256 (hex) of everything but the receipt: equal for two runs of the same segment.
    """

    fingerprint: str
    chain: int
    segment: int
    first: int
    count: int
    warmup: bool
    previous: str
    chunks: Mapping[str, Written] = field(default_factory=dict)
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    receipt: Mapping[str, Any] = field(default_factory=dict)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        # Once: a dense metric of 1000 parameters makes this a text of 20 MB.
        text = json.dumps(_essentials(self), sort_keys=True, separators=(",", ":"))
        object.__setattr__(self, "digest", hashlib.sha256(text.encode()).hexdigest())


def encode(record: CommitRecord) -> bytes:
    """`record` as a line of JSON, the CRC-32C of which stands in a line before it."""
    document = _essentials(record) | {"receipt": dict(record.receipt)}
    payload = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return f"{checksum(payload):08x}\n".encode() + payload + b"\n"


def decode(content: bytes) -> CommitRecord:
    """The record that `encode` wrote; raises `StoreError` for anything else, a single flipped bit included."""
    head, _, rest = content.partition(b"\n")
    payload = rest.removesuffix(b"\n")
    if len(rest) != len(payload) + 1 or head != f"{checksum(payload):08x}".encode():
        raise StoreError("the commit record is torn or has flipped bits.")
    document = json.loads(payload)
    if document.get("format") != FORMAT:
        raise StoreError(f"the commit record has format {document.get('format')!r}; this version reads {FORMAT}.")
    chunks = {name: Written(length, tuple(crcs)) for name, (length, crcs) in document["chunks"].items()}
    state = {name: decode_array(item) for name, item in document["state"].items()}
    fields = {key: document[key] for key in _PLAIN}
    return CommitRecord(**fields, chunks=chunks, state=state, receipt=document["receipt"])


_PLAIN = ("fingerprint", "chain", "segment", "first", "count", "warmup", "previous")


def _essentials(record: CommitRecord) -> dict[str, Any]:
    return {
        "format": FORMAT,
        **{key: getattr(record, key) for key in _PLAIN},
        "chunks": {name: [w.length, list(w.checksums)] for name, w in record.chunks.items()},
        "state": {name: encode_array(np.asarray(a)) for name, a in record.state.items()},
    }


def encode_array(array: NDArray[Any]) -> dict[str, Any]:
    """`array` (of numbers or booleans) as JSON values, bit for bit."""
    if array.dtype.kind not in "fiub":
        raise StoreError(f"an array of {array.dtype} cannot be kept in a commit record.")
    little = np.asarray(array, order="C").astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": little.dtype.str,
        "shape": list(array.shape),
        "base64": base64.b64encode(little.tobytes()).decode(),
    }


def decode_array(item: Mapping[str, Any]) -> NDArray[Any]:
    """The array that `encode_array` wrote, in native byte order and writeable."""
    raw = np.frombuffer(base64.b64decode(item["base64"]), dtype=np.dtype(item["dtype"]))
    return raw.reshape(item["shape"]).astype(raw.dtype.newbyteorder("="), copy=True)
