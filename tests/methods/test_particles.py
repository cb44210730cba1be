"""Particles moved by NUTS stay distributed as they are, whatever the others do."""

from __future__ import annotations

import numpy as np

from exmc.density import from_function
from exmc.methods.particles import Mover, tune
from exmc.sampling.seeds import chain_key
from tests.methods.exact import correlated


def test_moves_keep_the_distribution() -> None:
    """Particles drawn from the target have its moments after their moves, too, and are elsewhere."""
    target = correlated(3)
    particles = np.random.default_rng(2).multivariate_normal(target.mean, target.covariance, size=2000)
    mover = Mover(target.density(1.0), "diagonal", np.diag(target.covariance).copy(), 0.8, 8)
    moved = [mover.move(chain_key(5, i), position, 0.6, 0, 2) for i, position in enumerate(particles)]
    after = np.stack([m.position for m in moved])
    assert np.abs(np.corrcoef(after.T, particles.T)[:3, 3:].diagonal()).max() < 0.5
    for values, truth in ((after, target.mean), ((after - target.mean) ** 2, np.diag(target.covariance))):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        assert np.abs((values.mean(axis=0) - truth) / error).max() < 4.5
    assert all(m.gradients >= m.statistics[4] >= 1 for m in moved)


def test_the_step_size_is_tuned_to_the_acceptance_asked_for() -> None:
    target = correlated(5)
    particles = np.random.default_rng(2).multivariate_normal(target.mean, target.covariance, size=500)
    for wanted in (0.6, 0.9):
        mover = Mover(target.density(1.0), "dense", target.covariance, wanted, 8)
        step_size = tune(mover, chain_key(1, 0), particles, 100.0, 3)
        rates = [mover.move(chain_key(2, i), p, step_size, 0, 1).statistics[1] for i, p in enumerate(particles)]
        # Forty transitions leave dual averaging near, on the careful side.
        assert -0.05 < np.mean(rates) - wanted < 0.15


def test_a_particle_without_a_density_stays() -> None:
    mover = Mover(from_function(1, lambda x: (float("-inf"), np.full(1, np.nan))), "diagonal", np.ones(1), 0.8, 5)
    moved = mover.move(chain_key(1, 0), np.array([3.0]), 0.5, 0, 4)
    assert moved.position.tolist() == [3.0]
    assert (moved.gradients, moved.step_size) == (0, 0.5)
