"""One metric from what several chains have learnt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts import variance
from exmc.nuts.metric import Metric
from exmc.nuts.schemes import Scheme
from exmc.nuts.variance import Moments, Window
from exmc.nuts.warmup import Adaptation, estimate, is_careful

FloatArray = NDArray[np.float64]

# A chain whose variance of some coordinate is this many times the others', or their such part, is on its way or stuck.
# Of healthy chains it was 18 at most: those of a horseshoe after 98 draws (DECISIONS.md, "Sampling").
_FAR_APART = 100.0


class Pooled(NamedTuple):
    """The inverse mass matrix that chains have learnt together, and the numbers of those that it was learnt from."""

    inverse_mass_matrix: FloatArray
    chains: tuple[int, ...]


def pool(metric: Metric, scheme: Scheme, chains: Mapping[int, Adaptation]) -> Pooled:
    """The metric that the windows of `chains` give together, whatever their order; each has two draws or more.

    Draws and gradients count as deviations from their own chain's mean: chains that disagree about where the
    posterior lies, which R-hat is there to show, do not stretch the metric from one to the other. A chain that is
    `_FAR_APART` from the others is left out, but never half of them or more. They are careful if half of them are.
    """
    kept = _alike({chain: chains[chain].window.moments for chain in sorted(chains)})
    present = metric.variances(chains[kept[0]].inverse_mass_matrix)
    window = _pooled_window([chains[chain].window for chain in kept])
    careful = 2 * sum(is_careful(chains[chain]) for chain in kept) >= len(kept)
    return Pooled(estimate(metric, scheme, window, present, careful), kept)


def _alike(moments: Mapping[int, Moments]) -> tuple[int, ...]:
    """The chains that moved, and whose variances are within `_FAR_APART` of the chains' median; at least half."""
    moved = [chain for chain, found in moments.items() if found.rows[1].any()] or list(moments)
    with np.errstate(all="ignore"):
        variances = np.array([np.concatenate(moments[chain].variances()) for chain in moved])
        logarithms = np.log(np.maximum(variances, np.finfo(np.float64).tiny))
        distances = np.abs(logarithms - np.median(logarithms, axis=0)).max(axis=1)
    # What overflowed is as far as anything can be.
    distances = np.where(np.isfinite(distances), distances, np.inf)
    most = max(np.log(_FAR_APART), np.sort(distances)[len(moved) // 2])
    return tuple(chain for chain, distance in zip(moved, distances, strict=True) if distance <= most)


def _pooled_window(windows: list[Window]) -> Window:
    """The deviations of all draws from their own window's mean, scaled so that variances from them are unbiased."""
    moments = [window.moments for window in windows]
    draws, divergences = (sum(counts) for counts in zip(*(found[:2] for found in moments), strict=True))
    unbiased = (draws - 1) / (draws - len(windows))
    rows = np.zeros_like(moments[0].rows)
    rows[1::2] = unbiased * sum(found.rows[1::2] for found in moments)
    positions, gradients = (
        np.sqrt(unbiased) * np.concatenate([part - part.mean(axis=0) for part in parts if len(part)] or [rows[:0]])
        for parts in ([window.positions for window in windows], [window.gradients for window in windows])
    )
    return Window(variance.init(rows.shape[1]), Moments(draws, divergences, rows), positions, gradients)
