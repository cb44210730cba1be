"""Whether a run has drawn enough, and if not, how far it goes before that is asked again."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from exmc.diagnostics.summary import Summary
from exmc.diagnostics.until import Until

# Effective sample sizes are noisy, and a target missed by a little costs another look.
_MARGIN = 1.1
# A look costs a moment; a prediction from few draws is not to be followed far; and R-hat predicts nothing.
_LEAST, _MOST, _UNPREDICTABLE = 1.25, 2.0, 1.5


class Cost(NamedTuple):
    """Seconds that the slowest chain has taken in all, and for its draws alone."""

    seconds: float
    sampling: float


class Verdict(NamedTuple):
    """Draws a chain to go on to, those there are if the run ends; whether the aim is reached; and why, in words."""

    draws: int
    reached: bool
    reason: str


def judge_draws(table: Summary, until: Until, cost: Cost, chunk: int = 1) -> Verdict:
    """Whether the posterior that `table` tells of has what `until` asks for.

    A number of draws to go on to is one of whole chunks. Scalars that do not move, and those that are not finite, are
    not asked: no number of draws changes that.
    """
    moving = np.flatnonzero(~table.constant & table.finite)
    draws, lacks, factor = table.draws, [], 1.0
    if until.ess is not None and moving.size:
        sizes = np.minimum(table.columns["ess_bulk"], table.columns["ess_tail"])[moving]
        sizes = np.nan_to_num(sizes, nan=0.0)
        worst = int(np.argmin(sizes))
        if sizes[worst] < until.ess:
            lacks.append(
                f"the effective sample size of {table.labels[moving[worst]]} is {sizes[worst]:.0f} of {until.ess:g}"
            )
            factor = min(_MARGIN * until.ess / max(sizes[worst], 1.0), _MOST)
    if until.rhat is not None and moving.size:
        ratios = np.nan_to_num(table.columns["r_hat"][moving], nan=np.inf)
        worst = int(np.argmax(ratios))
        if ratios[worst] > until.rhat:
            lacks.append(f"the R-hat of {table.labels[moving[worst]]} is {ratios[worst]:.3f}, above {until.rhat:g}")
            factor = max(factor, _UNPREDICTABLE)
    if not lacks:
        return Verdict(draws, True, "every scalar has what was asked for")
    why = " and ".join(lacks)
    if draws >= until.max_draws:
        return Verdict(draws, False, f"max_draws is reached, and {why}")
    most = _affordable(until, cost, draws)
    if most <= draws:
        return Verdict(draws, False, f"max_seconds is reached, and {why}")
    wanted = math.ceil(draws * max(factor, _LEAST))
    return Verdict(min(-(-wanted // chunk) * chunk, most, until.max_draws), False, why)


def _affordable(until: Until, cost: Cost, draws: int) -> int:
    """Draws a chain by the time that ``until.max_seconds`` are over."""
    if until.max_seconds is None:
        return until.max_draws
    left = until.max_seconds - cost.seconds
    return draws + max(0, math.floor(left * draws / max(cost.sampling, 1e-9)))
