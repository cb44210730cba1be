"""A metric of several chains: that of all their draws about their own means, whatever one of them does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from exmc.nuts import warmup
from exmc.nuts.metric import METRICS
from exmc.nuts.pooling import pool
from exmc.nuts.schemes import SCHEMES, Scheme
from exmc.nuts.variance import Window, init
from exmc.nuts.warmup import Adaptation
from tests.nuts.test_estimate import window_of

DIMENSION, DRAWS = 3, 40
COVARIANCE = np.array([[4.0, 1.8, 0.0], [1.8, 1.0, 0.0], [0.0, 0.0, 0.01]])


def chain(name: str, seed: int, scale: float = 1.0, mean: float = 0.0) -> Adaptation:
    """What a chain has learnt from draws of a normal, and their gradients, exactly."""
    random = np.random.default_rng(seed)
    positions = scale * random.multivariate_normal(np.zeros(DIMENSION), COVARIANCE, size=DRAWS)
    gradients = -positions @ np.linalg.inv(COVARIANCE)
    moments = window_of(positions + mean, gradients).newer
    window = Window(init(DIMENSION), moments, positions + mean, gradients)
    return warmup.init(METRICS[name], np.ones(DIMENSION), 0.5)._replace(window=window)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("name", METRICS)
def test_it_is_the_metric_of_the_deviations_of_all_draws(name: str, scheme: Scheme) -> None:
    """The oracle: one window that holds every chain's deviations from its mean, which leave a chain's mean unknown."""
    chains = {seed: chain(name, seed) for seed in range(4)}
    deviations = [
        np.concatenate([part - part.mean(axis=0) for part in parts])
        for parts in zip(*((c.window.positions, c.window.gradients) for c in chains.values()), strict=True)
    ]
    unbiased = np.sqrt((4 * DRAWS - 1) / (4 * DRAWS - 4))
    one = window_of(*(unbiased * part for part in deviations))
    window = Window(init(DIMENSION), one.newer, *(unbiased * part for part in deviations))
    expected = warmup.estimate(METRICS[name], scheme, window, np.ones(DIMENSION), False)
    found = pool(METRICS[name], scheme, chains)
    assert found.chains == (0, 1, 2, 3)
    assert np.allclose(found.inverse_mass_matrix, expected, rtol=1e-10)


@pytest.mark.parametrize(("careful", "wider"), [(1, False), (2, True)])
def test_chains_are_careful_together_if_half_of_them_are(careful: int, wider: bool) -> None:
    """Gradients that spread four times as far make a metric half as wide, but not of careful chains."""
    steep = {seed: chain("diagonal", seed) for seed in range(4)}
    for seed, one in steep.items():
        window = one.window
        rows = window.newer.rows * np.array([[1.0], [1.0], [1.0], [16.0]])
        steep[seed] = one._replace(window=window._replace(newer=window.newer._replace(rows=rows)))
    usual = pool(METRICS["diagonal"], SCHEMES["fisher"], steep).inverse_mass_matrix
    some = {seed: one._replace(careful=seed < careful) for seed, one in steep.items()}
    found = pool(METRICS["diagonal"], SCHEMES["fisher"], some).inverse_mass_matrix
    assert np.all(found > 2.0 * usual) if wider else np.array_equal(found, usual)


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_chains_changes_no_bit(name: str) -> None:
    chains = [(seed, chain(name, seed)) for seed in range(3)]
    found = {
        pool(METRICS[name], SCHEMES["fisher"], dict(order)).inverse_mass_matrix.tobytes()
        for order in itertools.permutations(chains)
    }
    assert len(found) == 1


@pytest.mark.parametrize("name", METRICS)
def test_chains_that_are_elsewhere_do_not_stretch_it(name: str) -> None:
    here = {seed: chain(name, seed) for seed in range(4)}
    elsewhere = here | {2: chain(name, 2, mean=1000.0)}
    one, other = (pool(METRICS[name], SCHEMES["stan"], chains) for chains in (here, elsewhere))
    assert one.chains == other.chains
    assert np.allclose(one.inverse_mass_matrix, other.inverse_mass_matrix, rtol=1e-8)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1e3, np.inf])
@pytest.mark.parametrize("name", METRICS)
def test_a_chain_that_stands_still_or_races_spoils_nothing(name: str, scale: float) -> None:
    others = {seed: chain(name, seed) for seed in (0, 1, 3)}
    off = chain(name, 2, scale=0.0 if scale == np.inf else scale)
    if scale == np.inf:
        off.window.newer.rows[1] = np.inf
    found = pool(METRICS[name], SCHEMES["fisher"], others | {2: off})
    assert found.chains == (0, 1, 3)
    expected = pool(METRICS[name], SCHEMES["fisher"], others).inverse_mass_matrix
    assert np.array_equal(found.inverse_mass_matrix, expected)


def test_at_least_half_of_the_chains_count() -> None:
    """Where nothing says which of them are right, none is left out, and half never decide alone."""
    for scales in itertools.product((1.0, 1e4), repeat=4):
        chains = {seed: chain("diagonal", seed, scale=scale) for seed, scale in enumerate(scales)}
        assert len(pool(METRICS["diagonal"], SCHEMES["stan"], chains).chains) >= 3
    apart = {seed: chain("diagonal", seed, scale=scale) for seed, scale in enumerate((1.0, 1e4))}
    assert pool(METRICS["diagonal"], SCHEMES["stan"], apart).chains == (0, 1)


@pytest.mark.parametrize("name", METRICS)
def test_chains_none_of_which_has_moved_still_have_a_metric(name: str) -> None:
    chains = {seed: chain(name, seed, scale=0.0) for seed in range(3)}
    found = pool(METRICS[name], SCHEMES["stan"], chains)
    METRICS[name].factorise(found.inverse_mass_matrix)
    assert found.chains == (0, 1, 2)


def test_together_chains_know_a_normal_that_none_of_them_knows() -> None:
    """The geometric mean of both covariances is exact from as many deviations as there are dimensions (`estimate`)."""
    dimension, draws = 40, 20
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(dimension, dimension)))
    root = axes @ np.diag(10.0 ** np.linspace(-0.5, 0.5, dimension))
    conditions, chains = [], {}
    for seed in range(4):
        positions = np.random.default_rng(seed).normal(size=(draws, dimension)) @ root.T
        gradients = -positions @ np.linalg.inv(root @ root.T)
        window = Window(init(dimension), window_of(positions, gradients).newer, positions, gradients)
        fresh = warmup.init(METRICS["dense"], np.ones(dimension), 0.5)
        chains[seed] = fresh._replace(window=window)
    for together in (chains, {0: chains[0]}):
        found = pool(METRICS["dense"], SCHEMES["fisher"], together).inverse_mass_matrix
        inverse = np.linalg.inv(root)
        conditions.append(np.linalg.cond(inverse @ found @ inverse.T))
    assert conditions[0] < 1.5
    assert conditions[1] > 10.0 * conditions[0]
