"""Every n-th draw of one chain, of all scalars, n growing so that never more than a fixed number is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Thinned:
    """Evenly spaced draws of one chain, at most `points` and, once there were as many, at least half of them.

    Single precision: they are there to be drawn.
    """

    def __init__(self, columns: int, points: int) -> None:
        self.every = 1
        self.count = 0
        self._next = 0
        self._kept = np.empty((points, columns), dtype=np.float32)

    def add(self, first: int, draws: NDArray[np.float64]) -> None:
        """Add draws ``[first, first + n)``, shape (draw, column)."""
        points = len(self._kept)
        while self._next < first + len(draws):
            if self.count == points:
                self._kept[: points // 2] = self._kept[::2]
                self.every, self.count = 2 * self.every, points // 2
                self._next = self.every * self.count
                continue
            chosen = draws[self._next - first :: self.every][: points - self.count]
            self._kept[self.count : self.count + len(chosen)] = chosen
            self.count += len(chosen)
            self._next += self.every * len(chosen)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Which draws are kept."""
        return np.arange(self.count, dtype=np.int64) * self.every

    def column(self, place: int) -> NDArray[np.float32]:
        """The draws that are kept of one column."""
        return self._kept[: self.count, place].copy()
