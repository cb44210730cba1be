from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exmc.density import from_function
from exmc.nuts import hamiltonian
from exmc.nuts.generate import jit
from exmc.nuts.metric import METRICS
from tests.nuts.driving import EXAMPLES, physics_of


@pytest.fixture(scope="module")
def steps() -> Any:
    def function(physics, ends, end, step, count):  # type: ignore[no-untyped-def]
        log_density, energy = 0.0, 0.0
        for _ in range(count):
            log_density, energy = hamiltonian.leapfrog(physics, ends, end, step)
        return log_density, energy

    return jit(function)


def _begin(density: Any, physics: Any, position: np.ndarray, momentum: np.ndarray) -> tuple[Any, float]:
    ends = hamiltonian.Ends(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(3))
    value, gradient = density(position)
    ends.position[:], ends.momentum[:] = position, momentum
    kind = list(METRICS.values())[physics.metric]
    for end in (0, 1):
        kind.whiten(physics.factor, gradient, ends.force[end])
    return ends, hamiltonian.kinetic_energy(momentum) - value


@pytest.mark.parametrize("name", METRICS)
def test_leapfrog_is_reversible_and_of_second_order(name: str, steps: Any) -> None:
    density = from_function(3, lambda x: (-0.25 * float(np.sum(x**4)), -(x**3)))
    physics = physics_of(density, name, EXAMPLES[name])
    position, momentum = np.array([0.3, -0.5, 1.0]), np.array([0.7, 0.1, -0.4])
    errors = []
    for count in (50, 100, 200):
        ends, start = _begin(density, physics, position, momentum)
        log_density, energy = steps(physics, ends, 1, 1.0 / count, count)
        errors.append(abs(energy - start))
        assert log_density == pytest.approx(density(ends.position[1])[0], rel=1e-14)
        assert np.array_equal(ends.position[0], position)
        steps(physics, ends, 1, -1.0 / count, count)
        np.testing.assert_allclose(ends.position[1], position, rtol=1e-10)
        np.testing.assert_allclose(ends.momentum[1], momentum, rtol=1e-10)
    # Halving the step divides the error of a second order method by four.
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.05)
