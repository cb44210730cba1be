from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy import signal

from exmc.diagnostics.checks import CHECKS, Check, Evidence, diagnose, gather
from tests.diagnostics.trees import CHAINS, DRAWS, healthy, with_group


def failed_chain(tree: xr.DataTree) -> xr.DataTree:
    tree = tree.copy()
    tree.attrs["failed_chains"] = [{"chain": 4, "traceback": "Traceback …"}]
    return tree


def not_finite(tree: xr.DataTree) -> xr.DataTree:
    mu = tree.posterior.mu.copy()
    mu[0, 0] = np.nan
    return with_group(tree, "posterior", mu=mu)


def too_short(tree: xr.DataTree) -> xr.DataTree:
    return xr.DataTree.from_dict({name: group.to_dataset().isel(draw=slice(3)) for name, group in tree.items()})


def apart(tree: xr.DataTree) -> xr.DataTree:
    """Chain 2 is somewhat elsewhere: by a third of the posterior's spread."""
    return with_group(tree, "posterior", mu=tree.posterior.mu + 0.04 * (tree.posterior.chain == 2))


def slow(tree: xr.DataTree, coefficient: float = 0.7) -> xr.DataTree:
    """An autoregression, whose ESS is (1 - coefficient) / (1 + coefficient) of the draws."""
    noise = np.random.default_rng(5).normal(size=(CHAINS, DRAWS + 100))
    mu = signal.lfilter([1.0], [1.0, -coefficient], noise, axis=1)[:, 100:]
    return with_group(tree, "posterior", mu=tree.posterior.mu.copy(data=mu))


def slow_in_the_tails(tree: xr.DataTree) -> xr.DataTree:
    """Signs mix at once, magnitudes slowly."""
    sizes = np.abs(slow(tree, 0.99).posterior.mu.values)
    signs = np.random.default_rng(6).choice([-1.0, 1.0], size=sizes.shape)
    return with_group(tree, "posterior", mu=tree.posterior.mu.copy(data=sizes * signs))


def diverging(tree: xr.DataTree) -> xr.DataTree:
    flags = tree.sample_stats.diverging.copy()
    flags[3, 7] = True
    return with_group(tree, "sample_stats", diverging=flags)


def saturated(tree: xr.DataTree) -> xr.DataTree:
    flags = tree.sample_stats.reached_max_treedepth.copy()
    flags[1, : DRAWS // 50] = True
    return with_group(tree, "sample_stats", reached_max_treedepth=flags)


def sticky_energy(tree: xr.DataTree) -> xr.DataTree:
    energy = tree.sample_stats.energy.copy()
    energy[2] = np.sort(energy[2])
    return with_group(tree, "sample_stats", energy=energy)


def fitted(**said: float | str | None) -> Callable[[xr.DataTree], xr.DataTree]:
    """The draws are of a method that says this of itself."""

    def spoil(tree: xr.DataTree) -> xr.DataTree:
        tree = tree.copy()
        tree.attrs["method"] = {"name": "some", "approximation": "draws of something"} | said
        return tree

    return spoil


# What spoils a healthy run so that a check fails, and for whom it then fails. A new check needs its row here.
CASES: dict[str, tuple[Callable[[xr.DataTree], xr.DataTree], str]] = {
    "failed chain": (failed_chain, "chain 4"),
    "pareto_k": (fitted(pareto_k=0.75), "the approximation"),
    "log_evidence_error": (fitted(log_evidence=-3.0, log_evidence_error=0.6), "all chains"),
    "draws not finite": (not_finite, "mu"),
    "draws": (too_short, "each chain"),
    "r_hat": (apart, "mu"),
    "ess_bulk per chain": (slow, "mu"),
    "ess_tail per chain": (slow_in_the_tails, "mu"),
    "divergences": (diverging, "all chains"),
    "reached_max_treedepth": (saturated, "chain 1"),
    "bfmi": (sticky_energy, "chain 2"),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_each_check_passes_a_healthy_run_and_fails_a_spoiled_one(check: Check) -> None:
    spoil, subject = CASES[check.name]
    assert diagnose(healthy(), [check]).passed
    found = diagnose(spoil(healthy()), [check])
    assert not found.passed
    assert [f.subject for f in found.findings] == [subject]
    (finding,) = found.findings
    assert (finding.check, finding.threshold) == (check.name, check.threshold)
    assert check.failed_by(finding.value)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_each_check_is_a_complete_row(check: Check) -> None:
    assert check.meaning.endswith(".")
    assert check.remedy.endswith(".")
    assert not check.failed_by(check.threshold)
    assert check.failed_by(np.nextafter(check.threshold, np.inf if check.fails == "above" else -np.inf))
    assert check.failed_by(float("nan"))
    assert [c.name for c in CHECKS].count(check.name) == 1


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_each_check_takes_what_there_is(check: Check) -> None:
    bare = xr.DataTree.from_dict({"posterior": healthy()["posterior"].to_dataset()})
    assert diagnose(bare, [check]).passed
    summary = gather(healthy(chains=1, draws=1)).summary
    list(check.measure(Evidence(summary, {"energy": np.zeros((1, 1))}, (0,))))


def test_a_healthy_run_passes_as_a_whole_with_constants_in_it() -> None:
    found = diagnose(healthy())
    assert found.passed
    assert "one" in found.summary.scalar.values


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_few_draws_do_not_pass_and_say_why(draws: int) -> None:
    """Once, instead of an R-hat and two sample sizes of NaN for each scalar."""
    found = diagnose(healthy(draws=draws))
    assert [(f.check, f.value) for f in found.findings if f.check != "bfmi"] == [("draws", draws)]


def test_a_frozen_sampler_is_no_constant() -> None:
    tree = healthy()
    frozen = with_group(tree, "sample_stats", energy=xr.ones_like(tree.sample_stats.energy))
    assert {f.check for f in diagnose(frozen).findings} == {"bfmi"}
    mu = tree.posterior.mu.isel(draw=0, drop=True) + 0 * tree.posterior.mu
    assert "r_hat" in {f.check for f in diagnose(with_group(tree, "posterior", mu=mu)).findings}


def test_bfmi_is_its_formula() -> None:
    energy = sticky_energy(healthy()).sample_stats.energy.values[2]
    (finding,) = (f for f in diagnose(sticky_energy(healthy())).findings if f.check == "bfmi")
    assert finding.value == pytest.approx(np.mean(np.diff(energy) ** 2) / np.var(energy), rel=0.01)


def test_the_rate_of_false_alarms_is_small() -> None:
    alarms = sum(not diagnose(healthy(seed)).passed for seed in range(1, 41))
    assert alarms == 0


def test_what_a_method_says_of_itself_passes_if_it_is_good_and_fails_if_it_is_not_finite() -> None:
    good = fitted(pareto_k=0.69, log_evidence=-3.0, log_evidence_error=0.1)(healthy())
    found = diagnose(good)
    assert found.passed
    assert found.method["pareto_k"] == 0.69
    (finding,) = diagnose(fitted(pareto_k=None)(healthy())).findings
    assert finding.check == "pareto_k"
    assert np.isnan(finding.value)
