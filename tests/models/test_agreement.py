"""Tests of the agreement rule on draws whose distribution is known: the right one passes, each fault fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats

from tests.models.agreement import REFERENCES, Reference, compare, read_reference

CHAINS, DRAWS = 4, 1000
REFERENCE = {
    "beta[1]": Reference(-3.0, 2.0, 0.02),
    "beta[2]": Reference(40.0, 0.5, 0.005),
    "sigma": Reference(1.5, 0.1, 0.001),
}
MEANS = np.array([row.mean for row in REFERENCE.values()])
SDS = np.array([row.sd for row in REFERENCE.values()])


def standard_draws(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((CHAINS, DRAWS, 3))


def tree_of(standard: np.ndarray, diverging: int = 0) -> xr.DataTree:
    """A run whose draws are `standard` (chain, draw, scalar) on the scale of the reference."""
    values = MEANS + SDS * standard
    flags = np.zeros(CHAINS * DRAWS, dtype=bool)
    flags[:diverging] = True
    posterior = xr.Dataset(
        {"beta": (("chain", "draw", "coefficient"), values[..., :2]), "sigma": (("chain", "draw"), values[..., 2])}
    )
    stats = xr.Dataset({"diverging": (("chain", "draw"), flags.reshape(CHAINS, DRAWS))})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


@pytest.mark.parametrize("seed", range(5))
def test_independent_draws_of_the_reference_agree(seed: int) -> None:
    agreement = compare(tree_of(standard_draws(seed)), REFERENCE)
    assert agreement.problems == ()
    assert [scalar.name for scalar in agreement.scalars] == list(REFERENCE)


def test_figures_are_those_of_the_rule() -> None:
    tree = tree_of(standard_draws())
    agreement = compare(tree, REFERENCE)
    second = tree["posterior"]["beta"].values[..., 1]
    error = array_stats.mcse(second, chain_axis=0, draw_axis=1)
    z = (second.mean() - 40.0) / math.sqrt(error**2 + 0.005**2)
    assert agreement.scalars[1].z == pytest.approx(z, rel=1e-12)
    assert agreement.scalars[1].sd_ratio == pytest.approx(second.std(ddof=1) / 0.5, rel=1e-12)
    assert agreement.largest_z == max(abs(scalar.z) for scalar in agreement.scalars)
    assert agreement.least_ess == min(scalar.ess for scalar in agreement.scalars)
    assert agreement.largest_rhat == max(scalar.rhat for scalar in agreement.scalars)
    assert agreement.draws == CHAINS * DRAWS


def shifted_mean(standard: np.ndarray) -> np.ndarray:
    # Ten of the Monte Carlo errors of run and reference together, each about a hundredth of a standard deviation.
    return standard + np.array([0.0, 0.2, 0.0])


def too_wide(standard: np.ndarray) -> np.ndarray:
    return standard * [1.0, 1.0, 1.2]


def too_narrow(standard: np.ndarray) -> np.ndarray:
    return standard * [0.8, 1.0, 1.0]


def slowly_mixing(standard: np.ndarray) -> np.ndarray:
    """The first scalar as a stationary AR(1) with coefficient 0.8: about 440 effective draws of 4000."""
    chain = standard[..., 0].copy()
    for draw in range(1, DRAWS):
        chain[:, draw] = 0.8 * chain[:, draw - 1] + 0.6 * standard[:, draw, 0]
    return np.concatenate([chain[..., None], standard[..., 1:]], axis=-1)


def one_chain_apart(standard: np.ndarray) -> np.ndarray:
    return standard + 0.6 * (np.arange(CHAINS) == 2)[:, None, None] * np.array([0.0, 0.0, 1.0])


def one_draw_missing(standard: np.ndarray) -> np.ndarray:
    standard = standard.copy()
    standard[3, -1, 1] = np.nan
    return standard


@pytest.mark.parametrize(
    ("fault", "scalar", "words"),
    [
        (shifted_mean, "beta[2]", "mean"),
        (too_wide, "sigma", "sd"),
        (too_narrow, "beta[1]", "sd"),
        (slowly_mixing, "beta[1]", "bulk ESS"),
        (one_chain_apart, "sigma", "R-hat"),
        (one_draw_missing, "beta[2]", "mean nan"),
    ],
)
def test_each_fault_is_found_where_it_is(fault: Callable[[np.ndarray], np.ndarray], scalar: str, words: str) -> None:
    agreement = compare(tree_of(fault(standard_draws())), REFERENCE)
    assert any(problem.startswith(f"{scalar}: {words}") for problem in agreement.problems), agreement.problems
    assert all(problem.startswith(f"{scalar}: ") for problem in agreement.problems), agreement.problems


@pytest.mark.parametrize(("diverging", "agrees"), [(0, True), (19, True), (20, False), (4000, False)])
def test_divergences_up_to_half_a_percent(diverging: int, agrees: bool) -> None:
    agreement = compare(tree_of(standard_draws(), diverging), REFERENCE)
    assert (agreement.problems == ()) is agrees


@pytest.mark.parametrize("name", ["gamma", "beta[3]", "beta[0]", "beta", "sigma[1]", "beta[1,1]"])
def test_scalar_that_the_run_lacks_disagrees(name: str) -> None:
    reference = {**REFERENCE, name: Reference(0.0, 1.0, 0.01)}
    problems = compare(tree_of(standard_draws()), reference).problems
    assert problems
    assert all(problem.startswith(f"{name}: ") for problem in problems)


def test_matrices_count_rows_first() -> None:
    values = np.zeros((CHAINS, DRAWS, 2, 3))
    values[..., 0, 2] = standard_draws()[..., 0]
    tree = tree_of(standard_draws())
    tree["posterior"] = xr.DataTree(
        xr.Dataset({"K": (("row", "chain", "column", "draw"), values.transpose(2, 0, 3, 1))})
    )
    assert compare(tree, {"K[1,3]": Reference(0.0, 1.0, 0.01)}).problems == ()


def test_unreadable_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"beta\[x\]"):
        compare(tree_of(standard_draws()), {"beta[x]": REFERENCE["sigma"]})


@pytest.mark.parametrize("posterior", sorted(path.stem for path in REFERENCES.glob("*.json")))
def test_stored_references_are_whole(posterior: str) -> None:
    document = json.loads((REFERENCES / f"{posterior}.json").read_text())
    assert document["posterior"] == posterior
    reference = read_reference(posterior)
    assert reference
    for row in reference.values():
        assert math.isfinite(row.mean)
        assert row.sd > row.mcse > 0


def test_a_run_that_lost_a_chain_does_not_agree() -> None:
    tree = tree_of(standard_draws())
    tree.attrs["failed_chains"] = [{"chain": 3, "traceback": "it broke"}]
    assert compare(tree, REFERENCE).problems == ("chain 3 failed",)
