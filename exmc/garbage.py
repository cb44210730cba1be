"""Python's collector of garbage, kept from running for a while."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# The collector is the process's, so what counts who keeps it from running is, too.
_LOCK = threading.Lock()
_holders = 0
_ran_before = False


@contextmanager
def uncollected() -> Iterator[None]:
    """Within this context, in whichever threads, the collector does not run by itself; then as before the first."""
    global _holders, _ran_before
    with _LOCK:
        if not _holders:
            _ran_before = gc.isenabled()
            gc.disable()
        _holders += 1
    try:
        yield
    finally:
        with _LOCK:
            _holders -= 1
            if not _holders and _ran_before:
                gc.enable()


def promote() -> None:
    """Let the collector take all that there is for long-lived, which it looks through rarely.

    Whoever has frozen what there was (`gc.freeze`) is left alone: this would thaw it.
    """
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
