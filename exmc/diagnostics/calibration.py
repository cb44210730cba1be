"""The verdict on the ranks of a simulation-based calibration, which should be uniform."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc.diagnostics.summary import scalar_labels, stacked
from exmc.late import Late

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")

SIGNIFICANCE = 0.01
"""The chance that a right model with a right sampler is found wrong, over all its scalars together."""

_SIMULATIONS = 20_000
_AT_ONCE = 1 << 22
_MOST_CELLS = 200


class Uniformity(NamedTuple):
    """Whether the ranks of one scalar look uniform.

    Attributes
    ----------
    scalar
        Its label, ``theta[Choate]``.
    p_value
        The chance of an ECDF that leaves the uniform one as far, if ranks are uniform.
    adjusted
        The same, given how many scalars there are (Holm's step-down bound).
    """

    scalar: str
    p_value: float
    adjusted: float

    @property
    def passed(self) -> bool:
        """Whether the ranks are compatible with a uniform distribution."""
        return self.adjusted >= SIGNIFICANCE


def pit_values(ranks: NDArray[np.int64], ranked_draws: int, seed: int = 0) -> NDArray[np.float64]:
    """Ranks 0, …, `ranked_draws`, shape (replications, ...), as values in (0, 1), uniform if the ranks are.

    Each rank is spread at random over its share of the interval, so that the ECDF has no steps of its own.
    """
    spread = np.random.default_rng(seed).random(ranks.shape)
    return np.asarray((ranks + spread) / (ranked_draws + 1))


def uniformity(values: Mapping[str, NDArray[np.float64]], seed: int = 0) -> list[Uniformity]:
    """Test the `values` in (0, 1) of each scalar, shape (replications,), for uniformity.

    The statistic is the smallest pointwise tail probability of the ECDF, the one whose level sets are the simultaneous
    bands of Säilynoja, Bürkner and Vehtari (2022), "Graphical test for discrete uniformity"; its distribution
    is simulated. The p-values of all scalars are adjusted after Holm (1979), which needs no independence of them.
    """
    labels = list(values)
    if not labels:
        return []
    found = np.stack([values[label] for label in labels])
    null = _simulated(found.shape[1], seed)
    p_values = (1 + np.searchsorted(null, _statistic(found), side="right")) / (1 + len(null))
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(labels), 0, -1))
    adjusted = np.empty(len(labels))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [Uniformity(*row) for row in zip(labels, p_values.tolist(), adjusted.tolist(), strict=True)]


@functools.lru_cache(maxsize=4)
def _simulated(count: int, seed: int) -> NDArray[np.float64]:
    """The statistic of uniform samples of `count` values, in ascending order."""
    generator = np.random.default_rng([seed, count])
    step = max(1, _AT_ONCE // count)
    parts = [
        _statistic(generator.random((min(step, _SIMULATIONS - first), count))) for first in range(0, _SIMULATIONS, step)
    ]
    return np.sort(np.concatenate(parts))


def _statistic(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest two-sided binomial tail probability of the ECDF of each row, shape (rows, n).

    The ECDF is looked at where it ends each of n equal cells of the unit interval, or of `_MOST_CELLS`.
    """
    rows, count = samples.shape
    cells = min(count, _MOST_CELLS)
    # The cell of a value, and its row's own share of one long count.
    places = np.minimum((samples * cells).astype(np.int64), cells - 1) + cells * np.arange(rows)[:, None]
    below = np.bincount(places.ravel(), minlength=rows * cells).reshape(rows, cells).cumsum(axis=1)[:, :-1]
    return np.asarray(_tail_probabilities(count, cells)[np.arange(cells - 1), below].min(axis=1))


@functools.lru_cache(maxsize=4)
def _tail_probabilities(count: int, cells: int) -> NDArray[np.float64]:
    """Twice the smaller tail probability of k of `count` values below i / `cells`, shape (cells - 1, count + 1)."""
    points, possible = (np.arange(1, cells) / cells)[:, None], np.arange(count + 1)
    lower = scipy_special.bdtr(possible, count, points)
    upper = 1.0 - np.where(possible > 0, scipy_special.bdtr(np.maximum(possible - 1, 0), count, points), 0.0)
    return np.asarray(2.0 * np.minimum(lower, upper))


def calibration_text(rows: list[Uniformity], statistics: xr.Dataset, limit: int = 20) -> str:
    """The verdict in words, the scalars that fail first; `statistics` is the group ``sbc_stats``."""
    failed = [row for row in rows if not row.passed]
    counted = f"{statistics.sizes['draw']} replications, {len(rows)} scalars"
    lines = [f"{counted}: {'calibrated' if not failed else f'NOT calibrated, {len(failed)} of them'}."]
    worst = sorted(rows, key=lambda row: row.p_value)[:limit]
    width = max((len(row.scalar) for row in worst), default=0)
    lines += [
        f"  {r.scalar:{width}}  p {r.p_value:.4f}, adjusted {r.adjusted:.4f}{'' if r.passed else '  FAILED'}"
        for r in worst
    ]
    if len(rows) > len(worst):
        lines.append(f"  and {len(rows) - len(worst)} more, none with a smaller p")
    return "\n".join([*lines, *_doubts(statistics)])


def _doubts(statistics: xr.Dataset) -> list[str]:
    """What may spoil the verdict: correlated draws, divergences, replications that failed."""
    ranked = int(statistics.attrs["ranked_draws"])
    correlated = int((statistics["ess"] < ranked).sum())
    diverged = int((statistics["divergences"] > 0).sum())
    failed = list(statistics.attrs["failures"])
    doubts = []
    if correlated:
        doubts.append(
            f"In {correlated} replications the effective sample size is below {ranked}: ranks among correlated draws "
            "crowd at both ends. Raise sampler.draws."
        )
    if diverged:
        doubts.append(f"Replications with divergences: {diverged}.")
    if failed:
        doubts.append(f"Replications that failed and are left out: {len(failed)}. The first: {failed[0]}")
    return doubts


def scalar_values(pit: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """The values of every scalar of `pit`, which has the dims of draws, by its label: shape (replications,) each."""
    arrays = list(pit.data_vars.values())
    labels = [label for array in arrays for label in scalar_labels(array)]
    flat = stacked(arrays)
    return dict(zip(labels, flat.reshape(len(flat), -1), strict=True))
