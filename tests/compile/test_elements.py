"""Tapes written out by elements: the same values, in scalars."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.elements import Elements, is_small
from exmc.compile.record import record
from exmc.compile.simplify import Simplifier, simplify
from exmc.compile.tape import Tape

MATRIX = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.2]])

CASES: dict[str, Any] = {
    "log-sum-exp of paths": lambda x: anp.log(anp.sum(anp.exp(x[:3][:, None] + anp.reshape(x[3:], (3, 3))), axis=0)),
    "reductions": lambda x: (
        anp.max(anp.reshape(x, (3, 4)), axis=0) + anp.min(x) + anp.prod(anp.reshape(x, (4, 3)), 1)[0]
    ),
    "products": lambda x: anp.dot(MATRIX, x[:3]) + anp.dot(anp.reshape(x[:4], (2, 2)), x[4:6]),
    "matrix by matrix": lambda x: anp.dot(anp.reshape(x[:6], (3, 2)), MATRIX),
    "concatenation and cumulative sums": lambda x: anp.cumsum(anp.concatenate([x[2:6], x[:3] ** 2, x[9:10]])),
    "views": lambda x: anp.transpose(anp.reshape(x, (3, 4)))[::-2, 1:] * 2.0,
    "gathers": lambda x: x[np.array([[3, 0], [1, 1]])] - MATRIX[:, :2],
    "counts": lambda x: anp.sum(x > 0.1) + anp.where(x[:2] > 0, 1.0, x[:2]),
}


def written_out(tape: Tape) -> Tape:
    builder = Simplifier(tape.dimension)
    numbers = [n for output in Elements(builder, tape).run() for n in output.reshape(-1)]
    return builder.finish(tuple(builder.rewrite("to_float", (n,), {}) for n in numbers))


@pytest.mark.parametrize("name", CASES)
def test_the_same_values_element_by_element(name: str) -> None:
    tape = simplify(record(lambda x: (CASES[name](x),), 12, gradient=False))
    assert is_small(tape)
    found = written_out(tape)
    found.check()
    plain = [e for e in found.equations if e.primitive not in ("slice", "reshape")]
    assert all(found.types[e.result].shape == () for e in plain)
    for seed in range(3):
        position = np.random.default_rng(seed).normal(size=12)
        (expected,) = tape.evaluate(position)
        np.testing.assert_allclose(np.array(found.evaluate(position)), expected.reshape(-1), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: anp.exp(anp.concatenate([x, x])),
        lambda x: anp.dot(anp.reshape(x, (12, 1)), anp.reshape(x, (1, 12))),
        lambda x: anp.sum(x[:0]) + x,
    ],
)
def test_what_is_large_or_empty_is_left_as_it_is(function: Any) -> None:
    assert not is_small(record(lambda x: (function(x),), 12, gradient=False))
