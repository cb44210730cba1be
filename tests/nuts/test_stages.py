from __future__ import annotations

from collections.abc import Callable

import pytest

from exmc.nuts.schemes import SCHEMES
from exmc.nuts.stages import Ending, Stage, fisher_stages, locate, pooled_ends, stan_stages

COUNTS = [*range(400), 1000, 1001, 12345]


@pytest.mark.parametrize("name", SCHEMES)
class TestEveryScheme:
    @pytest.mark.parametrize("warmup", COUNTS)
    def test_every_iteration_asked_for_is_run(self, name: str, warmup: int) -> None:
        stages = SCHEMES[name].stages(warmup)
        assert sum(stage.length for stage in stages) == warmup
        assert all(stage.length > 0 for stage in stages)
        assert not any(stage.adapt_metric for stage in stages[-1:])

    def test_the_shortest_learn_the_step_size_only(self, name: str) -> None:
        assert SCHEMES[name].stages(0) == ()
        assert SCHEMES[name].stages(19) == (Stage(19),)

    @pytest.mark.parametrize("warmup", range(20, 400))
    def test_the_step_size_settles_after_the_last_metric(self, name: str, warmup: int) -> None:
        """Ten updates at least: dual averaging's own delay (Hoffman and Gelman 2014, t0 = 10)."""
        *_, slow, last = SCHEMES[name].stages(warmup)
        assert slow.adapt_metric
        assert slow.length >= 7
        assert last.length >= 10


def test_stans_default_is_stans() -> None:
    slow = [Stage(length, Ending.RESTART) for length in (25, 50, 100, 200, 500)]
    assert stan_stages(1000) == (Stage(75), *slow, Stage(50))


def test_stans_short_warmups_are_split_in_proportion() -> None:
    assert stan_stages(100) == (Stage(15), Stage(75, Ending.RESTART), Stage(10))
    assert stan_stages(150) == (Stage(75), Stage(25, Ending.RESTART), Stage(50))
    for warmup in range(100, 150):
        first, _, last = stan_stages(warmup)
        assert (first.length, last.length) == (warmup * 15 // 100, warmup // 10)


def test_stans_windows_double_until_the_next_would_not_fit() -> None:
    for warmup in range(150, 3000, 7):
        windows = [stage.length for stage in stan_stages(warmup) if stage.adapt_metric]
        assert windows[:-1] == [25 * 2**k for k in range(len(windows) - 1)]
        last = 25 * 2 ** (len(windows) - 1)
        assert last <= windows[-1] < 3 * last


def _windows(stages: tuple[Stage, ...]) -> list[int]:
    """The lengths between switches."""
    windows, length = [], 0
    for stage in stages:
        length += stage.length
        if stage.ending is Ending.SWITCH:
            windows.append(length)
            length = 0
    return windows


@pytest.mark.parametrize("warmup", [100, 200, 300, 400, 1000, 12345])
def test_the_other_scheme_learns_from_the_first_draw_on(warmup: int) -> None:
    stages = fisher_stages(warmup)
    windows = _windows(stages)
    early = [length for length in windows if length == 10]
    assert len(early) == int(0.3 * warmup) // 10
    assert all(stage.adapt_metric for stage in stages[:-1])
    # Draws on their way to the typical set gain energy, which the symmetric rate takes for a fault.
    assert [stage.symmetric for stage in stages] == [False] * len(early) + [True] * (len(stages) - len(early))
    assert stages[-1].length == round(0.15 * warmup)
    # Most of the early windows are hot, never what the metric of sampling is learnt from.
    hot = int(0.25 * warmup) // 10
    assert hot < len(early)
    assert [stage.temperature for stage in stages] == [2.0] * hot + [1.0] * (len(stages) - hot)


def test_stans_stages_are_never_hot() -> None:
    assert {stage.temperature for stage in stan_stages(1000)} == {1.0}


def test_stages_are_hot_in_few_coordinates() -> None:
    assert fisher_stages(1000)[0].spread(20) == 2.0**0.5
    assert fisher_stages(1000)[0].spread(21) == 1.0
    assert fisher_stages(1000)[-1].spread(1) == 1.0


def test_the_other_schemes_windows_grow_by_half() -> None:
    for warmup in range(300, 5000, 7):
        windows = [length for length in _windows(fisher_stages(warmup)) if length != 10]
        lengths = [80]
        while len(lengths) < len(windows):
            lengths.append(round(1.5 * lengths[-1]))
        assert windows[:-1] == lengths[:-1]
        # The last may be shorter, or longer by half of the next.
        assert windows[-1] < 1.75 * lengths[-1] + 1


def test_within_windows_the_metric_is_renewed_as_draws_are_half_as_many_again() -> None:
    held, older, newer = [], 0, 0
    for stage in fisher_stages(1000)[:-1]:
        newer += stage.length
        held.append(older + newer)
        if stage.ending is Ending.SWITCH:
            older, newer = newer, 0
    # From 30 early windows of 10, whose metric is that of the last 20 draws, on.
    assert held[:30] == [10] + [20] * 29
    assert held[30:] == [30, 50, 90, 120, 200, 180, 300, 350]


def test_iterations_are_located_in_their_stage() -> None:
    stages = stan_stages(100)
    assert locate(stages, 0) == (stages[0], 15)
    assert locate(stages, 14) == (stages[0], 1)
    assert locate(stages, 15) == (stages[1], 75)
    assert locate(stages, 99) == (stages[2], 1)
    assert locate(stages, 100) is None
    assert locate((), 0) is None


@pytest.mark.parametrize("stages", [stan_stages, fisher_stages])
def test_chains_pool_where_long_stages_end(stages: Callable[[int], tuple[Stage, ...]]) -> None:
    for warmup in range(0, 2000, 7):
        ends = pooled_ends(stages(warmup))
        assert len(ends) <= 12
        for end in ends:
            before, after = locate(stages(warmup), end - 1), locate(stages(warmup), end)
            assert after is not None, "there are iterations left to tune the step size in"
            assert before is not None
            assert before[1] == 1
            assert before[0].adapt_metric
            assert before[0].length >= 20
        if warmup >= 60:
            assert ends, "the last metric is always pooled"
            assert not any(stage.adapt_metric for stage in _after(stages(warmup), ends[-1]))


def _after(stages: tuple[Stage, ...], iteration: int) -> tuple[Stage, ...]:
    """The stages that begin at this iteration or later."""
    begins = [sum(stage.length for stage in stages[:number]) for number in range(len(stages))]
    return tuple(stage for stage, begin in zip(stages, begins, strict=True) if begin >= iteration)


def test_where_the_default_lengths_pool() -> None:
    assert pooled_ends(stan_stages(1000)) == (100, 150, 250, 450, 950)
    assert pooled_ends(fisher_stages(250)) == (90, 110, 150, 212)
