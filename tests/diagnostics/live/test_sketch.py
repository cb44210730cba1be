"""Quantiles of a sketch lie where it says, and are exact while it is."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.diagnostics.live.sketch import Sketch, quantiles

PLACES = np.array([0.0, 0.001, 0.05, 0.25, 0.5, 0.9, 0.999, 1.0])
EVERYTHING = slice(None)


def sketch_of(draws: np.ndarray[tuple[int, ...], np.dtype[np.float64]], items: int, step: int = 100) -> Sketch:
    sketch = Sketch(len(draws), items)
    for first in range(0, draws.shape[1], step):
        sketch.add(draws[:, first : first + step])
    return sketch


def test_few_draws_have_their_own_quantiles() -> None:
    draws = np.random.default_rng(1).normal(size=(4, 63))
    found = quantiles([sketch_of(draws[:, :20], 64), sketch_of(draws[:, 20:], 64)], PLACES, EVERYTHING)
    assert found.error == 0.0
    np.testing.assert_allclose(found.values, np.quantile(draws, PLACES, axis=1), atol=1e-14)


@pytest.mark.parametrize("order", ["random", "ascending", "descending", "few values"])
@pytest.mark.parametrize("items", [16, 128])
def test_the_error_stays_within_its_bound(order: str, items: int) -> None:
    draws = np.random.default_rng(2).standard_t(2, size=(5, 4000))
    if order == "few values":
        draws = np.round(draws)
    elif order != "random":
        draws = np.sort(draws, axis=1)[:, :: 1 if order == "ascending" else -1]
    sketches = [sketch_of(part, items, step=37) for part in np.split(draws, [1000, 1200], axis=1)]
    found = quantiles(sketches, PLACES, EVERYTHING)
    assert 0 < found.error < 40 / items
    slack = found.error + 1 / draws.shape[1]
    low = np.quantile(draws, np.clip(PLACES - slack, 0, 1), axis=1, method="lower")
    high = np.quantile(draws, np.clip(PLACES + slack, 0, 1), axis=1, method="higher")
    assert ((low <= found.values) & (found.values <= high)).all()


def test_memory_does_not_grow_with_draws_and_every_draw_counts() -> None:
    sketch = sketch_of(np.random.default_rng(3).normal(size=(1, 50_000)), 64, step=999)
    values, weights = sketch.kept(EVERYTHING)
    assert weights.sum() == sketch.draws == 50_000
    assert values.shape[1] == len(weights) < 64 * 11


def test_the_same_draws_give_the_same_sketch() -> None:
    """However they are cut, too."""
    draws = np.random.default_rng(4).normal(size=(2, 1000))
    one, other = sketch_of(draws, 32, 1000).kept(EVERYTHING), sketch_of(draws, 32, 7).kept(EVERYTHING)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_infinite_draws_do_not_spoil_the_others() -> None:
    draws = np.concatenate([np.arange(98.0), [np.inf, np.inf]])[None]
    found = quantiles([sketch_of(draws, 128)], np.array([0.5, 1.0]), EVERYTHING)
    assert found.values[:, 0].tolist() == [49.5, np.inf]


def test_no_draws_have_no_quantiles() -> None:
    assert np.isnan(quantiles([Sketch(2, 16)], PLACES, slice(0, 1)).values).all()
