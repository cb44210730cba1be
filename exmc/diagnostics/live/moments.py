"""Count, mean and sum of squared deviations of draws, which add up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Moments(NamedTuple):
    """Moments of `draws` draws; `mean` and `squares` (of the deviations from it) have a number for each scalar.

    They are merged by the formulas of Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances" (1979), without loss of digits.
    """

    draws: int
    mean: FloatArray
    squares: FloatArray

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Moments:
        """The moments of no draws."""
        return cls(0, np.zeros(shape), np.zeros(shape))

    @classmethod
    def of(cls, draws: FloatArray) -> Moments:
        """The moments along the last axis of `draws`."""
        mean = draws.mean(axis=-1)
        squares = np.square(draws - mean[..., np.newaxis]).sum(axis=-1)
        return cls(draws.shape[-1], mean, squares)

    def with_(self, other: Moments) -> Moments:
        """The moments of the draws of both."""
        if not self.draws or not other.draws:
            return other if other.draws else self
        draws = self.draws + other.draws
        distance = other.mean - self.mean
        mean = self.mean + distance * (other.draws / draws)
        squares = self.squares + other.squares + np.square(distance) * (self.draws * other.draws / draws)
        return Moments(draws, mean, squares)

    @property
    def variance(self) -> FloatArray:
        """The sample variance, over n - 1; NaN of fewer than two draws."""
        if self.draws < 2:
            return np.full(self.mean.shape, np.nan)
        return self.squares / (self.draws - 1)


def together(parts: Iterable[Moments], shape: tuple[int, ...]) -> Moments:
    """The moments of the draws of all `parts`, each of `shape`."""
    found = Moments.none(shape)
    for part in parts:
        found = found.with_(part)
    return found
