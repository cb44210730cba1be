"""R-hat and effective sample sizes of chains of which batches are kept.

They are those of the draws themselves, not of their ranks: for scalars with long tails they differ from the final ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exmc.diagnostics.convergence import ess_mean
from exmc.diagnostics.live.batches import Batches
from exmc.diagnostics.live.moments import FloatArray, Moments

ESS_ERROR = 0.3
"""By how much nineteen of twenty effective sample sizes differ at most from those of all draws, as a share of them.

Measured on autoregressive chains of lag-one correlation -0.5 to 0.9 with `Detail.fitting`; of chains that have not more
draws than batches, there is no difference but that of the ranks.
"""
_FEWEST_DRAWS = 4
_FEWEST_BATCHES = 4


def split_r_hat(chains: Sequence[Batches]) -> FloatArray:
    """Split R-hat of each scalar: Gelman et al., "Bayesian Data Analysis" (3rd ed., 2013), equation 11.4.

    Chains may differ in length; of those of less than four draws nothing is said. NaN of constants.
    """
    halves = [half for chain in chains if chain.draws >= _FEWEST_DRAWS for half in chain.halves()]
    if not halves:
        return np.full(len(chains[0].means(chains[0].size)) if chains else 0, np.nan)
    count = float(np.mean([half.draws for half in halves]))
    between = np.var([half.mean for half in halves], axis=0, ddof=1)
    within = np.mean([half.variance for half in halves], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.sqrt(between / within + (count - 1) / count)
    return found


def effective_draws(chains: Sequence[Batches], total: Moments) -> FloatArray:
    """The effective sample size of each scalar's mean; NaN of constants, and of chains that have few draws.

    The Monte Carlo variance of a mean over batches that are as long as possible is that of the mean over their draws.
    Batch means are correlated, too, while chains are short, so Geyer's sequence is summed over them (Flegal & Jones,
    "Batch means and spectral variance estimators in Markov chain Monte Carlo", 2010, have the case without).
    """
    nothing = np.full(total.mean.shape, np.nan)
    size = max((chain.size for chain in chains), default=1)
    means = [found for chain in chains if (found := chain.means(size)).shape[1] >= _FEWEST_BATCHES]
    if not means:
        return nothing
    batches = min(found.shape[1] for found in means)
    # The newest: a chain that is longer than others has found its place.
    stacked = np.stack([found[:, found.shape[1] - batches :] for found in means], axis=1)
    finite = np.isfinite(stacked).all(axis=(1, 2)) & (total.variance > 0)
    if not finite.any():
        return nothing
    chosen = stacked[finite]
    spread = chosen.reshape(len(chosen), -1).var(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_draw = spread / ess_mean(chosen) * (chosen.shape[1] * batches * size)
        found = total.variance[finite] * total.draws / per_draw
    nothing[finite] = np.minimum(found, total.draws * np.log10(total.draws))
    return nothing
