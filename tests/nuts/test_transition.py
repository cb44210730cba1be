from __future__ import annotations

import numpy as np
import pytest

from exmc.density import LogDensity, from_function
from exmc.diagnostics.convergence import mcse_mean
from exmc.nuts.metric import METRICS
from exmc.nuts.transition import begin, transition
from tests.nuts.driving import EXAMPLES, KEY, physics_of, root_of, run
from tests.nuts.recursive import Oracle

COVARIANCE = np.array([[1.0, 0.6, 0.2], [0.6, 2.0, -0.3], [0.2, -0.3, 0.5]])
PRECISION = np.linalg.inv(COVARIANCE)


def _normal() -> LogDensity:
    return from_function(3, lambda x: (-0.5 * float(x @ PRECISION @ x), -PRECISION @ x))


def _quartic() -> LogDensity:
    return from_function(3, lambda x: (-float(np.sum(x**4)), -4 * x**3))


def _walled() -> LogDensity:
    """Not a number beyond 1.5 in the first coordinate."""

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        return (-0.5 * float(x @ x) if x[0] < 1.5 else float("nan")), -x

    return from_function(3, function)


CASES = {
    "small steps": (_normal, 0.07, 10, np.zeros(3)),
    "medium steps": (_normal, 0.4, 10, np.zeros(3)),
    "large steps": (_normal, 1.2, 10, np.zeros(3)),
    "depth limit": (_normal, 0.02, 3, np.zeros(3)),
    "quartic, some divergences": (_quartic, 0.7, 8, np.zeros(3)),
    "wall": (_walled, 0.3, 10, np.zeros(3)),
    "far out, huge gains": (_normal, 0.3, 10, np.array([40.0, -50.0, 30.0])),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", CASES)
def test_each_transition_is_that_of_the_recursive_oracle_with_the_same_random_numbers(case: str, metric: str) -> None:
    make, step, max_treedepth, start = CASES[case]
    density, iterations = make(), 60
    physics = physics_of(density, metric, EXAMPLES[metric])
    positions, statistics, _ = run(
        physics, density, start, iterations=iterations, step=step, max_treedepth=max_treedepth
    )
    oracle = Oracle(density, root_of(metric, EXAMPLES[metric]), step, max_treedepth)
    # Each of the oracle's transitions starts where the kernel's did, so that rounding does not add up.
    for iteration, before in enumerate([start, *positions[:-1]]):
        want, got = oracle.transition(before, KEY, iteration), statistics[iteration]._asdict()
        np.testing.assert_allclose(positions[iteration], want.pop("position"), rtol=1e-8, atol=1e-10)
        for name, value in want.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-7, atol=1e-8, err_msg=f"{name} at {iteration}")
        assert got["step_size"] == step
    assert len({tuple(row) for row in positions}) > iterations // 4


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("metric", METRICS)
def test_momenta_that_spread_more_draw_at_a_temperature(metric: str, temperature: float) -> None:
    """Of the density to the power of 1 / temperature: here a normal of as many times the covariance."""
    density = _normal()
    physics = physics_of(density, metric, EXAMPLES[metric])
    # Steps so short that energies, whose errors the temperature does not divide, are kept.
    positions, _, _ = run(physics, density, np.ones(3), iterations=3000, step=0.15, spread=temperature**0.5)
    energies = np.einsum("ij,jk,ik->i", positions, PRECISION, positions)[np.newaxis, np.newaxis, 100:]
    z = (energies.mean() - 3.0 * temperature) / float(mcse_mean(energies)[0])
    assert abs(z) < 4.0


def test_the_cases_reach_every_kind_of_end() -> None:
    ends = {"depth limit": "reached_max_treedepth", "wall": "diverging", "quartic, some divergences": "diverging"}
    for case, flag in ends.items():
        make, step, max_treedepth, start = CASES[case]
        density = make()
        physics = physics_of(density, "diagonal", np.diag(COVARIANCE).copy())
        _, rows, _ = run(physics, density, start, iterations=60, step=step, max_treedepth=max_treedepth)
        assert any(getattr(row, flag) for row in rows)


@pytest.mark.parametrize(
    ("value", "slope"),
    [(np.nan, 0.0), (np.inf, 0.0), (-np.inf, 0.0), (0.0, np.nan), (0.0, np.inf), (np.inf, np.inf)],
)
def test_a_bad_density_is_a_divergence_and_never_a_draw(value: float, slope: float) -> None:
    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        if abs(x[0]) > 1.0:
            return value, np.full(2, slope)
        return -0.5 * float(x @ x), -x

    density = from_function(2, function)
    physics = physics_of(density, "diagonal", np.ones(2))
    positions, rows, _ = run(physics, density, np.zeros(2), iterations=100, step=0.5)
    assert np.all(np.abs(positions[:, 0]) <= 1.0)
    assert any(row.diverging for row in rows)
    assert all(np.isfinite([row.lp, row.energy, row.acceptance_rate]).all() for row in rows)


def test_the_parts_of_a_transition_remain_plain_python() -> None:
    assert begin.__name__ == "begin"
    assert transition.__name__ == "transition"
