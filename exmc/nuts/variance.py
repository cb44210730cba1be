"""Running moments of the positions and gradients of a chain (`init`, `update`, `merged`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts.machine import compiled

FloatArray = NDArray[np.float64]

ROWS = 4


class Moments(NamedTuple):
    """Welford's running moments of positions and gradients.

    Attributes
    ----------
    draws : int
        Positions seen.
    divergences : int
        Of the trajectories that led to them.
    rows : ndarray, shape (4, dimension)
        Of the positions the mean and the sum of squared deviations from it, and the same of the gradients.
    """

    draws: int
    divergences: int
    rows: FloatArray

    def variances(self) -> FloatArray:
        """Of the positions and of the gradients, shape (2, dimension). Needs two draws."""
        return self.rows[1::2] / (self.draws - 1)


def init(dimension: int) -> Moments:
    """Nothing seen."""
    return Moments(0, 0, np.zeros((ROWS, dimension)))


@compiled
def update(draws: int, rows: FloatArray, position: FloatArray, gradient: FloatArray) -> Any:
    """Add a position and the gradient there, in place. Returns the new number of draws.

    Welford, "Note on a method for calculating corrected sums of squares and products" (1962).
    """
    draws += 1
    for i in range(position.size):
        before = position[i] - rows[0, i]
        rows[0, i] += before / draws
        rows[1, i] += before * (position[i] - rows[0, i])
        before = gradient[i] - rows[2, i]
        rows[2, i] += before / draws
        rows[3, i] += before * (gradient[i] - rows[2, i])
    return draws


def merged(one: Moments, other: Moments) -> Moments:
    """The moments of both together (Chan, Golub & LeVeque, "Updating formulae", 1979)."""
    draws = one.draws + other.draws
    if not one.draws or not other.draws:
        return one if one.draws else other
    part = other.draws / draws
    rows = one.rows.copy()
    # Both means at once, then both sums of squares.
    apart = other.rows[::2] - one.rows[::2]
    rows[::2] += part * apart
    rows[1::2] += other.rows[1::2] + apart**2 * (one.draws * part)
    return Moments(draws, one.divergences + other.divergences, rows)


class Window(NamedTuple):
    """What the next metric is learnt from.

    Attributes
    ----------
    older, newer : Moments
        Of the draws before and since the last switch.
    positions, gradients : ndarray, shape (draws, dimension)
        The draws of both themselves, in order, for metrics with correlations; else without rows.
    """

    older: Moments
    newer: Moments
    positions: FloatArray
    gradients: FloatArray

    @property
    def moments(self) -> Moments:
        """Those of all draws held."""
        return merged(self.older, self.newer)

    def with_draws(self, positions: FloatArray, gradients: FloatArray) -> Window:
        """The window with these draws, too, whose moments it has already."""
        return self._replace(
            positions=np.concatenate([self.positions, positions]),
            gradients=np.concatenate([self.gradients, gradients]),
        )

    def copy(self) -> Window:
        """The same, whose moments may be changed."""
        older, newer = (part._replace(rows=part.rows.copy()) for part in (self.older, self.newer))
        return Window(older, newer, self.positions, self.gradients)

    def switched(self) -> Window:
        """The window without what was seen before the last switch."""
        first = max(len(self.positions) - self.newer.draws, 0)
        return Window(self.newer, init(self.newer.rows.shape[1]), self.positions[first:], self.gradients[first:])


def empty(dimension: int) -> Window:
    """A window without draws."""
    return Window(init(dimension), init(dimension), np.zeros((0, dimension)), np.zeros((0, dimension)))
