"""What is kept to be shown is evenly spaced, and never too much."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.diagnostics.live.thinned import Thinned


@pytest.mark.parametrize("step", [1, 7, 100, 1000])
def test_every_nth_draw_is_kept(step: int) -> None:
    draws = np.arange(2000.0).reshape(1000, 2)
    thinned = Thinned(2, 16)
    for first in range(0, 1000, step):
        thinned.add(first, draws[first : first + step])
        assert thinned.count <= 16
    assert thinned.every == 64
    np.testing.assert_array_equal(thinned.numbers, np.arange(0, 1000, 64))
    np.testing.assert_array_equal(thinned.column(1), draws[::64, 1])


def test_few_draws_are_all_kept() -> None:
    thinned = Thinned(1, 16)
    thinned.add(0, np.arange(10.0)[:, None])
    assert thinned.column(0).tolist() == list(range(10))
