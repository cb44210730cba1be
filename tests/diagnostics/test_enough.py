"""A run goes on until its draws are as good as asked, by bounded steps, and never beyond what it may cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.enough import Cost, judge_draws
from exmc.diagnostics.summary import Summary, posterior_scalars, scalars_of, summary_of
from exmc.diagnostics.until import Until

CHEAP = Cost(1.0, 0.5)


def table(draws: int = 400, correlation: float = 0.0, shift: float = 0.0, **more: float) -> Summary:
    """Of four chains of an autoregressive series of order one; the first is moved by `shift`."""
    noise = np.random.default_rng(3).normal(size=(4, draws))
    series = noise.copy()
    for t in range(1, draws):
        series[:, t] = correlation * series[:, t - 1] + noise[:, t]
    series[0] += shift
    posterior = {"mu": (("chain", "draw"), series)}
    posterior |= {name: (("chain", "draw"), np.full((4, draws), value)) for name, value in more.items()}
    return summary_of(posterior_scalars(xr.DataTree.from_dict({"posterior": xr.Dataset(posterior)})))


def test_good_draws_are_enough() -> None:
    assert judge_draws(table(), Until(ess=400, rhat=1.05), CHEAP)[:2] == (400, True)


def test_too_few_effective_draws_are_drawn_on_as_far_as_predicted() -> None:
    seen, until = table(correlation=0.5), Until(ess=1000)
    size = min(float(seen.columns[name][0]) for name in ("ess_bulk", "ess_tail"))
    verdict = judge_draws(seen, until, CHEAP)
    assert not verdict.reached
    assert f"of mu is {size:.0f} of 1000" in verdict.reason
    assert verdict.draws == min(int(np.ceil(400 * 1.1 * 1000 / size)), 800)
    assert judge_draws(seen, until, CHEAP, chunk=500).draws == 1000


def test_a_step_is_neither_tiny_nor_far() -> None:
    seen = table(correlation=0.5)
    size = min(float(seen.columns[name][0]) for name in ("ess_bulk", "ess_tail"))
    assert judge_draws(seen, Until(ess=size + 1), CHEAP).draws == 500
    assert judge_draws(seen, Until(ess=1e6, max_draws=10**7), CHEAP).draws == 800


def test_chains_that_disagree_go_on() -> None:
    verdict = judge_draws(table(shift=1.0), Until(rhat=1.01), CHEAP)
    assert (verdict.draws, verdict.reached) == (600, False)
    assert "the R-hat of mu is" in verdict.reason


@pytest.mark.parametrize(
    ("until", "cost", "draws", "named"),
    [
        (Until(ess=1e6, max_draws=400), CHEAP, 400, "max_draws is reached"),
        (Until(ess=1e6, max_draws=450), CHEAP, 450, ""),
        (Until(ess=1e6, max_seconds=1.0), CHEAP, 400, "max_seconds is reached"),
        (Until(ess=1e6, max_seconds=1.25), CHEAP, 600, ""),
    ],
)
def test_what_a_run_may_cost_ends_it(until: Until, cost: Cost, draws: int, named: str) -> None:
    verdict = judge_draws(table(), until, cost)
    assert (verdict.draws, verdict.reached) == (draws, False)
    assert named in verdict.reason


def test_scalars_that_no_draw_can_change_are_not_asked() -> None:
    until = Until(ess=400, rhat=1.05)
    assert judge_draws(table(fixed=1.0, lost=np.nan), until, CHEAP).reached
    only = summary_of(scalars_of({"fixed": np.zeros((4, 400))}, {"fixed": []}))
    assert judge_draws(only, replace(until, ess=1e9), CHEAP).reached
