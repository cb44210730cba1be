"""Cut borders: the same values, in one loop where neighbours are cheap, and untouched where nothing overlaps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.borders import cut_borders
from exmc.compile.kernel import compile_density
from exmc.compile.record import autograd_value_and_gradient, record
from exmc.compile.schedule import LoopStep, schedule
from exmc.compile.simplify import simplify
from exmc.compile.tape import Tape

N = 100
DATA = np.random.default_rng(1).normal(size=N)
LABELS = np.random.default_rng(2).integers(0, 5, N - 1)


def autoregression(x: Any) -> Any:
    rest = x[3:] - anp.tanh(x[0]) * x[2:-1]
    return -anp.sum(rest**2) / anp.exp(x[1]) - anp.sum(DATA * anp.exp(-x[2:]) + x[2:])


def second_differences(x: Any) -> Any:
    return -anp.sum(anp.exp(x[0]) * (x[3:] - 2.0 * x[2:-1] + x[1:-2]) ** 2)


def costly_neighbours(x: Any) -> Any:
    """What overlaps is made of functions that had better not be computed twice."""
    return -anp.sum((DATA[1:] * anp.exp(x[1:]) - anp.sin(x[:-1])) ** 2) + anp.max(anp.cos(x[1:] - x[:-1]))


def random_walks(x: Any) -> Any:
    walk = anp.reshape(x, (N, 4))
    return -anp.sum((walk[1:] - walk[:-1]) ** 2 * np.array([1.0, 2.0, 3.0, 4.0])) - anp.sum(anp.exp(walk))


def labelled_steps(x: Any) -> Any:
    return -anp.sum((x[6:] - x[5:-1]) ** 2 * anp.exp(x[:5][LABELS])) - anp.sum(anp.where(x[5:] > 0.3, x[5:], 0.0))


def two_lengths(x: Any) -> Any:
    a, b = x[: N + 1], x[N + 1 :]
    return -anp.sum((a[1:] - a[:-1]) ** 2) - anp.sum((b[2:] - b[:-2]) ** 2) - anp.sum(a * a) * anp.sum(b[1:] * b[:-1])


CASES: list[tuple[Callable[[Any], Any], int]] = [
    (autoregression, N + 2),
    (second_differences, N + 3),
    (costly_neighbours, N),
    (random_walks, 4 * N),
    (labelled_steps, N + 5),
    (two_lengths, 2 * N + 1),
]


def tapes(function: Callable[[Any], Any], dimension: int) -> tuple[Tape, Tape]:
    tape = simplify(record(function, dimension, gradient=True))
    return tape, cut_borders(tape)


def loops(tape: Tape) -> list[tuple[int, ...]]:
    """The domains of the loops of more than a few rounds."""
    return [s.domain for s in schedule(tape).steps if isinstance(s, LoopStep) and np.prod(s.domain) > 16]


@pytest.mark.parametrize(("function", "dimension"), CASES, ids=[function.__name__ for function, _ in CASES])
def test_cut_tape_computes_the_same(function: Callable[[Any], Any], dimension: int, tmp_path: Path) -> None:
    tape, cut = tapes(function, dimension)
    cut.check()
    density = compile_density(function, dimension, cache=tmp_path).load()
    for seed in range(3):
        position = np.random.default_rng(seed).uniform(-1.0, 1.0, dimension)
        expected = tape.evaluate(position)
        for found in (cut.evaluate(position), density(position), autograd_value_and_gradient(function, position)):
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
            np.testing.assert_allclose(found[1], expected[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("function", [autoregression, second_differences])
def test_cheap_neighbours_are_one_loop(function: Callable[[Any], Any]) -> None:
    tape, cut = tapes(function, N + 2)
    assert cut is not tape
    assert len(loops(cut)) == 1
    written = [sum(n for ((_, n, _), *_) in e.static["parts"]) for e in cut.equations if e.primitive == "scatter"]
    assert max(written) == N + 2


def test_costly_neighbours_are_computed_once() -> None:
    def evaluated(tape: Tape) -> int:
        return sum(tape.types[e.result].size for e in tape.equations if e.primitive in ("exp", "sin", "cos"))

    tape, cut = tapes(costly_neighbours, N)
    assert evaluated(cut) <= evaluated(tape) + 8


def test_without_overlap_the_tape_is_left_alone() -> None:
    tape, cut = tapes(lambda x: anp.sum(anp.exp(x[: N // 2])) + anp.sum(x[N // 2 :] ** 2), N)
    assert cut is tape
