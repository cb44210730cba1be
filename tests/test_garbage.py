"""The collector is kept from running as long as anybody wants it so, and then is as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from exmc.garbage import promote, uncollected


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.isenabled()
    yield
    (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("running", [True, False])
def test_it_is_left_as_it_was(running: bool, collector: None) -> None:
    (gc.enable if running else gc.disable)()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled() is running
    with pytest.raises(ZeroDivisionError), uncollected():
        raise ZeroDivisionError
    assert gc.isenabled() is running


def test_who_ends_first_does_not_end_it_for_the_others(collector: None) -> None:
    """As do two threads, one of which imports while the other looks at all stacks."""
    gc.enable()
    first, second = uncollected(), uncollected()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


@pytest.mark.parametrize("frozen", [False, True])
def test_what_there_is_becomes_old_and_what_is_frozen_stays_so(frozen: bool, collector: None) -> None:
    gc.disable()
    gc.unfreeze()
    made = [[] for _ in range(3)]
    try:
        if frozen:
            gc.freeze()
        count = gc.get_freeze_count()
        promote()
        assert gc.get_freeze_count() == count
        assert any(made is other for other in gc.get_objects(generation=2)) is not frozen
        assert not any(made is other for other in gc.get_objects(generation=0))
    finally:
        gc.unfreeze()
