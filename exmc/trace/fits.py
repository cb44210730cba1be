"""What tasks of a run have computed together, round by round: each result written once, and known by its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.trace import files
from exmc.trace.chunks import checksum
from exmc.trace.description import STATE
from exmc.trace.files import Location
from exmc.trace.records import decode_array, encode_array

FIT = "fit"
POOL = -1
"""The number under which the pooled result of a round is kept."""
_POOLED = "pooled.json"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a part of a round, or pooling them, came to.

    Attributes
    ----------
    arrays
        The result; empty if it failed.
    failure
        Why there is none.
    after
        Digests of what it was computed from: the fit before the round or, of a pooled result, the parts'.
    digest
        Of all of this and of the run's fingerprint.
    """

    arrays: Mapping[str, NDArray[Any]]
    failure: str
    after: tuple[str, ...]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Fits:
    """The rounds of one run in a `folder`. A damaged file counts as missing: what it held is computed again."""

    directory: Location
    fingerprint: str
    folder: str = FIT

    def read(self, round_number: int, part: int) -> Result | None:
        """The result of a part of a round; None if it is not there, or damaged, or another run's."""
        try:
            content = self._file(round_number, part).read_bytes()
        except FileNotFoundError:
            return None
        head, _, payload = content.partition(b"\n")
        if head != f"{checksum(payload):08x}".encode():
            return None
        document = json.loads(payload)
        if document["fingerprint"] != self.fingerprint:
            return None
        arrays = {name: decode_array(item) for name, item in document["arrays"].items()}
        return Result(arrays, document["failure"], tuple(document["after"]), _digest(payload))

    def commit(self, round_number: int, part: int, result: Result) -> Result:
        """Write `result`, unless it is there; returns it with its digest.

        Raises `StoreError` if another one is there: the fit is not reproducible.
        """
        document = {
            "fingerprint": self.fingerprint,
            "after": list(result.after),
            "failure": result.failure,
            "arrays": {name: encode_array(np.asarray(a)) for name, a in sorted(result.arrays.items())},
        }
        payload = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        content, path = f"{checksum(payload):08x}\n".encode() + payload, self._file(round_number, part)
        if not files.create_new(path, content):
            present = self.read(round_number, part)
            if present is not None and present.digest != _digest(payload):
                remedy = "It is not reproducible here: do all machines have the same CPU features and libraries?"
                raise StoreError("it was committed before with other contents.", where=(str(path),), remedy=remedy)
            if present is None:
                files.write_whole(path, content)
        return Result(result.arrays, result.failure, result.after, _digest(payload))

    def last(self) -> int:
        """The number of the last round whose pooled result is whole; -1 if there is none."""
        found = (self.directory / STATE / self.folder).glob(f"round-*/{_POOLED}")
        numbers = sorted((int(path.parent.name.removeprefix("round-")) for path in found), reverse=True)
        return next((number for number in numbers if self.read(number, POOL) is not None), -1)

    def forgive(self) -> None:
        """Forget which parts of a round that is not pooled failed, so that they are tried again."""
        folder = self._file(self.last() + 1, 0).parent
        for path in folder.glob("part-*.json"):
            found = self.read(self.last() + 1, int(path.stem.removeprefix("part-")))
            if found is not None and found.failure:
                path.unlink(missing_ok=True)

    def _file(self, round_number: int, part: int) -> Location:
        name = _POOLED if part == POOL else f"part-{part:06d}.json"
        return self.directory / STATE / self.folder / f"round-{round_number:05d}" / name


def _digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
