from __future__ import annotations

import numpy as np
import pytest

from exmc.errors import StoreError
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import METRIC_NAMES, SamplerOptions
from exmc.sampling.state import ChainState
from tests.sampling.targets import python_normal


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_a_state_survives_as_arrays_bit_for_bit(metric: str) -> None:
    options = SamplerOptions(seed=2**100, metric=metric, adaptation="fisher", warmup=100)
    state, _ = advance(python_normal(3), options, begin(python_normal(3), options, 5), 55)
    arrays = state.to_arrays()
    assert not any(array.dtype.hasobject for array in arrays.values())
    again = ChainState.from_arrays(arrays)
    window = again.adaptation.window
    assert (window.older.draws, window.newer.draws) == (10, 25)
    assert len(window.positions) == len(window.gradients) == (0 if metric == "diagonal" else 35)
    for name, array in again.to_arrays().items():
        assert array.dtype == arrays[name].dtype
        assert array.shape == arrays[name].shape
        assert array.tobytes() == arrays[name].tobytes()
    assert (again.chain, again.iteration, again.step_size) == (state.chain, state.iteration, state.step_size)


def test_a_state_of_before_chains_could_be_careful_is_read_past_its_warmup() -> None:
    """There nothing is learnt any more; a warm-up would go on in another way than it began."""
    options, density = SamplerOptions(seed=1, warmup=30), python_normal(2)
    warming, _ = advance(density, options, begin(density, options, 0), 20)
    drawing, _ = advance(density, options, advance(density, options, warming, 10)[0], 5)
    old = []
    for state in (warming, drawing):
        arrays = state.to_arrays()
        del arrays["careful"]
        for part in ("older", "newer"):
            arrays[f"{part}_draws"] = arrays.pop(f"{part}_counts")[0]
        old.append(arrays)
    with pytest.raises(StoreError, match="not a chain's state"):
        ChainState.from_arrays(old[0])
    again = ChainState.from_arrays(old[1])
    assert {n: a.tobytes() for n, a in again.to_arrays().items()} == {
        n: a.tobytes() for n, a in drawing.to_arrays().items()
    }
    blocks = [advance(density, options, state, 7)[1] for state in (drawing, again)]
    assert np.array_equal(blocks[0].positions, blocks[1].positions)


def test_what_is_not_a_state_is_refused() -> None:
    arrays = begin(python_normal(2), SamplerOptions(seed=1), 0).to_arrays()
    for bad in ({}, {**arrays, "more": np.zeros(1)}, {**arrays, "position": np.array(["a"])}):
        with pytest.raises(StoreError, match="not a chain's state"):
            ChainState.from_arrays(bad)
    del arrays["key"]
    with pytest.raises(StoreError):
        ChainState.from_arrays(arrays)
