"""What is kept of the draws of one chain: moments, batches, a sketch of quantiles, energies, some to be shown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.live.batches import Batches
from exmc.diagnostics.live.moments import FloatArray, Moments
from exmc.diagnostics.live.sketch import Sketch
from exmc.diagnostics.live.thinned import Thinned
from exmc.errors import StoreError

DIVERGENCES_SHOWN = 200
ENERGY, ENERGY_CHANGE = -2, -1
"""The columns of `ChainSummary.shown` after those of the scalars: a draw's energy, and how it differs from the last."""


class Detail(NamedTuple):
    """How much of each scalar is kept of a chain; even numbers, 0 for none.

    Attributes
    ----------
    batches
        By which chains are compared and effective sample sizes estimated; at least 8.
    items
        A level of the sketch that quantiles are read from.
    points
        Draws that are kept to be shown.
    """

    batches: int
    items: int = 0
    points: int = 0

    @classmethod
    def fitting(cls, scalars: int, chains: int, *, quantiles: bool = True, points: bool = False) -> Detail:
        """What bounds the memory of all scalars of all chains, to about 100 MB unless they are more than a million."""
        return cls(
            batches=_power_of_two(min(_BATCHES, 2 * _NUMBERS // max(scalars, 1)) // max(chains, 1), 32, 512),
            items=_power_of_two(_NUMBERS // max(scalars * chains, 1), 32, 512) if quantiles else 0,
            points=_power_of_two(2 * _NUMBERS // max(scalars * chains, 1), 16, 1024) if points else 0,
        )


_BATCHES = 1 << 12
_NUMBERS = 1 << 21


def _power_of_two(number: int, least: int, most: int) -> int:
    """The largest power of two up to `number`, within bounds."""
    return min(max(1 << max(number.bit_length() - 1, 0), least), most)


class ChainSummary:
    """One chain's draws, summed up in memory that does not grow with their number."""

    def __init__(self, scalars: int, detail: Detail) -> None:
        self.total = Moments.none((scalars,))
        self.batches = Batches(scalars, detail.batches)
        self.sketch = Sketch(scalars, detail.items) if detail.items else None
        self.shown = Thinned(scalars + 2, detail.points) if detail.points else None
        self.divergences = 0
        self.divergent: list[NDArray[np.float32]] = []
        self.energy = Moments.none(())
        self._energy_changes = 0.0
        self._last_energy = np.nan

    @property
    def draws(self) -> int:
        """How many draws were added."""
        return self.total.draws

    @property
    def bfmi(self) -> float:
        """The estimated Bayesian fraction of missing information (Betancourt 2016, equation 9); NaN of few draws."""
        if self.energy.draws < 2:
            return float("nan")
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(self._energy_changes / (self.energy.draws - 1) / self.energy.variance)

    def add(self, first: int, draws: FloatArray, energy: FloatArray, diverging: NDArray[np.bool_]) -> int:
        """Add draws ``[first, first + n)``, shape (draw, scalar), but for those that were added before; how many came.

        Raises `StoreError` if draws before them are missing.
        """
        known = self.draws - first
        if known < 0:
            raise StoreError(f"the draws from {first} on cannot follow {self.draws} draws.")
        if known >= len(draws):
            return 0
        draws, energy, diverging = draws[known:], energy[known:], diverging[known:]
        by_scalar = np.ascontiguousarray(draws.T)
        self.total = self.total.with_(Moments.of(by_scalar))
        self.batches.add(by_scalar)
        if self.sketch is not None:
            self.sketch.add(by_scalar)
        changes = np.diff(energy, prepend=self._last_energy)
        if self.shown is not None:
            self.shown.add(first + known, np.column_stack([draws, energy, changes]))
            self.divergent = [*self.divergent, *draws[diverging].astype(np.float32)][-DIVERGENCES_SHOWN:]
        self.divergences += int(diverging.sum())
        self._energy_changes += float(np.nansum(np.square(changes)))
        self.energy = self.energy.with_(Moments.of(energy))
        self._last_energy = float(energy[-1])
        return len(draws)
