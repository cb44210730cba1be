from __future__ import annotations

from exmc.nuts import stream


def test_purposes_are_distinct() -> None:
    assert len({stream.TRANSITION, stream.STEP_SEARCH, stream.INITIAL_POINT}) == 3
