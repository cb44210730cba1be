"""Whether machine code is done so soon that Python's lock, given up for it, would take longer to win back."""

from __future__ import annotations

import math

# Winning it back takes some 50 µs beside other chains that run Python, and so long a call holds them up little.
_SHORT = 1e-4
# Nor longer than this if every trajectory is as long as it may be, where all had been of one step.
_LONGEST = 0.1


class Pace:
    """How fast a sampler is with one density, by its last call; nothing is known before the first.

    Parameters
    ----------
    native : bool
        Whether the density runs no Python, and always returns by itself. Any other is never called with the lock held:
        it may be stuck, which another thread must be able to see.
    """

    def __init__(self, *, native: bool = False) -> None:
        self._native, self._seconds = native, math.inf

    def note(self, iterations: int, seconds: float) -> None:
        """So many `iterations`, one at least, took `seconds` of the processor, which waiting does not count toward."""
        self._seconds = seconds / iterations

    def is_short(self, iterations: int, max_treedepth: int) -> bool:
        """Whether so many more, one at least, will be done soon, and in bearable time whatever their trajectories."""
        expected = iterations * self._seconds
        return self._native and expected <= _SHORT and expected * 2.0**max_treedepth <= _LONGEST
