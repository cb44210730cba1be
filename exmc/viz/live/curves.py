"""The numbers that the page's curves consist of, few however many draws there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_GRID = 96
_POINTS = 300


def thinned(numbers: NDArray[np.int64], values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """At most 300 evenly spaced points of a trace: the numbers of draws and their values."""
    step = max(1, -(-len(values) // _POINTS))
    return numbers[::step].astype(np.float64), values[::step]


def density(values: FloatArray, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """A Gaussian kernel estimate of the density of `values` on a grid from `low` to `high`.

    Values are binned, so that it takes no longer for more of them; the bandwidth is Silverman's (1986, equation 3.31).
    """
    counts, edges = np.histogram(values, bins=_GRID, range=(low, high))
    width = edges[1] - edges[0]
    quartiles = np.quantile(values, [0.25, 0.75])
    spread = min(float(values.std()), float(quartiles[1] - quartiles[0]) / 1.34) or float(values.std())
    bandwidth = max(0.9 * spread * len(values) ** -0.2, width)
    reach = np.arange(-_GRID, _GRID + 1) * width
    kernel = np.exp(-0.5 * np.square(reach / bandwidth))
    found = np.convolve(counts, kernel / kernel.sum(), mode="same" if len(kernel) <= _GRID else "full")
    middle = found[_GRID : 2 * _GRID] if len(found) > _GRID else found
    return (edges[:-1] + edges[1:]) / 2, middle / (len(values) * width)


def span(chains: Sequence[FloatArray]) -> tuple[float, float] | None:
    """From where to where the finite values of `chains` are shown, a little beyond them; None if there are none."""
    finite = [chain[np.isfinite(chain)] for chain in chains]
    values = np.concatenate([np.empty(0), *finite])
    if not len(values):
        return None
    # A single far draw would leave nothing to be seen of the others.
    low, high = np.quantile(values, [0.001, 0.999])
    margin = 0.08 * (high - low) or max(abs(high), 1.0) * 0.05
    return float(low - margin), float(high + margin)


def rank_counts(chains: Sequence[FloatArray], bins: int = 16) -> FloatArray:
    """How many of each chain's draws have a rank among all draws in each of `bins`, as a share of what is expected.

    Shape (chain, bin), about 1 everywhere if chains agree: Vehtari et al. (2021), "Rank-normalization, folding, and
    localization".
    """
    values = np.concatenate([np.empty(0), *chains])
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    found, first = np.ones((len(chains), bins)), 0
    for row, chain in enumerate(chains):
        if len(chain):
            own = ranks[first : first + len(chain)]
            found[row] = np.histogram(own, bins=bins, range=(0, len(values)))[0] * bins / len(chain)
        first += len(chain)
    return found
