from __future__ import annotations

import pytest

from exmc.nuts.stages import Stage, locate, warmup_stages


@pytest.mark.parametrize("warmup", [*range(400), 1000, 1001, 12345])
def test_every_iteration_asked_for_is_run(warmup: int) -> None:
    stages = warmup_stages(warmup)
    assert sum(stage.length for stage in stages) == warmup
    assert all(stage.length > 0 for stage in stages)
    assert not any(stage.adapt_metric for stage in (*stages[:1], *stages[-1:]))


def test_the_default_is_stans() -> None:
    lengths = [(75, False), (25, True), (50, True), (100, True), (200, True), (500, True), (50, False)]
    assert warmup_stages(1000) == tuple(Stage(*row) for row in lengths)


def test_short_warmups_are_split_in_proportion() -> None:
    assert warmup_stages(100) == (Stage(15, False), Stage(75, True), Stage(10, False))
    assert warmup_stages(150) == (Stage(75, False), Stage(25, True), Stage(50, False))
    for warmup in range(100, 150):
        first, _, last = warmup_stages(warmup)
        assert (first.length, last.length) == (warmup * 15 // 100, warmup // 10)
    assert warmup_stages(19) == (Stage(19, False),)
    assert warmup_stages(0) == ()


@pytest.mark.parametrize("warmup", range(20, 400))
def test_the_step_size_settles_after_the_last_metric(warmup: int) -> None:
    """Ten updates at least: dual averaging's own delay (Hoffman and Gelman 2014, t0 = 10)."""
    *_, slow, last = warmup_stages(warmup)
    assert slow.adapt_metric
    assert slow.length >= 7
    assert last.length >= 10


def test_windows_double_until_the_next_would_not_fit() -> None:
    for warmup in range(150, 3000, 7):
        windows = [stage.length for stage in warmup_stages(warmup) if stage.adapt_metric]
        assert windows[:-1] == [25 * 2**k for k in range(len(windows) - 1)]
        last = 25 * 2 ** (len(windows) - 1)
        assert last <= windows[-1] < 3 * last


def test_iterations_are_located_in_their_stage() -> None:
    stages = warmup_stages(100)
    assert locate(stages, 0) == (stages[0], 15)
    assert locate(stages, 14) == (stages[0], 1)
    assert locate(stages, 15) == (stages[1], 75)
    assert locate(stages, 99) == (stages[2], 1)
    assert locate(stages, 100) is None
    assert locate((), 0) is None
