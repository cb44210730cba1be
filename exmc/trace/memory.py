"""Commit records that were read, kept so that they are not asked for again."""

from __future__ import annotations

from dataclasses import dataclass, field

from exmc.trace.records import CommitRecord

LARGEST_BYTES = 64 << 20
"""What is kept of a run, about; the chains beyond it are read again each time."""
# What a record takes beside its arrays: checksums, digests, the receipt.
_OVERHEAD = 4096


@dataclass(slots=True)
class Memory:
    """The first records of chains, in order, each verified. A committed record never changes, unless it is damaged."""

    _records: dict[int, tuple[CommitRecord, ...]] = field(default_factory=dict)
    _bytes: int = 0

    def of(self, chain: int) -> tuple[CommitRecord, ...]:
        """What is known of `chain`."""
        return self._records.get(chain, ())

    def keep(self, chain: int, records: tuple[CommitRecord, ...]) -> None:
        """Know `records` of `chain`, instead of what was known, if there is room."""
        self._bytes -= sum(map(_size, self._records.pop(chain, ())))
        size = sum(map(_size, records))
        if self._bytes + size <= LARGEST_BYTES:
            self._records[chain] = records
            self._bytes += size


def _size(record: CommitRecord) -> int:
    return _OVERHEAD + sum(array.nbytes for array in record.state.values())
