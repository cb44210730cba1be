"""Against arviz-stats, one scalar at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from arviz_stats.base.array import array_stats

from exmc.diagnostics import convergence

FloatArray = np.ndarray
SHAPES = [(4, 1000), (2, 501), (1, 400), (3, 37), (4, 8), (2, 5), (1, 4), (2, 4), (2, 6), (2, 7)]


def cases(chains: int, draws: int) -> dict[str, FloatArray]:
    """Draws of shape (chain, draw) that take every branch."""
    random = np.random.default_rng(chains * draws)
    noise = random.normal(size=(chains, draws))
    slow = noise.copy()
    for i in range(1, draws):
        slow[:, i] = 0.95 * slow[:, i - 1] + noise[:, i]
    alternating = noise * 0.3 + np.resize([1.0, -1.0], draws)
    return {
        "independent": noise,
        "slow": slow,
        "alternating": alternating,
        "anticorrelated": np.diff(random.normal(size=(chains, draws + 1)), axis=1),
        "apart": noise + 5.0 * np.arange(chains)[:, np.newaxis],
        "heavy": random.standard_cauchy(size=(chains, draws)),
        "ties": np.floor(2.0 * noise),
        "two values": (noise > 0).astype(np.float64),
        "trend": noise + np.linspace(0, 8, draws),
        "large": 1e8 + noise,
    }


def arviz(name: str, draws: FloatArray) -> float:
    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(all="ignore"):
        if name == "mcse_mean":
            return float(array_stats.mcse(draws, method="mean", **axes))
        if name == "ess_tail":
            return float(array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes))
        if name == "r_hat":
            return float(array_stats.rhat(draws, method="rank", **axes))
        return float(array_stats.ess(draws, method=name.removeprefix("ess_"), **axes))


FUNCTIONS: tuple[Callable[[FloatArray], FloatArray], ...] = (
    convergence.ess_bulk,
    convergence.ess_tail,
    convergence.ess_mean,
    convergence.mcse_mean,
    convergence.r_hat,
)


# arviz-stats wants two chains for R-hat; of a single one, a summary compares the halves.
PAIRS = [
    pytest.param(function, *shape, id=f"{function.__name__}-{shape[0]}-{shape[1]}")
    for function in FUNCTIONS
    for shape in SHAPES
    if shape[0] > 1 or function is not convergence.r_hat
]


@pytest.mark.parametrize(("function", "chains", "draws"), PAIRS)
def test_numbers_are_those_of_arviz(function: Callable[[FloatArray], FloatArray], chains: int, draws: int) -> None:
    given = cases(chains, draws)
    found = function(np.stack(list(given.values())))
    expected = [arviz(function.__name__, values) for values in given.values()]
    # Fourier transforms of other lengths round otherwise: 1e8 + noise has half of its digits in the mean.
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    alone = [function(values[np.newaxis])[0] for values in given.values()]
    np.testing.assert_allclose(found, alone, rtol=1e-12)


def test_bfmi_is_arviz() -> None:
    random = np.random.default_rng(2)
    energy = np.cumsum(random.normal(size=(3, 300)), axis=1)
    expected = array_stats.bfmi(energy, chain_axis=0, draw_axis=1)
    np.testing.assert_allclose(convergence.bfmi(energy), expected, rtol=1e-13)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_draws_that_are_not_finite_have_no_sample_size() -> None:
    draws = np.random.default_rng(3).normal(size=(3, 2, 50))
    draws[0, 1, 7], draws[1, 0, 0] = np.nan, np.inf
    found = convergence.ess_mean(draws)
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2])
