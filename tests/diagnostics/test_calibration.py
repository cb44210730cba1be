"""Uniform ranks pass as often as they should, ranks of wrong posteriors fail, in whatever way they are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from arviz_stats.ecdf_utils import ecdf_pit

from exmc.diagnostics.calibration import calibration_text, pit_values, scalar_values, uniformity

REPLICATIONS, RANKED = 200, 99


def normal_ranks(generator: np.random.Generator, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Ranks in a conjugate normal model (prior N(0, 1), one datum with sd 1), its posterior shifted and scaled."""
    true = generator.normal(size=REPLICATIONS)
    datum = true + generator.normal(size=REPLICATIONS)
    sd = np.sqrt(0.5)
    draws = datum / 2 + shift * sd + scale * sd * generator.normal(size=(RANKED, REPLICATIONS))
    return np.asarray((draws < true).sum(axis=0))


def test_p_values_of_uniform_ranks_are_uniform() -> None:
    generator = np.random.default_rng(1)
    count = 400
    values = {str(i): pit_values(normal_ranks(generator), RANKED, seed=i) for i in range(count)}
    p_values = np.array([row.p_value for row in uniformity(values)])
    for level in (0.01, 0.05, 0.2, 0.5, 0.8):
        share = (p_values <= level).mean()
        z = (share - level) / np.sqrt(level * (1 - level) / count)
        assert abs(z) < 4, (level, share)


@pytest.mark.parametrize("fault", [{"shift": 0.6}, {"shift": -0.6}, {"scale": 0.5}, {"scale": 2.0}])
def test_wrong_posteriors_fail(fault: dict[str, float]) -> None:
    generator = np.random.default_rng(2)
    values = {str(i): pit_values(normal_ranks(generator), RANKED, seed=i) for i in range(9)}
    values["wrong"] = pit_values(normal_ranks(generator, **fault), RANKED)
    rows = {row.scalar: row for row in uniformity(values)}
    assert not rows.pop("wrong").passed
    assert all(row.passed for row in rows.values())


def test_the_verdict_of_one_scalar_is_that_of_the_band() -> None:
    """A p-value below 1 - c is an ECDF that leaves arviz-stats' simultaneous band of probability c."""
    generator = np.random.default_rng(3)
    points, _, lower, upper = ecdf_pit(np.linspace(0, 1, REPLICATIONS), 0.9, n_simulations=4000)
    agree = []
    for seed in range(100):
        values = pit_values(normal_ranks(generator, shift=0.2), RANKED, seed=seed)
        ecdf = (values[:, None] <= points).mean(axis=0)
        outside = bool(((ecdf < lower) | (ecdf > upper)).any())
        agree.append((outside, uniformity({"x": values})[0].p_value < 0.1))
    assert 20 < sum(outside for outside, _ in agree) < 80, "the comparison needs both"
    assert sum(a == b for a, b in agree) >= 95, "both simulate the limit, so ECDFs that touch it may differ"


def test_adjustment_is_holms() -> None:
    generator = np.random.default_rng(4)
    values = {str(i): generator.random(50) ** (1 + i / 4) for i in range(5)}
    rows = uniformity(values)
    ordered = sorted(rows, key=lambda row: row.p_value)
    largest = 0.0
    for i, row in enumerate(ordered):
        largest = max(largest, min(1.0, (5 - i) * row.p_value))
        assert row.adjusted == pytest.approx(largest, rel=1e-12)


def test_pit_values_are_in_the_cell_of_their_rank() -> None:
    ranks = np.arange(100).reshape(10, 10)
    values = pit_values(ranks, 99)
    assert ((values * 100).astype(int) == ranks).all()


def test_labels_and_text() -> None:
    pit = xr.Dataset(
        {"mu": (("chain", "draw"), [[0.1, 0.9]]), "theta": (("chain", "draw", "s"), [[[0.2, 0.3], [0.4, 0.5]]])},
        coords={"s": ["a", "b"]},
    )
    values = scalar_values(pit)
    assert {name: v.tolist() for name, v in values.items()} == {
        "mu": [0.1, 0.9], "theta[a]": [0.2, 0.4], "theta[b]": [0.3, 0.5]}  # fmt: skip
    statistics = xr.Dataset(
        {"ess": ("draw", [50.0, 400.0]), "divergences": ("draw", [0, 3])},
        attrs={"ranked_draws": 99, "failures": ["replication 7: no starting point"]},
    )
    text = calibration_text(uniformity(values), statistics)
    assert text.startswith("2 replications, 3 scalars: calibrated.")
    assert "In 1 replications the effective sample size is below 99" in text
    assert "divergences: 1." in text
    assert "replication 7: no starting point" in text
    wrong = uniformity({"x": np.full(50, 0.5) + np.linspace(0, 1e-3, 50)})
    assert "NOT calibrated, 1 of them" in calibration_text(wrong, statistics)
