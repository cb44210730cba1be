"""How the process of a command ends: its exit statuses, by signals, with output that nobody reads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from exmc.late import importing

PASSED, FAILED, MISUSED, DOUBTFUL, INTERRUPTED = 0, 1, 2, 3, 130


def discard_output() -> None:
    """Let what is still to be written to stdout vanish: Python would complain once more when it closes it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def stopped_at_once() -> Iterator[None]:
    """Ctrl-C in here ends the process: for imports, which take a second and have nothing to clean up.

    Raised inside an import, KeyboardInterrupt comes out as whatever the module makes of it, such as an ImportError.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _stop)
    try:
        with importing():
            yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def sigterm_as_control_c() -> Iterator[None]:
    """SIGTERM in here raises KeyboardInterrupt, so that what was made for the while is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    os.write(2, b"exmc: stopped.\n")
    os._exit(INTERRUPTED)
