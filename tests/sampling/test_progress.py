from __future__ import annotations

import pytest

from exmc.errors import StoreError
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions
from exmc.sampling.progress import Receipt, receipt
from tests.sampling.targets import python_normal

OPTIONS = SamplerOptions(seed=1, draws=50, warmup=30)


def test_a_receipt_sums_a_segment_up_in_a_few_hundred_bytes() -> None:
    density = python_normal(2)
    state, _ = advance(density, OPTIONS, begin(density, OPTIONS, 1), 30)
    state, _ = advance(density, OPTIONS, state, 20)
    state, block = advance(density, OPTIONS, state, 100)
    got = receipt(1, state.step_size, block, segment=4, seconds=1.5)
    assert (got.chain, got.segment, got.first, got.draws, got.draws_done, got.warmup) == (1, 4, 20, 30, 50, False)
    assert got.gradients == block.statistics["n_steps"].sum()
    assert got.acceptance_rate == block.statistics["acceptance_rate"].mean()
    assert got.step_size == state.step_size
    text = got.to_json()
    assert len(text) < 400
    assert Receipt.from_json(text) == got


def test_a_receipt_of_nothing_has_no_mean() -> None:
    density = python_normal(2)
    state, block = advance(density, OPTIONS, begin(density, OPTIONS, 0), 0)
    got = receipt(1, state.step_size, block, segment=0, seconds=0.0)
    assert (got.draws, got.acceptance_rate) == (0, None)
    assert "NaN" not in got.to_json()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"chain": 1}', "not json"])
def test_what_is_not_a_receipt_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="not a segment's receipt"):
        Receipt.from_json(text)
