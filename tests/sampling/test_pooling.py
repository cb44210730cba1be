"""Chains that learn the metric together: how it is divided changes no bit, and it is the metric alone they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from exmc.density import LogDensity
from exmc.errors import SamplingError
from exmc.sampling.chain import advance, begin, pool
from exmc.sampling.options import ADAPTATIONS, METRIC_NAMES, SamplerOptions
from exmc.sampling.pooling import MOST_POOLED, pooled_at, waits
from exmc.sampling.state import ChainState
from tests.sampling.targets import scaled_normal

OPTIONS = SamplerOptions(seed=11, draws=50, warmup=160, chains=3, pool_metric=True, adaptation="fisher", metric="auto")


def warmed_up(density: LogDensity, options: SamplerOptions, splits: Sequence[int] = (10**6,)) -> list[ChainState]:
    """Every chain at the end of warm-up, advanced by the given numbers of iterations in turn, and kept as bytes."""
    states, pooled = [begin(density, options, chain) for chain in range(options.chains)], None
    for border in (*pooled_at(options), options.warmup):
        arrived = []
        for state in states:
            sizes: Iterable[int] = splits * options.warmup
            for size in sizes:
                state = ChainState.from_arrays(state.to_arrays())
                state, _ = advance(density, options, state, size, pooled=pooled)
                if state.iteration == border:
                    break
            arrived.append(state)
        states = arrived
        pooled = pool(options, states[::-1]) if border < options.warmup else None
    return states


@pytest.fixture(scope="module")
def target() -> LogDensity:
    return scaled_normal(np.array([0.1, 1.0, 7.0, 1.0]))


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_splits_do_not_change_a_bit(target: LogDensity, metric: str, adaptation: str) -> None:
    options = replace(OPTIONS, metric=metric, adaptation=adaptation)
    straight = [state.to_arrays() for state in warmed_up(target, options)]
    for splits in ((7, 2), (99, 1, 3)):
        for one, other in zip(straight, warmed_up(target, options, splits), strict=True):
            assert all(np.array_equal(array, other.to_arrays()[name]) for name, array in one.items())


def test_chains_share_the_metric_and_nothing_else(target: LogDensity) -> None:
    # Fisher's scheme has a normal target's metric to the last bit, alone or not.
    options = replace(OPTIONS, adaptation="stan", metric="diagonal")
    states = warmed_up(target, options)
    assert len({state.inverse_mass_matrix.tobytes() for state in states}) == 1
    assert len({state.step_size for state in states}) == len({state.position.tobytes() for state in states}) == 3
    apart = warmed_up(target, replace(options, pool_metric=False))
    assert len({state.inverse_mass_matrix.tobytes() for state in apart}) == 3


def test_until_the_first_pool_each_chain_is_what_it_is_alone(target: LogDensity) -> None:
    first = pooled_at(OPTIONS)[0]
    for chain in range(3):
        together, drawn = advance(target, OPTIONS, begin(target, OPTIONS, chain), 10**6)
        assert waits(OPTIONS, together)
        alone = replace(OPTIONS, pool_metric=False)
        _, same = advance(target, alone, begin(target, alone, chain), first)
        assert np.array_equal(drawn.positions, same.positions)


def test_a_chain_that_waits_does_not_go_on_alone(target: LogDensity) -> None:
    state, _ = advance(target, OPTIONS, begin(target, OPTIONS, 0), 10**6)
    with pytest.raises(SamplingError, match="Chain 0 waits at iteration") as caught:
        advance(target, OPTIONS, state, 1)
    assert "pool_metric" in str(caught.value)
    same, block = advance(target, OPTIONS, state, 0)
    assert same.iteration == state.iteration
    assert not len(block.positions)


def test_a_chain_that_is_stopped_at_once_still_waits(target: LogDensity) -> None:
    state, _ = advance(target, OPTIONS, begin(target, OPTIONS, 0), 10**6)
    pooled = pool(OPTIONS, [state])
    stopped, _ = advance(target, OPTIONS, state, 5, lambda: True, pooled=pooled)
    assert all(np.array_equal(array, stopped.to_arrays()[name]) for name, array in state.to_arrays().items())


@pytest.mark.parametrize("change", [{"chains": 1}, {"warm_start": "abc"}, {"warmup": 0}, {"warmup": 15}])
def test_where_there_is_nothing_to_share_nobody_waits(change: dict[str, object]) -> None:
    assert pooled_at(replace(OPTIONS, **change)) == ()  # type: ignore[arg-type]


def test_of_many_chains_the_first_decide(target: LogDensity) -> None:
    options = replace(OPTIONS, chains=MOST_POOLED + 6, warmup=40)
    states = [advance(target, options, begin(target, options, chain), 40)[0] for chain in range(options.chains)]
    found = pool(options, states)
    assert max(found.chains) < MOST_POOLED
    assert np.array_equal(found.inverse_mass_matrix, pool(options, states[:MOST_POOLED]).inverse_mass_matrix)


def test_what_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(SamplingError, match="'yes' is not true or false"):
        replace(OPTIONS, pool_metric="yes")  # type: ignore[arg-type]
