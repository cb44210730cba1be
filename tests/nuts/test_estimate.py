from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from exmc.nuts import estimate, variance
from exmc.nuts.metric import METRICS
from exmc.nuts.variance import Window
from tests.nuts.driving import matrix_of

CUTOFF = 2.0


def window_of(positions: np.ndarray, gradients: np.ndarray) -> Window:
    """What a chain has seen that drew these positions."""
    window, draws = variance.empty(positions.shape[1]).with_draws(positions, gradients), 0
    for position, gradient in zip(positions, gradients, strict=True):
        draws = variance.update(draws, window.newer.rows, position, gradient)
    return window._replace(newer=window.newer._replace(draws=draws))


def normal_window(covariance: np.ndarray, draws: int, seed: int = 0) -> Window:
    """Independent draws of a normal, and its gradients."""
    positions = np.random.default_rng(seed).multivariate_normal(np.zeros(len(covariance)), covariance, size=draws)
    return window_of(positions, -positions @ np.linalg.inv(covariance))


def example(dimension: int, seed: int = 0) -> np.ndarray:
    """A covariance matrix with correlations and scales from 0.01 to 100."""
    random = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(random.normal(size=(dimension, dimension)))
    lengths = 10.0 ** random.uniform(-2.0, 2.0, size=dimension)
    return np.outer(lengths, lengths) * (axes @ np.diag(10.0 ** np.linspace(-1.5, 1.5, dimension)) @ axes.T)


def spread(covariance: np.ndarray, inverse_mass: np.ndarray) -> float:
    """The condition number that a metric leaves."""
    values = scipy.linalg.eigh(covariance, inverse_mass, eigvals_only=True)
    return float(values[-1] / values[0])


def test_stans_estimates_are_stans() -> None:
    window = normal_window(example(4), 50)
    covariance = np.cov(window.positions.T)
    kept, added = 50 / 55, 1e-3 * 5 / 55
    np.testing.assert_allclose(
        estimate.stan_variances(window.moments, np.ones(4), False), kept * np.diag(covariance) + added, rtol=1e-12
    )
    found = estimate.stan_covariance(window, np.ones(4))
    np.testing.assert_allclose(found, kept * covariance + added * np.eye(4), rtol=1e-10, atol=1e-12)


def test_variances_are_those_of_positions_by_those_of_gradients() -> None:
    window = normal_window(example(4), 50)
    expected = np.sqrt(window.positions.var(axis=0) / window.gradients.var(axis=0))
    np.testing.assert_allclose(estimate.fisher_variances(window.moments, np.ones(4), False), expected, rtol=1e-12)


def test_variances_of_independent_normals_are_exact_from_three_draws() -> None:
    lengths = np.array([1e-3, 1.0, 1e3])
    window = normal_window(np.diag(lengths**2), 3)
    np.testing.assert_allclose(estimate.fisher_variances(window.moments, np.ones(3), False), lengths**2, rtol=1e-9)


