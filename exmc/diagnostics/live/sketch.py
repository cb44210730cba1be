"""Quantiles of draws that are not kept, of many scalars at once, with a bound of their error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.live.moments import FloatArray


class Sketch:
    """Draws of some scalars, thinned by value: an item stands for 1, 2, 4, … draws that lie about there.

    Manku, Rajagopalan & Lindsay, "Approximate medians and other quantiles in one pass and with limited memory" (1998):
    a level that is full is sorted, and every other item goes to the next, where it counts twice. Which ones, the first
    or the second of each two, takes turns, so that errors oppose each other and the same draws give the same sketch.

    Parameters
    ----------
    scalars
        How many there are; all have the same number of draws.
    items
        An even number of items a level. While there were fewer draws, the sketch is exact.
    """

    def __init__(self, scalars: int, items: int) -> None:
        self.draws = 0
        self._items = items
        self._scalars = scalars
        self._levels: list[FloatArray] = []
        self._filled: list[int] = []
        self._emptied: list[int] = []

    @property
    def error(self) -> float:
        """By how much, at most, the rank of a value among the draws may be wrong, as a share of the draws.

        Emptying a level of items that count `w` moves no rank by more than `w`; twice, in turn, no more than once does.
        """
        wrong = sum(-(-times // 2) << level for level, times in enumerate(self._emptied))
        return wrong / max(self.draws, 1)

    def add(self, draws: FloatArray) -> None:
        """Add draws of each scalar, shape (scalar, draw)."""
        self.draws += draws.shape[1]
        self._put(0, draws)

    def kept(self, scalars: slice) -> tuple[FloatArray, NDArray[np.int64]]:
        """The items of `scalars`, shape (scalar, item), and for how many draws each stands, shape (item,)."""
        parts = [level[scalars, :count] for level, count in zip(self._levels, self._filled, strict=True)]
        weights = [np.full(count, 1 << level) for level, count in enumerate(self._filled)]
        empty = np.empty((len(range(*scalars.indices(self._scalars))), 0))
        return np.concatenate([empty, *parts], axis=1), np.concatenate([np.empty(0, np.int64), *weights])

    def _put(self, level: int, values: FloatArray) -> None:
        if level == len(self._levels):
            self._levels.append(np.empty((self._scalars, self._items)))
            self._filled.append(0)
            self._emptied.append(0)
        buffer = self._levels[level]
        while values.shape[1]:
            taken = min(self._items - self._filled[level], values.shape[1])
            buffer[:, self._filled[level] : self._filled[level] + taken] = values[:, :taken]
            self._filled[level] += taken
            values = values[:, taken:]
            if self._filled[level] == self._items:
                buffer.sort(axis=1)
                kept = buffer[:, self._emptied[level] % 2 :: 2].copy()
                self._filled[level] = 0
                self._emptied[level] += 1
                self._put(level + 1, kept)


class Quantiles(NamedTuple):
    """Quantiles, shape (probability, scalar), and the bound of their error: each lies between those at ± `error`."""

    values: FloatArray
    error: float


def quantiles(sketches: Sequence[Sketch], probabilities: FloatArray, scalars: slice) -> Quantiles:
    """Quantiles of the draws of all `sketches` together; NaN where there are none.

    Between draws they are interpolated as numpy does: of exact sketches they are `numpy.quantile`'s.
    """
    kept = [sketch.kept(scalars) for sketch in sketches]
    count = sum(sketch.draws for sketch in sketches)
    items = np.concatenate([values for values, _ in kept], axis=1)
    weights = np.concatenate([weight for _, weight in kept])
    if not count:
        return Quantiles(np.full((len(probabilities), len(items)), np.nan), 0.0)
    order = np.argsort(items, axis=1)
    ascending = np.take_along_axis(items, order, axis=1)
    stands = weights[order]
    # Where an item stands among the draws: in the middle of those that it stands for, counted from 0.
    ranks = np.cumsum(stands, axis=1) - (stands + 1) / 2
    rows = np.arange(len(items))
    found = np.empty((len(probabilities), len(items)))
    for place, probability in enumerate(probabilities):
        wanted = probability * (count - 1)
        above = np.clip((ranks < wanted).sum(axis=1), 0, ranks.shape[1] - 1)
        below = np.maximum(above - 1, 0)
        span = np.maximum(ranks[rows, above] - ranks[rows, below], 1e-300)
        share = np.clip((wanted - ranks[rows, below]) / span, 0.0, 1.0)
        low, high = ascending[rows, below], ascending[rows, above]
        # The difference of infinities is NaN.
        with np.errstate(invalid="ignore"):
            found[place] = np.where(low == high, low, low + share * (high - low))
    # Interpolation goes half an item further than its rank is wrong.
    spread = float(weights.max()) / 2 / count if weights.max() > 1 else 0.0
    error = sum(sketch.error * sketch.draws for sketch in sketches) / count + spread
    return Quantiles(found, error)
