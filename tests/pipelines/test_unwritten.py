"""Draws that wait for their chunk to be full survive being kept beside a chain's state."""

from __future__ import annotations

import numpy as np

from exmc.sampling.chain import Block
from pipelines.unwritten import apart, as_arrays, divided, joined


def block(first: int, draws: int) -> Block:
    numbers = np.arange(first, first + draws)
    positions = numbers[:, np.newaxis] + np.array([0.1, 0.2])
    return Block(first, True, positions, {"n_steps": numbers, "diverging": numbers % 3 == 0})


def assert_same(one: Block, other: Block) -> None:
    assert (one.first, one.warmup) == (other.first, other.warmup)
    assert np.array_equal(one.positions, other.positions)
    assert list(one.statistics) == list(other.statistics)
    for name, array in one.statistics.items():
        assert array.dtype == other.statistics[name].dtype
        assert np.array_equal(array, other.statistics[name])


def test_what_was_divided_is_joined_again() -> None:
    for draws in range(8):
        one, other = divided(block(3, 7), draws)
        assert (len(one.positions), other.first) == (draws, 3 + draws)
        assert_same(joined([one, other]), block(3, 7))


def test_kept_beside_a_state_they_come_apart_again() -> None:
    state = {"position": np.zeros(2)}
    arrays, kept = apart(state | as_arrays(block(5, 4)), 5)
    assert list(arrays) == ["position"]
    assert kept is not None
    assert_same(kept, block(5, 4))


def test_no_draws_leave_nothing() -> None:
    assert as_arrays(block(5, 0)) == {}
    assert as_arrays(None) == {}
    assert apart({"position": np.zeros(2)}, 5)[1] is None