@pytest.mark.parametrize("careful", [False, True])
def test_what_bends_has_the_variance_of_its_draws_if_the_chain_is_careful(careful: bool) -> None:
    """The product of both variances is near 1, 4 and 9."""
    window = normal_window(np.diag([1.0, 4.0, 9.0]), 150)
    steeper = window_of(window.positions, window.gradients * np.array([1.0, 2.0, 3.0]))
    by_draws, by_both = window.positions.var(axis=0, ddof=1), [1.0, 4.0 / 2.0, 9.0 / 3.0]
    expected = np.where([False, False, careful], by_draws, by_both)
    np.testing.assert_allclose(estimate.fisher_variances(steeper.moments, np.ones(3), careful), expected, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_variances_know_no_scale(scale: float) -> None:
    window = normal_window(example(4), 30)
    scaled = window_of(window.positions * scale, window.gradients / scale)
    found = estimate.fisher_variances(scaled.moments, np.ones(4), False)
    np.testing.assert_allclose(
        found, estimate.fisher_variances(window.moments, np.ones(4), False) * scale**2, rtol=1e-10
    )


def test_what_did_not_vary_keeps_the_variance_in_use() -> None:
    positions, gradients = np.random.default_rng(0).normal(size=(2, 9, 4))
    positions[:, 1], gradients[:, 2], gradients[:, 3] = 5.0, -1.0, np.nan
    found = estimate.fisher_variances(window_of(positions, gradients).moments, np.array([7.0, 8.0, 9.0, 10.0]), False)
    assert found[0] != 7.0
    assert list(found[1:]) == [8.0, 9.0, 10.0]


@pytest.mark.parametrize("dimension", [1, 2, 7])
def test_the_geometric_mean_solves_its_equation(dimension: int) -> None:
    one, other = (np.cov(np.random.default_rng(seed).normal(size=(dimension, 30)), ddof=0) for seed in (1, 2))
    one, other = one.reshape(dimension, dimension), other.reshape(dimension, dimension)
    found = estimate.geometric_mean(one, other)
    np.testing.assert_allclose(found @ other @ found, one, rtol=1e-11, atol=1e-12)
    assert np.array_equal(found, found.T)
    assert np.linalg.eigvalsh(found).min() > 0


@pytest.fixture
def unshrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Correlations are then not shrunk, and what is learnt of a normal is exact."""
    monkeypatch.setattr(estimate, "_PRIOR_DRAWS", 0.0)
    monkeypatch.setattr(estimate, "_FEWEST_DRAWS", 2)


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize("dimension", [1, 2, 20])
def test_the_covariance_of_a_normal_is_exact_from_one_draw_more_than_dimensions(dimension: int) -> None:
    covariance = example(dimension)
    window = normal_window(covariance, dimension + 2)
    variances = estimate.fisher_variances(window.moments, np.ones(dimension), False)
    assert spread(covariance, estimate.fisher_covariance(window, variances)) == pytest.approx(1.0, rel=1e-4)
    # What is within a factor of the cutoff of the usual length, either way, stays.
    assert spread(covariance, matrix_of("low_rank", estimate.low_rank(window, variances, CUTOFF))) < CUTOFF**2 + 1e-4
    assert dimension < 20 or spread(covariance, np.diag(variances)) > 100.0


@pytest.mark.usefixtures("unshrunk")
def test_one_long_direction_among_equals_has_rank_one() -> None:
    """The variances by gradients are far below those of the positions, all alike: one factor, not a hundred rows."""
    lengths = 10.0 ** np.random.default_rng(1).uniform(-2.0, 2.0, 100)
    covariance = (0.95 + 0.05 * np.eye(100)) * np.outer(lengths, lengths)
    window = normal_window(covariance, 150)
    variances = estimate.fisher_variances(window.moments, np.ones(100), False)
    found = estimate.low_rank(window, variances, CUTOFF)
    assert len(found) == 3
    assert spread(covariance, np.diag(variances)) > 100.0
    assert spread(covariance, matrix_of("low_rank", found)) < CUTOFF**2


@pytest.mark.parametrize("bends", [True, False])
def test_directions_that_bend_are_left_to_the_variances(bends: bool) -> None:
    """A banana: x[0] is normal with mean 2, and x[1] about x[0]^2; or the same about 4 x[0], which is straight."""
    random = np.random.default_rng(2)
    along, across = random.normal(size=400), 0.1 * random.normal(size=400)
    first = 2.0 + along
    ridge, slope = (first**2, 2.0 * first) if bends else (4.0 * first, 4.0)
    window = window_of(
        np.stack([first, ridge + across], axis=1), np.stack([across * slope / 0.01 - along, -across / 0.01], axis=1)
    )
    variances = estimate.fisher_variances(window.moments, np.ones(2), False)
    every = estimate.low_rank(window, variances, CUTOFF)
    assert len(every) > 2
    cautious = estimate.low_rank(window, variances, CUTOFF, most_bent=3.0)
    assert np.array_equal(cautious, [variances, np.zeros(2)] if bends else every)


def test_nothing_bends_of_a_normal_however_its_directions_lie() -> None:
    covariance = example(20)
    window = normal_window(covariance, 100)
    variances = estimate.fisher_variances(window.moments, np.ones(20), False)
    every = estimate.low_rank(window, variances, CUTOFF)
    assert len(every) > 2
    assert np.array_equal(estimate.low_rank(window, variances, CUTOFF, most_bent=3.0), every)


@pytest.mark.parametrize("draws", [60, 100, 130, 260])
def test_few_draws_make_a_better_metric_than_their_variances(draws: int) -> None:
    covariance = example(130)
    window = normal_window(covariance, draws)
    variances = estimate.fisher_variances(window.moments, np.ones(130), False)
    found = estimate.low_rank(window, variances, CUTOFF)
    assert METRICS["low_rank"].fits(found, 130)
    np.testing.assert_allclose(found[2:] @ found[2:].T, np.eye(len(found) - 2), atol=1e-10)
    assert spread(covariance, matrix_of("low_rank", found)) < spread(covariance, np.diag(variances))


def test_correlations_of_a_few_early_draws_are_not_learnt() -> None:
    window = normal_window(example(4), 59)
    variances = estimate.fisher_variances(window.moments, np.ones(4), False)
    assert np.array_equal(estimate.low_rank(window, variances, CUTOFF), [variances, np.zeros(4)])


@pytest.mark.parametrize("metric", ["dense", "low_rank"])
@pytest.mark.parametrize("seed", range(20))
def test_draws_on_a_line_have_no_correlations(metric: str, seed: int) -> None:
    """A chain on its way down, which moves along one direction only: rounding hides the others."""
    random = np.random.default_rng(seed)
    along = np.linspace(1.0, 2.0, 70)[:, np.newaxis] * random.normal(size=3)
    window = window_of(1e6 * along, 1e9 * along + random.normal(size=(70, 3)))
    variances = estimate.fisher_variances(window.moments, np.ones(3), False)
    found = matrix_of(metric, METRICS[metric].estimate(estimate.FISHER, window, variances))
    np.testing.assert_allclose(found, np.diag(variances), rtol=1e-12)


def test_numbers_too_large_to_square_leave_the_variances() -> None:
    positions, gradients = np.random.default_rng(0).normal(size=(2, 99, 3)) * 1e300
    window = window_of(np.zeros((99, 3)), np.zeros((99, 3)))._replace(positions=positions, gradients=gradients)
    variances = np.array([1.0, 2.0, 3.0])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(estimate.fisher_covariance(window, variances), np.diag(variances), rtol=1e-15)
        assert np.array_equal(estimate.low_rank(window, variances, CUTOFF), [variances, np.zeros(3)])


def test_independent_draws_without_correlations_have_rank_zero() -> None:
    random = np.random.default_rng(0)
    # Gradients that are noise, as of a density with heavy tails, are no reason for correlations either.
    window = window_of(random.standard_t(8, size=(400, 10)), random.standard_t(8, size=(400, 10)))
    variances = estimate.fisher_variances(window.moments, np.ones(10), False)
    assert estimate.low_rank(window, variances, CUTOFF).shape == (2, 10)
