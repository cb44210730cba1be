from __future__ import annotations

import math

import numpy as np
import pytest

from exmc.density import from_function
from exmc.nuts import step_size
from tests.nuts.driving import physics_of, run


def test_dual_averaging_follows_the_papers_recursion() -> None:
    random, target, first = np.random.default_rng(0), 0.8, 0.3
    state, errors, log_mean = step_size.init(first), [], 0.0
    for t in range(1, 60):
        acceptance = random.uniform()
        state, step = step_size.update(state, acceptance, target)
        # Hoffman & Gelman (2014), equation 6, with the running mean of errors written as one sum.
        mean = 0.0
        errors.append(target - acceptance)
        for s, error in enumerate(errors, start=1):
            mean = (1 - 1 / (s + 10)) * mean + error / (s + 10)
        log_step = math.log(10 * first) - math.sqrt(t) / 0.05 * mean
        log_mean = t**-0.75 * log_step + (1 - t**-0.75) * log_mean
        assert step == pytest.approx(math.exp(log_step), rel=1e-12)
        assert step_size.final(state, step) == pytest.approx(math.exp(log_mean), rel=1e-12)


def test_without_an_update_the_step_size_stays() -> None:
    assert step_size.final(step_size.init(0.37), 0.37) == 0.37


def test_dual_averaging_converges_to_the_target() -> None:
    # Its mean forgets its first steps like t ** -0.75; a hundredfold t must show a good part of that.
    errors = []
    for iterations in (200, 20_000):
        state, step = step_size.init(1.0), 1.0
        for _ in range(iterations):
            state, step = step_size.update(state, math.exp(-step), 0.8)
        errors.append(abs(step_size.final(state, step) / -math.log(0.8) - 1.0))
    assert errors[1] < errors[0] / 10


@pytest.mark.parametrize("limit", [1e-9, 0.3, 1.0, 2.0, 1e4])
def test_the_search_stops_where_the_acceptance_crosses(limit: float) -> None:
    search = step_size.step_search(lambda _p, _r, _m, _l, step: 0.0 if step < limit else -1.0)
    found = search(None, None, None, 0.0, 1.0)
    assert found == (2.0 ** math.ceil(math.log2(limit)) if limit > 1.0 else 2.0 ** (math.ceil(math.log2(limit)) - 1))


@pytest.mark.parametrize(("gain", "beyond"), [(0.0, True), (-math.inf, False), (math.nan, False)])
def test_a_search_without_a_crossing_ends_outside_the_bounds(gain: float, beyond: bool) -> None:
    found = step_size.step_search(lambda *_: gain)(None, None, None, 0.0, 1.0)
    assert found > step_size.LARGEST if beyond else found < step_size.SMALLEST


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_compiled_search_finds_the_posteriors_scale(scale: float) -> None:
    density = from_function(1, lambda x: (-0.5 * float(x @ x) / scale**2, -x / scale**2))
    physics = physics_of(density, "diagonal", np.ones(1))
    _, _, found = run(physics, density, np.zeros(1), iterations=0, step=1.0, search=True)
    assert 0.1 < found / scale < 40.0
