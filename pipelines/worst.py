"""The worst R-hat of a run while it goes on, found by a thread that takes little of the processor's time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import NamedTuple

import numpy as np

from exmc.errors import ExmcError
from exmc.trace.files import Location
from pipelines.events import Event
from pipelines.live import Live

SHARE = 0.004
"""Of the time that passes, how much of a processor's the thread takes: with that of a live page, under 2 %."""
_SECONDS_BETWEEN_LOOKS = 1.0
_READINGS = 24


class Reading(NamedTuple):
    """The largest R-hat at one moment, and the label of the scalar whose it is."""

    r_hat: float
    label: str


class WorstRHat:
    """Looks at the draws of the run in `directory` when there are new ones, and then rests for 250 times as long."""

    def __init__(self, directory: Location) -> None:
        self.readings: deque[Reading] = deque(maxlen=_READINGS)
        self._directory = directory
        self._woken, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None

    def wake(self, event: Event) -> None:
        """There may be new draws; the first event of a run begins to look."""
        if event.kind != "segment":
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._look_on, name="exmc-r-hat", daemon=True)
            self._thread.start()
        self._woken.set()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self._woken.set()
        # A signal may have come while it was being started; then it finds the end at its first look, whenever that is.
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Read what is new, now, and add a reading, if there is one."""
        # What is wrong with the run, its driver says.
        with contextlib.suppress(ExmcError, OSError):
            self._live = self._live or Live(self._directory, quantiles=False)
            self._live.refresh()
            posterior = self._live.posterior
            r_hat = posterior.r_hat()
            if not np.isnan(r_hat).all():
                worst = int(np.nanargmax(r_hat))
                self.readings.append(Reading(float(r_hat[worst]), posterior.labels()[worst]))

    def _look_on(self) -> None:
        rest = _SECONDS_BETWEEN_LOOKS
        while not self._ended.wait(rest):
            self._woken.wait()
            self._woken.clear()
            if self._ended.is_set():
                return
            began = time.thread_time()
            self.look()
            rest = max(_SECONDS_BETWEEN_LOOKS, (time.thread_time() - began) / SHARE)
