"""A live posterior to look at, and where its run stands."""

from __future__ import annotations

import numpy as np

from exmc.diagnostics.live.chain import Detail
from exmc.diagnostics.live.posterior import LivePosterior, Variable
from exmc.viz.live.status import ChainStatus, Status


def posterior_of(scalars: int, draws: int = 200, chains: int = 3, seed: int = 1) -> LivePosterior:
    """Normal draws of one vector ``x``; the chains disagree about its last entry."""
    detail = Detail.fitting(scalars, chains, quantiles=False, points=True)
    live = LivePosterior([Variable("x", (scalars,), ("row",))], {"row": np.arange(scalars)}, chains, detail)
    add(live, draws, seed)
    return live


def add(live: LivePosterior, draws: int, seed: int = 1) -> None:
    """More draws of every chain."""
    rng = np.random.default_rng(seed)
    for number, chain in enumerate(live.chains):
        values = rng.normal(size=(draws, live.scalars))
        values[:, -1] += 3 * number
        statistics = {"energy": rng.gamma(2.0, size=draws), "diverging": rng.random(draws) < 0.05}
        live.add(number, chain.draws, {"x": values}, statistics)


def status_of(standing: str = "running", chains: int = 3, done: int = 300) -> Status:
    """A run under way."""
    each = ChainStatus("sampling", 100, 200, 1, 0.25, 7.0, 1500.0)
    stages = (("build", 0.1), ("sampling", None), ("diagnosis", None))
    return Status("a <run>", standing, "", stages, (each,) * chains, done, 600, chains, "12 s")
