from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from exmc.density import LogDensity, from_function
from exmc.errors import SamplingError
from exmc.sampling.chain import Block, Carried, advance, begin, metric_of
from exmc.sampling.options import ADAPTATIONS, AUTO, METRIC_NAMES, SamplerOptions, TargetAccept
from exmc.sampling.state import ChainState
from exmc.sampling.statistics import STATISTICS
from tests.nuts.driving import matrix_of
from tests.sampling.targets import normal, python_normal, scaled_normal, walled_normal

OPTIONS = SamplerOptions(seed=11, draws=130, warmup=210, chains=2)


def _digest_of_run(density: LogDensity, options: SamplerOptions, chain: int, splits: Iterable[int]) -> str:
    """SHA-256 of all draws and statistics of a chain advanced by the given numbers of iterations in turn."""
    digest = hashlib.sha256()
    sizes = list(splits)
    state, call = begin(density, options, chain), 0
    blocks: dict[bool, list[Block]] = {True: [], False: []}
    while state.iteration < options.warmup + options.draws:
        # Between any two calls the state goes to bytes and back.
        state = ChainState.from_arrays(state.to_arrays())
        state, block = advance(density, options, state, sizes[call % len(sizes)])
        blocks[block.warmup].append(block)
        call += 1
    for phase in (True, False):
        if blocks[phase]:
            digest.update(np.concatenate([block.positions for block in blocks[phase]]).tobytes())
            for row in STATISTICS:
                digest.update(np.concatenate([block.statistics[row.name] for block in blocks[phase]]).tobytes())
    for array in state.to_arrays().values():
        digest.update(array.tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def target() -> LogDensity:
    return scaled_normal(np.array([0.1, 1.0, 7.0, 1.0]))


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
@pytest.mark.parametrize("metric", METRIC_NAMES)
@pytest.mark.parametrize("warmup", [0, 10, 210])
def test_splits_do_not_change_a_bit(target: LogDensity, metric: str, adaptation: str, warmup: int) -> None:
    options = replace(OPTIONS, metric=metric, adaptation=adaptation, warmup=warmup)
    straight = _digest_of_run(target, options, 0, [10**6])
    # 74, 76 and 7 put borders on, before and after the ends of warm-up windows.
    for splits in ([1], [7], [74, 1, 1, 24, 1], [76, 13], [3, 50, 1, 200]):
        assert _digest_of_run(target, options, 0, splits) == straight
    assert _digest_of_run(target, options, 1, [10**6]) != straight
    assert _digest_of_run(target, replace(options, seed=12), 0, [10**6]) != straight


@pytest.mark.parametrize("dimension", [4, 3000])
def test_the_metric_is_chosen_by_the_dimension_unless_it_is_given(dimension: int) -> None:
    chosen = metric_of(replace(OPTIONS, metric="auto"), dimension)
    assert chosen.name == ("low_rank" if dimension == 4 else "diagonal")
    for name in METRIC_NAMES[1:]:
        assert metric_of(replace(OPTIONS, metric=name), dimension).name == name


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_a_correlated_normal_is_drawn_in_few_steps_without_asking_for_it(adaptation: str) -> None:
    covariance = 0.999 + 0.001 * np.eye(5)
    density = normal(np.linalg.inv(covariance))
    steps = {}
    for metric in ("auto", "diagonal"):
        options = replace(OPTIONS, metric=metric, adaptation=adaptation)
        state, _ = advance(density, options, begin(density, options, 0), options.warmup)
        steps[metric] = advance(density, options, state, 130)[1].statistics["n_steps"].mean()
    # The longest axis is 71 times the others.
    assert steps["auto"] < 10 < steps["diagonal"]


def test_more_draws_begin_with_the_fewer(target: LogDensity) -> None:
    def positions(draws: int) -> np.ndarray:
        options = replace(OPTIONS, draws=draws)
        state, _ = advance(target, options, begin(target, options, 0), options.warmup)
        return advance(target, options, state, draws)[1].positions

    assert np.array_equal(positions(60), positions(130)[:60])


def test_a_finished_chain_can_be_extended(target: LogDensity) -> None:
    longer = replace(OPTIONS, draws=200)
    state, _ = advance(target, OPTIONS, begin(target, OPTIONS, 0), OPTIONS.warmup)
    state, first = advance(target, OPTIONS, state, 10**6)
    assert advance(target, OPTIONS, state, 5)[1].positions.shape == (0, 4)
    _, second = advance(target, longer, state, 10**6)
    assert (len(first.positions), second.first, len(second.positions)) == (130, 130, 70)


@pytest.mark.parametrize("warmup", [0, 10, 20, 50, 75, 150, 1000])
def test_exactly_the_warmup_asked_for_is_run(target: LogDensity, warmup: int) -> None:
    options = replace(OPTIONS, warmup=warmup, draws=5)
    state = begin(target, options, 0)
    if warmup:
        state, block = advance(target, options, state, 10**6)
        assert (block.warmup, block.first, len(block.positions)) == (True, 0, warmup)
    _, block = advance(target, options, state, 10**6)
    assert (block.warmup, block.first, len(block.positions)) == (False, 0, 5)
    assert len(set(block.statistics["step_size"])) == 1


def test_a_block_never_crosses_from_warmup_to_sampling(target: LogDensity) -> None:
    state, block = advance(target, OPTIONS, begin(target, OPTIONS, 0), 211)
    assert len(block.positions) == 210
    state, block = advance(target, OPTIONS, state, 10)
    assert (block.first, block.warmup, state.iteration) == (0, False, 220)
    _, block = advance(target, OPTIONS, state, 0)
    assert (block.first, block.positions.shape) == (10, (0, 4))


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_warmup_learns_the_scales(metric: str, adaptation: str) -> None:
    scales = np.array([0.01, 1.0, 100.0])
    options = SamplerOptions(seed=1, metric=metric, adaptation=adaptation, warmup=1000)
    state, block = advance(scaled_normal(scales), options, begin(scaled_normal(scales), options, 0), 1000)
    variances = np.diag(matrix_of(metric_of(options, 3).name, state.inverse_mass_matrix))
    # The last windows hold 350 draws and more, worth at least 100 independent ones: a standard deviation of 0.14.
    assert np.all(np.abs(np.log(variances / scales**2)) < 4 * 0.14)
    assert block.statistics["step_size"][0] != state.step_size


def test_the_target_acceptance_is_heeded(target: LogDensity) -> None:
    steps = []
    for accept in (0.6, 0.8, 0.95):
        options = SamplerOptions(seed=1, target_accept=accept, warmup=1000)
        steps.append(advance(target, options, begin(target, options, 0), 1000)[0].step_size)
    assert steps[0] > steps[1] > steps[2]


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_a_chain_whose_trajectories_diverge_takes_smaller_steps_if_it_may(adaptation: str) -> None:
    walled, rates = walled_normal(2), {}
    for asked in (AUTO, 0.8):
        options = SamplerOptions(seed=1, adaptation=adaptation, warmup=600, draws=1000, target_accept=asked)
        state, _ = advance(walled, options, begin(walled, options, 0), 600)
        assert state.adaptation.careful
        rates[asked] = advance(walled, options, state, 1000)[1].statistics["acceptance_rate"].mean()
    assert rates[AUTO] > rates[0.8] + 0.05


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_a_chain_whose_trajectories_do_not_diverge_is_not_careful(adaptation: str) -> None:
    density = python_normal(2)
    ends = []
    for asked in (AUTO, 0.8):
        options = SamplerOptions(seed=1, adaptation=adaptation, warmup=300, target_accept=asked)
        ends.append(advance(density, options, begin(density, options, 0), 300)[0])
    assert not ends[0].adaptation.careful
    assert ends[0].step_size == ends[1].step_size


@pytest.mark.parametrize("asked", [AUTO, 0.95])
def test_what_a_metric_is_learnt_from_does_not_depend_on_a_higher_target(asked: TargetAccept) -> None:
    """Else chains asked to be more careful would not learn where they have to be."""
    density, found = scaled_normal(np.array([0.1, 1.0, 7.0, 1.0])), []
    for target in (0.8, asked):
        options = SamplerOptions(seed=1, target_accept=target)
        found.append(advance(density, options, begin(density, options, 0), 400)[0])
    assert np.array_equal(found[0].inverse_mass_matrix, found[1].inverse_mass_matrix)
    assert (found[0].step_size > found[1].step_size) is (asked != AUTO)


@pytest.mark.parametrize(("asked", "lower"), [(AUTO, True), (0.8, False)])
def test_a_chain_is_as_careful_as_the_one_it_goes_on_from(asked: TargetAccept, lower: bool) -> None:
    options = SamplerOptions(seed=1, metric="diagonal", warmup=100, target_accept=asked, warm_start="earlier")
    steps, density = [], scaled_normal(np.ones(3))
    for careful in (False, True):
        state = begin(density, options, 0, carried=Carried(np.zeros(3), 0.5, np.ones(3), careful))
        assert (state.adaptation.careful, state.step_size) == (careful, 0.5)
        steps.append(advance(density, options, state, 100)[0].step_size)
    assert (steps[1] < steps[0]) is lower


def test_a_careful_chain_is_split_without_changing_a_bit() -> None:
    density, options = walled_normal(2), replace(OPTIONS, draws=50)
    straight = _digest_of_run(density, options, 0, [10**6])
    state, _ = advance(density, options, begin(density, options, 0), 210)
    assert state.adaptation.careful
    for splits in ([1], [7], [178, 1, 31]):
        assert _digest_of_run(density, options, 0, splits) == straight


def test_statistics_are_of_the_declared_types_and_consistent(target: LogDensity) -> None:
    state, _ = advance(target, OPTIONS, begin(target, OPTIONS, 0), 210)
    _, block = advance(target, OPTIONS, state, 130)
    assert {name: str(array.dtype) for name, array in block.statistics.items()} == {
        row.name: row.dtype for row in STATISTICS
    }
    for position, lp in zip(block.positions, block.statistics["lp"], strict=True):
        assert target(position)[0] == lp
    assert np.all(block.statistics["n_steps"] >= 2 ** block.statistics["tree_depth"] - 1)
    assert np.all(block.statistics["energy"] >= -block.statistics["lp"])
    rate = block.statistics["acceptance_rate"]
    assert np.all((rate >= 0.0) & (rate <= 1.0))
    assert np.all(np.abs(block.statistics["energy_error"]) <= np.abs(block.statistics["max_energy_error"]))


def test_a_given_step_size_without_warmup_is_used_as_it_is(target: LogDensity) -> None:
    options = replace(OPTIONS, warmup=0, step_size=0.0123)
    _, block = advance(target, options, begin(target, options, 0), 5)
    assert np.all(block.statistics["step_size"] == 0.0123)


def test_max_treedepth_limits_the_trajectory(target: LogDensity) -> None:
    options = replace(OPTIONS, warmup=0, step_size=1e-4, max_treedepth=3)
    _, block = advance(target, options, begin(target, options, 0), 5)
    assert np.all(block.statistics["n_steps"] == 7)
    assert np.all(block.statistics["reached_max_treedepth"])


def test_a_stop_is_heeded_and_costs_no_draw(target: LogDensity) -> None:
    asked = iter([False, False, True])
    state = begin(target, OPTIONS, 0)
    after, block = advance(target, OPTIONS, state, 200, should_stop=lambda: next(asked))
    assert 0 < len(block.positions) < 200
    assert after.iteration == len(block.positions)
    assert state.iteration == 0
    _, nothing = advance(target, OPTIONS, state, 200, should_stop=lambda: True)
    assert len(nothing.positions) == 0
    assert np.array_equal(advance(target, OPTIONS, state, 200)[1].positions[: len(block.positions)], block.positions)


def test_a_slow_density_does_not_delay_a_stop() -> None:
    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        time.sleep(0.002)
        return -0.5 * float(x @ x), -x

    options, density = replace(OPTIONS, warmup=0, step_size=0.3), from_function(1, function)
    asked: list[float] = []

    def should_stop() -> bool:
        asked.append(time.perf_counter())
        return False

    _, block = advance(density, options, begin(density, options, 0), 30, should_stop=should_stop)
    # An iteration takes some 15 ms, so that few fit into the time of one call.
    assert len(block.positions) == 30
    assert len(asked) >= 8


def test_progress_reports_every_iteration_once(target: LogDensity) -> None:
    seen: list[tuple[int, np.ndarray]] = []
    _, block = advance(
        target,
        OPTIONS,
        begin(target, OPTIONS, 0),
        210,
        on_progress=lambda new: seen.append((new.first, new.positions.copy())),
    )
    assert np.array_equal(np.concatenate([positions for _, positions in seen]), block.positions)
    assert [first for first, _ in seen] == list(np.cumsum([0, *(len(p) for _, p in seen)])[:-1])
    assert len(seen) > 3


@pytest.mark.parametrize(("seconds", "first"), [(1e-6, 130), (1.0, 1), (1e-3, 7)])
def test_the_first_call_has_as_many_iterations_as_the_pace_allows(seconds: float, first: int) -> None:
    density = scaled_normal(np.array([0.1, 1.0]))
    state, _ = advance(density, OPTIONS, begin(density, OPTIONS, 0), 210)
    density.pace.note(1, seconds)
    sizes: list[int] = []
    advance(density, OPTIONS, state, 130, on_progress=lambda new: sizes.append(len(new.positions)))
    assert sizes[0] == first
    assert sum(sizes) == 130


def test_a_state_is_never_changed(target: LogDensity) -> None:
    state, _ = advance(target, OPTIONS, begin(target, OPTIONS, 0), 90)
    before = {name: array.tobytes() for name, array in state.to_arrays().items()}
    advance(target, OPTIONS, state, 100)
    assert {name: array.tobytes() for name, array in state.to_arrays().items()} == before
    with pytest.raises(ValueError, match="read-only"):
        state.position[0] = 0.0


def test_two_threads_draw_what_one_does(target: LogDensity) -> None:
    options = replace(OPTIONS, draws=2000)
    alone = [_digest_of_run(target, options, chain, [10**6]) for chain in (0, 1)]
    together = ["", ""]

    def work(chain: int) -> None:
        together[chain] = _digest_of_run(target, options, chain, [97, 10**6])

    threads = [threading.Thread(target=work, args=(chain,)) for chain in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


class _FaultError(Exception):
    pass


@pytest.mark.parametrize("kind", [_FaultError, KeyboardInterrupt])
@pytest.mark.parametrize("calls", [0, 1, 40])
def test_an_exception_in_a_python_density_comes_out(kind: type[BaseException], calls: int) -> None:
    count = 0

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        count += 1
        if count > calls:
            raise kind("here")
        return -0.5 * float(x @ x), -x

    density = from_function(2, function)
    with pytest.raises(kind, match="here"):
        advance(density, OPTIONS, begin(density, OPTIONS, 0), 210)
    assert count <= calls + 1


def test_a_flat_posterior_is_an_error_that_says_so() -> None:
    density = from_function(2, lambda x: (0.0, np.zeros(2)))
    with pytest.raises(SamplingError, match=r"Chain 3 found no step size; .* flat or improper") as caught:
        begin(density, OPTIONS, 3)
    assert "proper prior" in caught.value.remedy


def test_a_density_that_is_defined_only_once_is_an_error_that_says_so() -> None:
    calls = 0

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal calls
        calls += 1
        return (0.0 if calls == 1 else float("nan")), np.ones(2)

    with pytest.raises(SamplingError, match="undefined or discontinuous"):
        begin(from_function(2, function), OPTIONS, 0)


def test_a_chain_goes_on_only_as_it_was_begun(target: LogDensity) -> None:
    options = replace(OPTIONS, metric="diagonal")
    state = begin(target, options, 0)
    with pytest.raises(SamplingError, match="another seed"):
        advance(target, replace(options, seed=99), state, 1)
    with pytest.raises(SamplingError, match="metric"):
        advance(target, replace(options, metric="dense"), state, 1)
    with pytest.raises(SamplingError, match="'low_rank'"):
        advance(target, replace(options, metric="low_rank"), state, 1)
    with pytest.raises(SamplingError, match="4 coordinates"):
        advance(python_normal(3), options, state, 1)
    with pytest.raises(SamplingError, match="-1"):
        advance(target, options, state, -1)


def test_a_model_without_free_variables_is_refused() -> None:
    with pytest.raises(SamplingError, match="no free variables"):
        begin(from_function(0, lambda x: (0.0, x)), OPTIONS, 0)
