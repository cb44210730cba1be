"""Steps that are affine in their state: the same values, as products with it; others are refused."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.affine import affine_step
from exmc.compile.record import record
from exmc.compile.simplify import simplify
from exmc.compile.tape import Tape


def step_of(function: Any) -> tuple[Tape, dict[int, int]]:
    """A step of two states and three given numbers, and which of its values are slices of the states."""
    tape = simplify(record(lambda v: tuple(anp.reshape(o, (1,)) for o in function(*v)), 5, gradient=False))
    places = {e.result: e.static["bounds"] for e in tape.equations if e.primitive == "slice" and e.operands == (0,)}
    return tape, {value: start for value, ((start, _, _),) in places.items() if start < 2}


AFFINE = {
    "sums and differences": lambda s, t, a, b, c: (a + b * (s - t) - (c - s), -(t + t)),
    "quotients": lambda s, t, a, b, c: ((s + a * t) / b / c, t),
    "choices": lambda s, t, a, b, c: (anp.where(a > 0, s * anp.exp(b), c), anp.where(b > 0, t - s, a * t)),
    "no constant": lambda s, t, a, b, c: (anp.sin(a) * (b * s), 2.0 * t),
    "delays": lambda s, t, a, b, c: (t, a),
}


@pytest.mark.parametrize("name", AFFINE)
def test_the_same_as_products_with_the_state(name: str) -> None:
    tape, states = step_of(AFFINE[name])
    found = affine_step(tape, states, (0, 1))
    assert found is not None
    found.check()
    for seed in range(4):
        position = np.random.default_rng(seed).normal(size=5)
        for mine, expected in zip(found.evaluate(position), tape.evaluate(position), strict=True):
            np.testing.assert_allclose(mine, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        lambda s, t, a, b, c: (s * t, t),
        lambda s, t, a, b, c: (a / s, t),
        lambda s, t, a, b, c: (anp.exp(s), t),
        lambda s, t, a, b, c: (anp.where(s > 0, a, b), t),
    ],
)
def test_what_is_not_affine_is_refused(function: Any) -> None:
    tape, states = step_of(function)
    assert affine_step(tape, states, (0,)) is None
    assert affine_step(tape, states, (1,)) is not None
