"""The vectorised functions against numpy's, in units in the last place, over their whole range."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.kernel import build_kernel
from exmc.compile.lower import lower
from exmc.compile.record import record
from exmc.compile.vector_math import SCALAR, VECTOR_FUNCTIONS
from exmc.special import SPECIAL

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
    "expm1": [
        _RANDOM.uniform(-745.2, 709.8, COUNT),
        _RANDOM.uniform(-1.5, 1.5, COUNT),
        _RANDOM.choice([-1.0, 1.0], COUNT) * np.exp(_RANDOM.uniform(-700.0, 0.0, COUNT)),
    ],
    "tanh": [
        _RANDOM.uniform(-25.0, 25.0, COUNT),
        _RANDOM.uniform(-1.0, 1.0, COUNT),
        _RANDOM.choice([-1.0, 1.0], COUNT) * np.exp(_RANDOM.uniform(-700.0, 0.0, COUNT)),
    ],
    "gammaln": [
        np.exp(_RANDOM.uniform(-700.0, 700.0, COUNT)),
        _RANDOM.uniform(0.0, 12.0, COUNT),
        _RANDOM.uniform(-30.0, 0.0, COUNT),
    ],
    "digamma": [
        np.exp(_RANDOM.uniform(-700.0, 700.0, COUNT)),
        _RANDOM.uniform(0.0, 12.0, COUNT),
        _RANDOM.uniform(-30.0, 0.0, COUNT),
    ],
    "softplus": [_RANDOM.uniform(-745.0, 745.0, COUNT), _RANDOM.uniform(-3.0, 3.0, COUNT)],
    "log_expit": [_RANDOM.uniform(-745.0, 745.0, COUNT), _RANDOM.uniform(-3.0, 3.0, COUNT)],
    "expit": [_RANDOM.uniform(-700.0, 745.0, COUNT), _RANDOM.uniform(-3.0, 3.0, COUNT)],
}
UNITS = {"tanh": 4.0, "expit": 4.0, "softplus": 3.0, "log_expit": 3.0}
"""Largest errors in units in the last place, where they are not 2."""

ABSOLUTE = ("gammaln", "digamma")
"""Functions whose error is relative to max(1, |result|) and, near a pole, to the slope there."""

EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1.0, -2.0, 5e-324, 1e308, -1e308, 709.78, 709.79, -745.1])


def compiled(function: Callable[[np.ndarray], np.ndarray], size: int) -> Callable[[np.ndarray], np.ndarray]:
    tape = record(lambda x: (function(x),), size, gradient=False)
    kernel = build_kernel(lower(tape, scalar_first=False), size, tape.output_shapes, None)
    assert "exmc_vector" in kernel.text
    return lambda x: kernel.evaluate_batch(x[None], size)[1][0]


NAMES = [*(n for n in VECTOR_FUNCTIONS if n not in SCALAR), "softplus", "expit", "log_expit"]


def function_of(name: str) -> Callable[[np.ndarray], np.ndarray]:
    return getattr(anp, name, None) or SPECIAL[name]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ABSOLUTE])
def test_within_a_few_units_in_the_last_place(name: str) -> None:
    function = function_of(name)
    mine = compiled(function, COUNT)
    for values in RANGES[name]:
        with np.errstate(all="ignore"):
            expected = function(values)
        finite = np.isfinite(expected)
        found = mine(values)
        np.testing.assert_array_equal(found[~finite], expected[~finite])
        units = np.abs(found[finite] - expected[finite]) / np.spacing(np.abs(expected[finite]))
        assert units.max() <= UNITS.get(name, 2.0)


@pytest.mark.parametrize("name", ABSOLUTE)
def test_gamma_functions_are_near_scipys(name: str) -> None:
    function = function_of(name)
    mine = compiled(function, COUNT)
    for values in RANGES[name]:
        with np.errstate(all="ignore"):
            found, expected = mine(values), function(values)
        # A rounding of a negative argument moves the result by its distance from the pole.
        nearest = np.maximum(np.abs(values - np.rint(values)), 1e-16)
        slope = np.where(values < 0, np.minimum(np.abs(values), 40.0) / nearest ** (2 if name == "digamma" else 1), 0.0)
        kept = np.abs(values) > 1e-300
        found, expected, slope = found[kept], expected[kept], slope[kept]
        error = np.abs(found - expected) / (np.maximum(1.0, np.abs(expected)) + 0.3 * slope)
        assert error.max() <= 6e-15


@pytest.mark.parametrize("name", NAMES)
def test_special_values(name: str) -> None:
    function = function_of(name)
    values = np.tile(EDGES, 5)
    with np.errstate(all="ignore"):
        expected = function(values)
    found = compiled(function, len(values))(values)
    # scipy's expit is 0 where the result is below the normal range.
    tiny = 1e-300 if name == "expit" else 0.0
    np.testing.assert_allclose(found, expected, rtol=4e-15 if name in ABSOLUTE else 5e-16, atol=tiny)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(expected[number]))
