from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from exmc.density import from_function
from exmc.nuts import machine
from exmc.nuts.generate import jit


def _call(address, position, gradient, workspace, pointers):  # type: ignore[no-untyped-def]
    return machine.call_density(address, position, gradient, workspace, pointers)


def _high(left, right):  # type: ignore[no-untyped-def]
    return machine.multiply_high(left, right)


def _write(doubles, words):  # type: ignore[no-untyped-def]
    vector, matrix, bits = machine.vector(doubles, 6), machine.matrix(doubles, 2, 3), machine.words(words, 2)
    vector[5] = vector[0] + matrix[0, 1] + matrix[1, 0]
    bits[1] = bits[0]


FORMS = [pytest.param(lambda f: f, id="Python"), pytest.param(jit, id="machine code")]


@pytest.mark.parametrize("form", FORMS)
def test_a_density_is_called_through_its_address(form: Callable[..., Any]) -> None:
    density = from_function(2, lambda x: (float(x[0] * x[1]), x[::-1]))
    gradient, position = np.zeros(2), np.array([3.0, 5.0])
    assert form(_call)(density.address, position, gradient, np.zeros(1), density.pointers) == 15.0
    assert list(gradient) == [5.0, 3.0]


@pytest.mark.parametrize("form", FORMS)
def test_high_words_are_those_of_exact_products(form: Callable[..., Any]) -> None:
    high = form(_high)
    random = np.random.default_rng(0)
    pairs = [(2**64 - 1, 2**64 - 1), (0, 5), *random.integers(0, 2**64, size=(50, 2), dtype=np.uint64).tolist()]
    for left, right in pairs:
        assert int(high(np.uint64(left), np.uint64(right))) == (left * right) >> 64


@pytest.mark.parametrize("form", FORMS)
def test_arrays_are_those_at_the_address(form: Callable[..., Any]) -> None:
    doubles, words = np.array([1.0, 10.0, 0.0, 100.0, 0.0, 0.0]), np.array([7, 0], dtype=np.uint64)
    form(_write)(doubles.ctypes.data, words.ctypes.data)
    assert doubles[5] == 111.0
    assert list(words) == [7, 7]


def test_marked_functions_are_known() -> None:
    assert not machine.is_compiled(_call)
    assert machine.is_compiled(machine.compiled(lambda x: x))
