"""A process that writes all segments of a run which are not committed yet: ``python -m tests.trace.writer DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from exmc.trace.journal import Journal
from exmc.trace.records import NO_RECORD, CommitRecord
from tests.trace.models import segment


def write_missing(journal: Journal, chain: int, segment_draws: int, until: int | None = None) -> None:
    """Write the segments of `chain` that are missing: one of warm-up, then `segment_draws` draws each."""
    schema = journal.schema
    total = schema.draws if until is None else until
    starts = [(0, schema.warmup, True)]
    starts += [(first, min(segment_draws, total - first), False) for first in range(0, total, segment_draws)]
    before = None
    for number, (first, count, warmup) in enumerate(starts):
        record = journal.record(chain, number)
        if record is None:
            saved = not warmup or "warmup_posterior" in schema.groups
            draws = segment(schema, chain, first, count, warmup) if saved else {}
            written = journal.write_segment(chain, first, warmup, draws)
            state = {"position": np.arange(3) * float(chain + first), "key": np.array([chain, first], np.uint64)}
            previous = before.digest if before else NO_RECORD
            record = CommitRecord(
                "f", chain, number, first, count, warmup, previous, written, state, {"by": str(id(journal))}
            )
            journal.commit(record)
        before = record


def contents(directory: Path) -> dict[str, bytes]:
    """Every file of a run but for what may differ: receipts stand only in records, which count by their digest."""
    found = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        name = path.relative_to(directory).as_posix()
        if not name.startswith("state/chain-"):
            found[name] = path.read_bytes()
    journal = Journal.open(directory)
    for chain in range(journal.schema.chains):
        for record in journal.committed(chain):
            found[f"record {chain} {record.segment}"] = record.digest.encode()
    return found


if __name__ == "__main__":
    opened = Journal.open(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(opened.schema.chains):
        write_missing(opened, number, 20)
    print("done", flush=True)
