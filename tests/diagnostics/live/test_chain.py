"""A chain's summary takes each draw once, and keeps what it is asked to keep."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.diagnostics.convergence import bfmi
from exmc.diagnostics.live.chain import DIVERGENCES_SHOWN, ENERGY, ENERGY_CHANGE, ChainSummary, Detail
from exmc.errors import StoreError

RNG = np.random.default_rng(1)
DRAWS, ENERGIES = RNG.normal(size=(500, 3)), RNG.gamma(3.0, size=500)
DIVERGING = RNG.random(500) < 0.6
DETAIL = Detail(batches=32, items=64, points=64)


def add(chain: ChainSummary, first: int, end: int) -> int:
    return chain.add(first, DRAWS[first:end], ENERGIES[first:end], DIVERGING[first:end])


def test_draws_that_come_again_do_not_count_again() -> None:
    once, again = ChainSummary(3, DETAIL), ChainSummary(3, DETAIL)
    assert add(once, 0, 500) == 500
    # A segment that was done twice, by attempts of different length.
    spans = ((0, 200), (0, 200), (100, 300), (0, 500), (500, 500))
    assert [add(again, *span) for span in spans] == [200, 0, 100, 200, 0]
    assert again.draws == 500
    assert again.divergences == once.divergences == DIVERGING.sum()
    np.testing.assert_allclose(again.total.mean, DRAWS.mean(axis=0), atol=1e-15)
    assert again.bfmi == pytest.approx(once.bfmi, rel=1e-12)
    assert once.sketch is not None
    assert again.sketch is not None
    np.testing.assert_array_equal(once.sketch.kept(slice(None))[0], again.sketch.kept(slice(None))[0])


def test_draws_with_a_gap_before_them_are_refused() -> None:
    chain = ChainSummary(3, DETAIL)
    add(chain, 0, 100)
    with pytest.raises(StoreError, match="from 200 on cannot follow 100"):
        add(chain, 200, 300)


def test_energies_are_those_of_all_draws() -> None:
    chain = ChainSummary(3, DETAIL)
    for first in range(0, 500, 50):
        add(chain, first, first + 50)
    assert chain.bfmi == pytest.approx(bfmi(ENERGIES[None])[0], rel=1e-12)
    assert float(chain.energy.mean) == pytest.approx(ENERGIES.mean())
    assert chain.shown is not None
    numbers = chain.shown.numbers
    np.testing.assert_allclose(chain.shown.column(ENERGY), ENERGIES[numbers], rtol=1e-6)
    np.testing.assert_allclose(chain.shown.column(ENERGY_CHANGE)[1:], np.diff(ENERGIES)[numbers[1:] - 1], rtol=1e-4)
    assert np.isnan(chain.shown.column(ENERGY_CHANGE)[0])


def test_the_last_divergent_draws_are_kept() -> None:
    chain = ChainSummary(3, DETAIL)
    add(chain, 0, 300)
    add(chain, 300, 500)
    expected = DRAWS[DIVERGING][-DIVERGENCES_SHOWN:]
    assert len(expected) == DIVERGENCES_SHOWN
    np.testing.assert_allclose(np.stack(chain.divergent), expected, rtol=1e-6)


def test_of_no_draws_there_is_no_energy() -> None:
    assert np.isnan(ChainSummary(3, Detail(batches=16)).bfmi)


def test_what_is_kept_shrinks_with_the_number_of_scalars() -> None:
    few, many = Detail.fitting(10, 4, points=True), Detail.fitting(3000, 4, points=True)
    assert few == Detail(512, 512, 1024)
    assert many.batches == 256
    assert many.items < few.items
    assert many.points < few.points
    assert Detail.fitting(10, 10_000) == Detail(32, 32, 0)
