"""The driver's end of what is asked of a run: it wakes the driver, from any thread, process or signal handler."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from exmc.errors import ExmcError, StoreError
from exmc.trace.files import Location
from pipelines.requests import Wish, request, requested

# How often a driver that holds looks whether another process has asked it to go on.
SECONDS_BETWEEN_LOOKS = 0.5


class StoppedError(ExmcError):
    """A run that was stopped on request; it can be resumed."""


class Control:
    """What is asked of one run, and what wakes its driver: tasks that are done, and requests.

    Another process asks by the file alone (`pipelines.requests`), which the driver looks for when a chain has obeyed
    it; whoever has this object need not wait for that, nor for the directory to be there. `asker` says, in a word, who
    asked last.
    """

    def __init__(self) -> None:
        self.wish = Wish.GO
        self.asker = ""
        # Its `put` may be called while another call of it is interrupted by a signal.
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._directory: Location | None = None

    @property
    def ending(self) -> bool:
        """Whether the run was asked to end."""
        return self.wish in (Wish.STOP, Wish.CANCEL)

    def ask(self, wish: Wish, asker: str = "its program") -> None:
        """Ask the run for `wish`; one that was asked to end cannot be asked to go on.

        Raises `OSError`, or `StoreError`, if a pause, or its end, cannot be written into the run directory.
        """
        if self.ending and wish is not Wish.CANCEL:
            return
        before, self.wish, self.asker = self.wish, wish, asker
        try:
            self._write()
        except (OSError, StoreError):
            # On a full disk chains are not asked to stop; those under way end with their segments, and no others begin.
            if wish in (Wish.GO, Wish.PAUSE):
                self.wish = before
                raise
        self._inbox.put(None)

    def attach(self, directory: Location) -> None:
        """From now on the run lies in `directory`."""
        self._directory = directory
        if self.wish is not Wish.GO:
            self._write()

    def look(self) -> None:
        """Take over what another process has asked for, or taken back."""
        if self._directory is not None and not self.ending:
            with contextlib.suppress(OSError, StoreError):
                self.wish, self.asker = requested(self._directory), "another process"

    def clear(self) -> None:
        """Forget a request that came when nothing was left to be done."""
        if self._directory is not None:
            with contextlib.suppress(OSError, StoreError):
                request(self._directory, Wish.GO)

    def put(self, completion: Any) -> None:
        """Wake the driver: something it waits for is done."""
        self._inbox.put(completion)

    def get(self, timeout: float | None = None) -> Any:
        """What was put first, waited for; None for a request, and once `timeout` seconds are over."""
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def _write(self) -> None:
        if self._directory is not None:
            request(self._directory, self.wish)


@contextlib.contextmanager
def signals_ask(control: Control, drawing: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask the run to stop, instead of raising wherever this process happens to be.

    A second one, or one while the run is not `drawing`, raises KeyboardInterrupt. Only the main thread gets signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        if control.ending or not drawing():
            raise KeyboardInterrupt
        control.ask(Wish.STOP, "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    # Batch systems send SIGTERM some time before they kill.
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
