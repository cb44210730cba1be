"""A chain is given up when one gradient takes too long, and only then."""

from __future__ import annotations

import threading
import time
import traceback
from contextvars import ContextVar

import numpy as np
import pytest
from numpy.typing import NDArray

from exmc.density import from_function
from exmc.errors import SamplingError
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions
from exmc.sampling.watchdog import Pulse, watched

BOUND = 0.4


def normal(seconds: float, stuck_at: int = -1, release: threading.Event | None = None):  # type: ignore[no-untyped-def]
    """A normal density whose every gradient takes `seconds`, and that one for ever."""
    calls = 0

    def density(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal calls
        calls += 1
        if calls == stuck_at and release is not None:
            release.wait(60)
        time.sleep(seconds)
        return float(-0.5 * x @ x), -x

    return from_function(2, density)


def test_slow_gradients_are_not_stuck_ones() -> None:
    """Many gradients of a draw take far longer than the bound, each of them far less."""
    options = SamplerOptions(seed=1, draws=2, warmup=0, step_size=0.05)
    density = normal(BOUND / 20)

    def draw(pulse: Pulse) -> NDArray[np.float64]:
        state = begin(density, options, 0, pulse=pulse)
        return advance(density, options, state, 2, pulse=pulse)[1].positions

    began = time.monotonic()
    draws = watched(draw, BOUND)
    assert time.monotonic() - began > 2 * BOUND
    assert np.array_equal(draws, watched(draw, None))


@pytest.mark.parametrize("stuck_at", [1, 3, 40])
def test_a_stuck_gradient_ends_the_chain(stuck_at: int) -> None:
    """At the starting point, in the search for a step size, and while drawing."""
    options, release = SamplerOptions(seed=1, draws=1000, warmup=0), threading.Event()
    density, pulses = normal(0.0, stuck_at, release), []

    def draw(pulse: Pulse) -> None:
        pulses.append(pulse)
        state = begin(density, options, 0, pulse=pulse)
        advance(density, options, state, 1000, pulse=pulse)

    try:
        with pytest.raises(
            SamplingError, match=r"a single gradient has taken more than 0\.4 s.*sampler\.watchdog"
        ) as e:
            watched(draw, BOUND)
        assert "release.wait(60)" in "".join(traceback.format_exception(e.value))
        assert pulses[0].abandoned
    finally:
        release.set()


def test_work_that_was_given_up_ends_once_it_can() -> None:
    """Otherwise it would use a processor for the rest of the process, to no end."""
    release, ended = threading.Event(), threading.Event()

    def work(pulse: Pulse) -> None:
        release.wait(60)
        try:
            while True:
                pulse.beat()
        finally:
            ended.set()

    with pytest.raises(SamplingError, match=r"more than 0\.4 s"):
        watched(work, BOUND)
    release.set()
    assert ended.wait(10)


@pytest.mark.parametrize("error", [ValueError("wrong"), TimeoutError("their own"), SystemExit(1)])
@pytest.mark.parametrize("seconds", [None, 5.0])
def test_what_the_work_raises_is_raised(error: BaseException, seconds: float | None) -> None:
    def fail(pulse: Pulse) -> None:
        raise error

    with pytest.raises(type(error)):
        watched(fail, seconds)


def test_the_work_has_the_context_of_its_caller() -> None:
    """What a model may import is said there."""
    variable: ContextVar[str] = ContextVar("variable")
    token = variable.set("the caller's")
    try:
        assert watched(lambda pulse: variable.get(), 10.0) == "the caller's"
    finally:
        variable.reset(token)
