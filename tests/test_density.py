"""The density contract, through a density written in Python."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from exmc.density import DENSITY_SIGNATURE, LogDensity, from_function


def gaussian(position: np.ndarray) -> tuple[float, np.ndarray]:
    return -0.5 * float(position @ position), -position


def test_value_and_gradient() -> None:
    density = from_function(3, gaussian)
    value, gradient = density(np.array([1.0, 2.0, -2.0]))
    assert value == -4.5
    assert gradient.tolist() == [-1.0, -2.0, 2.0]


def test_through_the_c_function() -> None:
    density = from_function(2, gaussian)
    position, gradient = np.array([3.0, 4.0]), np.empty(2)
    function = DENSITY_SIGNATURE(density.address)
    assert function(position.ctypes.data, gradient.ctypes.data, None, density.pointers.ctypes.data) == -12.5
    assert gradient.tolist() == [-3.0, -4.0]


def test_positions_of_other_types_and_strides_are_converted() -> None:
    density = from_function(2, gaussian)
    assert density(np.array([1, 2]))[0] == -2.5
    assert density(np.arange(4.0)[::2])[0] == -2.0


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1), ()])
def test_positions_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"not \(2,\)"):
        from_function(2, gaussian)(np.zeros(shape))


def test_no_dimension() -> None:
    value, gradient = from_function(0, lambda q: (1.5, q))(np.empty(0))
    assert (value, gradient.shape) == (1.5, (0,))


def test_the_function_cannot_change_the_callers_position() -> None:
    def greedy(position: np.ndarray) -> tuple[float, np.ndarray]:
        position[:] = 9.0
        return 0.0, np.zeros(2)

    position = np.zeros(2)
    from_function(2, greedy)(position)
    assert position.tolist() == [0.0, 0.0]


def test_an_exception_ends_every_later_call_and_is_raised_afterwards() -> None:
    calls = []

    def failing(position: np.ndarray) -> tuple[float, np.ndarray]:
        calls.append(position)
        raise ZeroDivisionError("first")

    density = from_function(1, failing)
    function = DENSITY_SIGNATURE(density.address)
    position, gradient = np.zeros(1), np.zeros(1)
    for _ in range(2):
        assert np.isnan(function(position.ctypes.data, gradient.ctypes.data, None, None))
    assert len(calls) == 1
    with pytest.raises(ZeroDivisionError, match="first"):
        density.raise_failure()
    with pytest.raises(ZeroDivisionError):
        density(position)


def test_a_gradient_of_the_wrong_size_is_a_failure() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        from_function(2, lambda q: (0.0, np.zeros(3)))(np.zeros(2))


def test_the_owner_keeps_the_code_alive() -> None:
    density = from_function(1, gaussian)
    assert isinstance(density, LogDensity)
    assert isinstance(density.owner, ctypes._CFuncPtr)
    assert density.workspace_size == 0
