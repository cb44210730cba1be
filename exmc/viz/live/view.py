"""All scalars at one moment and how they came there, found once for every browser that looks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.live.posterior import LivePosterior
from exmc.viz.live.status import Status

FloatArray = NDArray[np.float64]
_MOST = 96


class History:
    """R-hat and effective sample sizes of every scalar after so many draws: at most 96 moments, evenly spaced."""

    def __init__(self, scalars: int) -> None:
        self.draws: list[int] = []
        self.r_hat = np.empty((_MOST, scalars), dtype=np.float32)
        self.ess = np.empty((_MOST, scalars), dtype=np.float32)

    def add(self, draws: int, r_hat: FloatArray, ess: FloatArray) -> None:
        """Add a moment, unless nothing was drawn since the last one."""
        if not draws or (self.draws and draws <= self.draws[-1]):
            return
        if len(self.draws) == _MOST:
            self.draws = self.draws[1::2]
            for table in (self.r_hat, self.ess):
                table[: _MOST // 2] = table[1::2]
        self.r_hat[len(self.draws)], self.ess[len(self.draws)] = r_hat, ess
        self.draws.append(draws)


class View(NamedTuple):
    """One moment. Arrays have one entry a scalar; `order` has the worst R-hat first."""

    status: Status
    history: History
    draws: int
    mean: FloatArray
    sd: FloatArray
    r_hat: FloatArray
    ess: FloatArray
    order: NDArray[np.int64]


def note(posterior: LivePosterior, history: History) -> tuple[FloatArray, FloatArray]:
    """R-hat and effective sample sizes now, which are added to `history`."""
    with posterior.lock:
        r_hat, ess, draws = posterior.r_hat(), posterior.ess_bulk(), posterior.draws
    history.add(draws, r_hat, ess)
    return r_hat, ess


def look(posterior: LivePosterior, status: Status, history: History) -> View:
    """The moment that is now, which is added to `history`."""
    with posterior.lock:
        r_hat, ess = note(posterior, history)
        total, draws = posterior.total(), posterior.draws
    with np.errstate(invalid="ignore"):
        sd = np.sqrt(total.variance)
    # Of scalars of which nothing is known, constants too, the first come first.
    order = np.argsort(np.where(np.isnan(r_hat), np.inf, -r_hat), kind="stable")
    mean = total.mean if total.draws else np.full(len(sd), np.nan)
    return View(status, history, draws, mean, sd, r_hat, ess, order)
