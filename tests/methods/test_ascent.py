"""L-BFGS climbs to the mode, whatever the start."""

from __future__ import annotations

import numpy as np
from scipy.optimize import rosen, rosen_der

from exmc.methods.ascent import Step, ascend
from exmc.sampling.initial import InitialPoint
from tests.methods.exact import correlated


def start_at(function, position) -> InitialPoint:  # type: ignore[no-untyped-def]
    return InitialPoint(position, *function(position))


def test_a_normal_is_climbed_to_its_mean() -> None:
    target = correlated(8)
    density = target.density(1.0)
    path = ascend(density, start_at(density, np.full(8, 3.0)), 100, 6)
    assert path.converged
    # What is left to gain is below rounding, so that the mode is found to its root.
    assert np.abs(path.positions[-1] - target.mean).max() < 1e-6
    assert (np.diff(path.log_densities) > -1e-12).all()
    assert np.array_equal(path.gradients[-1], density(path.positions[-1])[1])


def test_a_curved_valley_is_followed() -> None:
    def function(x):  # type: ignore[no-untyped-def]
        return -rosen(x), -rosen_der(x)

    path = ascend(function, start_at(function, np.array([-1.2, 1.0, 2.0])), 300, 6)
    assert path.converged
    assert np.abs(path.positions[-1] - 1.0).max() < 1e-5
    assert path.evaluations < 200


def test_where_there_is_no_density_it_does_not_go() -> None:
    def function(x):  # type: ignore[no-untyped-def]
        # A Gamma density, whose mode lies close to the edge of its support.
        if x[0] <= 0.0:
            return float("nan"), np.array([np.nan])
        return float(np.log(x[0]) - 100.0 * x[0]), 1.0 / x - 100.0

    path = ascend(function, start_at(function, np.array([5.0])), 100, 6)
    assert path.converged
    assert abs(path.positions[-1, 0] - 0.01) < 1e-7


def test_a_density_without_a_mode_ends_at_the_limit() -> None:
    path = ascend(lambda x: (float(x.sum()), np.ones(2)), InitialPoint(np.zeros(2), 0.0, np.ones(2)), 5, 6)
    assert not path.converged
    assert not Step(np.ones(2), np.zeros(2)).informs
