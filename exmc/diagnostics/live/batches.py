"""The moments of batches of consecutive draws of one chain, never more than a fixed number of batches."""

from __future__ import annotations

import numpy as np

from exmc.diagnostics.live.moments import FloatArray, Moments, together


class Batches:
    """One chain's draws of some scalars, as batches of equal size and a last one that is not full yet.

    They say how the chain moves: its halves give split R-hat, the spread of batch means gives the Monte Carlo error. A
    draw costs a few operations a scalar, whatever came before.

    Parameters
    ----------
    scalars
        How many there are.
    most
        An even number. When there are so many batches, each two become one, so that at least half as many remain.
    """

    def __init__(self, scalars: int, most: int) -> None:
        self.size = 1
        self.full = 0
        self._means = np.zeros((scalars, most))
        self._squares = np.zeros((scalars, most))
        self._open = Moments.none((scalars,))

    @property
    def draws(self) -> int:
        """How many draws were added."""
        return self.full * self.size + self._open.draws

    def add(self, draws: FloatArray) -> None:
        """Add the chain's next draws, shape (scalar, draw)."""
        while draws.shape[1]:
            if self.full == self._means.shape[1]:
                self._halve()
            fills = self._open.draws > 0 or draws.shape[1] < self.size
            draws = self._into_open(draws) if fills else self._whole(draws)

    def means(self, size: int) -> FloatArray:
        """The means of whole batches of `size` draws, a multiple of the own size; shape (scalar, batch)."""
        group = size // self.size
        count = self.full // group
        found: FloatArray = self._means[:, : count * group].reshape(len(self._means), count, group).mean(axis=2)
        return found

    def halves(self) -> tuple[Moments, Moments]:
        """The first and the second half of the draws, parted at the end of the batch that is nearest to the middle."""
        middle = min(round(self.draws / 2 / self.size), self.full)
        return self._moments(0, middle), self._moments(middle, self.full).with_(self._open)

    def _moments(self, first: int, end: int) -> Moments:
        """Those of the batches from `first` until `end`."""
        if first == end:
            return Moments.none(self._open.mean.shape)
        among = Moments.of(self._means[:, first:end])
        squares = self._squares[:, first:end].sum(axis=1) + self.size * among.squares
        return Moments((end - first) * self.size, among.mean, squares)

    def _into_open(self, draws: FloatArray) -> FloatArray:
        taken = min(self.size - self._open.draws, draws.shape[1])
        self._open = self._open.with_(Moments.of(draws[:, :taken]))
        if self._open.draws == self.size:
            self._means[:, self.full], self._squares[:, self.full] = self._open.mean, self._open.squares
            self.full += 1
            self._open = Moments.none(self._open.mean.shape)
        return draws[:, taken:]

    def _whole(self, draws: FloatArray) -> FloatArray:
        count = min(draws.shape[1] // self.size, self._means.shape[1] - self.full)
        taken = count * self.size
        found = Moments.of(draws[:, :taken].reshape(len(draws), count, self.size))
        place = slice(self.full, self.full + count)
        self._means[:, place], self._squares[:, place] = found.mean, found.squares
        self.full += count
        return draws[:, taken:]

    def _halve(self) -> None:
        left, right = (Moments(self.size, self._means[:, i::2], self._squares[:, i::2]) for i in (0, 1))
        merged = together((left, right), left.mean.shape)
        self.size, self.full = 2 * self.size, self._means.shape[1] // 2
        self._means[:, : self.full], self._squares[:, : self.full] = merged.mean, merged.squares
