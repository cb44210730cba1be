"""A chain is watched from another thread, and given up when it shows no sign of life."""

from __future__ import annotations

import contextvars
import sys
import threading
import traceback
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

from numpy.typing import NDArray

from exmc.errors import SamplingError
from exmc.garbage import uncollected

_LOOKS = 8
T = TypeVar("T")


class StuckError(SamplingError):
    """A chain that was given up; the thread in which it is stuck goes on."""


class Pulse:
    """What a chain's work shows of itself: beats, and memory that each gradient changes.

    Parameters
    ----------
    stop
        Set when nobody wants any of the work any longer.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop, self._given_up = stop, False
        self._beats = 0
        self._memory: NDArray[Any] | None = None

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the work: it had better end."""
        return self._given_up or (self._stop is not None and self._stop.is_set())

    def give_up(self) -> None:
        """Wait no longer for the work."""
        self._given_up = True

    def beat(self) -> None:
        """Something was finished. Raises `StuckError` if the work was given up meanwhile: nobody waits for it."""
        if self.abandoned:
            raise StuckError("this was given up.", where=("watchdog",))
        self._beats += 1

    def watch(self, memory: NDArray[Any]) -> None:
        """From now on the work changes `memory` with each gradient: the sampler stores each point it comes to."""
        self._memory = memory

    def sign(self) -> tuple[int, int]:
        """Differs from one gradient to the next. It is read while the work goes on, and may be torn: no matter."""
        memory = self._memory
        return self._beats, 0 if memory is None else zlib.crc32(memory.data)


def watched(work: Callable[[Pulse], T], seconds: float | None, stop: threading.Event | None = None) -> T:
    """What `work` returns, done in a thread of its own that is left to itself if its pulse stops for `seconds`.

    A running function cannot be stopped from outside: given up, it may use a processor until the process ends. Its
    pulse is then `abandoned`, for it to end by itself if it ever can; and so once `stop` is set. With `seconds` None
    nobody watches.

    Raises
    ------
    StuckError
        If the pulse stopped; a note of it holds the stack at which the work is stuck.
    Exception
        Whatever `work` raises.
    """
    pulse = Pulse(stop)
    if seconds is None:
        return work(pulse)
    done: Future[T] = Future()
    # The thread's context is the caller's: which code a model may import is said there (`exmc.imports`).
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_do, work, pulse, done), daemon=True, name="exmc-watched")
    thread.start()
    # Looks are counted, not the clock: a process that was halted, or a machine that slept, has no stuck chains.
    still, last, between = 0, pulse.sign(), seconds / _LOOKS
    while True:
        try:
            return done.result(timeout=between)
        except TimeoutError:
            if done.done():
                # The work's own exception.
                return done.result()
        sign = pulse.sign()
        still = still + 1 if sign == last else 0
        last = sign
        if still == _LOOKS:
            pulse.give_up()
            raise _stuck(thread, seconds)


def _do(work: Callable[[Pulse], T], pulse: Pulse, done: Future[T]) -> None:
    try:
        done.set_result(work(pulse))
    except BaseException as error:
        done.set_exception(error)


def _stuck(thread: threading.Thread, seconds: float) -> StuckError:
    error = StuckError(
        f"a single gradient has taken more than {seconds:g} s.",
        where=("watchdog",),
        remedy="Look for an endless loop in a function of your own, or raise the watchdog's bound (sampler.watchdog).",
    )
    frame = _frames().get(thread.ident or 0)
    if frame is not None:
        error.add_note("It is stuck here:\n" + "".join(traceback.format_stack(frame)))
    return error


def _frames() -> dict[int, FrameType]:
    """What each thread does; no garbage is collected meanwhile, by which Python 3.11 may lock up for good."""
    with uncollected():
        return sys._current_frames()
