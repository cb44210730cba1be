"""The warm-up stages: how many iterations learn what, in which order."""

from __future__ import annotations

from dataclasses import dataclass

# Stan's schedule: a fast stage to reach the typical set, slow windows that double, a fast stage for the step size.
_FIRST, _WINDOW, _LAST = 75, 25, 50
_SHORT = _FIRST + _WINDOW + _LAST
# Below this many iterations a window would be shorter than what the estimate is shrunk by; as in Stan, the metric
# stays the unit one.
_TOO_SHORT_FOR_A_METRIC = 20
# The least that follows the last metric: as many iterations as dual averaging waits (its t0) before it trusts updates.
# It begins at ten times the step size searched, and fewer updates leave the average there, where all is rejected.
_SETTLING = 10


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of warm-up iterations. All adapt the step size; at the end of a slow stage the metric is replaced."""

    length: int
    adapt_metric: bool


def warmup_stages(warmup: int) -> tuple[Stage, ...]:
    """The stages of a warm-up; their lengths sum to `warmup`.

    The Stan reference manual, section "Automatic parameter tuning": 75 fast iterations, slow windows of 25, 50,
    100, ... iterations, 50 fast ones. A window grows to the end of the slow part if the next, twice as long, would
    not fit. Fewer than 150 iterations are split 15 % / 75 % / 10 %, and fewer than 20 adapt the step size only. Other
    than in Stan, the last part has 10 iterations at least, at the cost of the slow one: 10 % of 20 would be two.
    """
    if warmup < _TOO_SHORT_FOR_A_METRIC:
        return step_size_stage(warmup)
    if warmup < _SHORT:
        first, last = warmup * 15 // 100, max(warmup * 10 // 100, _SETTLING)
        windows: tuple[int, ...] = (warmup - first - last,)
    else:
        first, last = _FIRST, _LAST
        windows = _doubling_windows(warmup - first - last)
    slow = tuple(Stage(length, True) for length in windows)
    return (Stage(first, False), *slow, Stage(last, False))


def step_size_stage(warmup: int) -> tuple[Stage, ...]:
    """A warm-up that adapts the step size alone."""
    return (Stage(warmup, False),) if warmup > 0 else ()


def _doubling_windows(total: int) -> tuple[int, ...]:
    windows, length = [], _WINDOW
    while total >= length + 2 * length:
        windows.append(length)
        total -= length
        length *= 2
    return (*windows, total)


def locate(stages: tuple[Stage, ...], iteration: int) -> tuple[Stage, int] | None:
    """The stage of the iteration with this number and how many iterations it has left; None after the warm-up."""
    for stage in stages:
        if iteration < stage.length:
            return stage, stage.length - iteration
        iteration -= stage.length
    return None
