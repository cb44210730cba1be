"""How fast a sampler is with a density, and what follows for its next call of machine code."""

from __future__ import annotations

import math

# Python's lock, given up for a call, takes some 50 µs to win back beside other chains that run Python; and so long a
# call holds these up little.
_SHORT = 1e-4
# Nor longer than this if every trajectory is as long as it may be, where all had been of one step.
_LONGEST = 0.1
# Clocks may stand still during a call.
_TICK = 1e-7


class Pace:
    """How fast a sampler is with one density, by its last call, whichever chain's; nothing is known before the first.

    Parameters
    ----------
    native : bool
        Whether the density runs no Python, and always returns by itself. Of any other nothing is ever known, and it is
        not called with the lock held: it may be stuck, which another thread must be able to see.
    """

    def __init__(self, *, native: bool = False) -> None:
        self._native, self._seconds = native, math.inf

    def note(self, iterations: int, seconds: float) -> None:
        """So many `iterations`, one at least, took `seconds` of the processor, which waiting does not count toward."""
        if self._native:
            self._seconds = max(seconds, _TICK) / iterations

    def fitting(self, seconds: float) -> int:
        """How many iterations are done in so many `seconds`, for all that is known; one at least."""
        return max(1, int(seconds / self._seconds))

    def is_short(self, iterations: int, max_treedepth: int) -> bool:
        """Whether so many more, one at least, will be done before Python's lock, given up for them, would be back.

        Then the caller may keep it: they take bearable time, whatever their trajectories.
        """
        expected = iterations * self._seconds
        return expected <= _SHORT and expected * 2.0**max_treedepth <= _LONGEST
