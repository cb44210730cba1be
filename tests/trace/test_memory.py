"""Records that were read are kept, as many as there is room for."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.trace import memory
from exmc.trace.memory import Memory
from exmc.trace.records import CommitRecord


def record(chain: int, segment: int) -> CommitRecord:
    """A record of 1000 bytes of state, which are what counts beside an overhead of four times as much."""
    state = {"position": np.zeros(125)}
    return CommitRecord("run", chain, segment, 10 * segment, 10, False, "before", state=state)


def test_what_was_kept_is_known_and_replaced() -> None:
    found = Memory()
    assert found.of(3) == ()
    first, second = (record(3, 0),), (record(3, 0), record(3, 1))
    found.keep(3, first)
    assert found.of(3) is first
    found.keep(3, second)
    assert found.of(3) is second


def test_there_is_room_for_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGEST_BYTES", 16_000)
    found = Memory()
    for chain in range(5):
        found.keep(chain, (record(chain, 0),))
    assert [len(found.of(chain)) for chain in range(5)] == [1, 1, 1, 0, 0]
    # What grows beyond the room is forgotten, and leaves its own to others.
    found.keep(0, tuple(record(0, segment) for segment in range(4)))
    assert found.of(0) == ()
    found.keep(4, (record(4, 0),))
    assert len(found.of(4)) == 1
