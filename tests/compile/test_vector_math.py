"""The vectorised functions against numpy's, in units in the last place, over their whole range."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.kernel import build_kernel
from exmc.compile.lower import lower
from exmc.compile.record import record
from exmc.compile.vector_math import VECTOR_FUNCTIONS

COUNT = 3000
_RANDOM = np.random.default_rng(4)
RANGES: dict[str, list[np.ndarray]] = {
    "exp": [
        _RANDOM.uniform(-745.2, 709.8, COUNT),
        _RANDOM.uniform(-1.0, 1.0, COUNT),
        _RANDOM.uniform(-746, -700, COUNT),
    ],
    "log": [np.exp(_RANDOM.uniform(-744.0, 709.0, COUNT)), _RANDOM.uniform(0.5, 2.0, COUNT), 5e-324 * np.arange(COUNT)],
    "log1p": [
        np.exp(_RANDOM.uniform(-700.0, 700.0, COUNT)),
        _RANDOM.uniform(-1.0, 3.0, COUNT),
        _RANDOM.choice([-1.0, 1.0], COUNT) * np.exp(_RANDOM.uniform(-50.0, 0.0, COUNT)),
    ],
}
EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1.0, -2.0, 5e-324, 1e308, -1e308, 709.78, 709.79, -745.1])


def compiled(function: Callable[[np.ndarray], np.ndarray], size: int) -> Callable[[np.ndarray], np.ndarray]:
    tape = record(lambda x: (function(x),), size, gradient=False)
    kernel = build_kernel(lower(tape, scalar_first=False), size, tape.output_shapes, None)
    assert "exmc_vector" in kernel.text
    return lambda x: kernel.evaluate_batch(x[None], size)[1][0]


@pytest.mark.parametrize("name", VECTOR_FUNCTIONS)
def test_within_two_units_in_the_last_place(name: str) -> None:
    function = getattr(anp, name)
    mine = compiled(function, COUNT)
    for values in RANGES[name]:
        with np.errstate(all="ignore"):
            expected = function(values)
        finite = np.isfinite(expected)
        found = mine(values)
        np.testing.assert_array_equal(found[~finite], expected[~finite])
        units = np.abs(found[finite] - expected[finite]) / np.spacing(np.abs(expected[finite]))
        assert units.max() <= 2.0


@pytest.mark.parametrize("name", VECTOR_FUNCTIONS)
def test_special_values(name: str) -> None:
    function = getattr(anp, name)
    values = np.tile(EDGES, 5)
    with np.errstate(all="ignore"):
        expected = function(values)
    found = compiled(function, len(values))(values)
    np.testing.assert_allclose(found, expected, rtol=5e-16)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(expected[number]))
