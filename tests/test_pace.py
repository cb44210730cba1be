from __future__ import annotations

import pytest

from exmc.pace import Pace


def _known(seconds: float, *, native: bool = True) -> Pace:
    pace = Pace(native=native)
    pace.note(10, 10 * seconds)
    return pace


def test_what_is_expected_of_a_call_is_what_iterations_took_in_the_last() -> None:
    pace = _known(5e-6)
    assert pace.is_short(19, 5)
    assert not pace.is_short(21, 5)
    assert pace.fitting(0.0051) == 1020
    pace.note(1, 1e-3)
    assert not pace.is_short(1, 5)
    assert pace.fitting(0.0051) == 5
    assert pace.fitting(0.0001) == 1
    pace.note(100, 1e-5)
    assert pace.is_short(900, 5)


def test_before_the_first_call_none_is_short() -> None:
    assert not Pace(native=True).is_short(1, 1)
    assert Pace(native=True).fitting(1.0) == 1


def test_of_a_density_that_may_run_python_nothing_is_known() -> None:
    for pace in (_known(1e-9, native=False), Pace()):
        assert not pace.is_short(1, 1)
        assert pace.fitting(1.0) == 1


@pytest.mark.parametrize(("max_treedepth", "short"), [(1, True), (10, True), (12, False), (50, False)])
def test_no_call_is_short_in_which_trajectories_may_become_long(max_treedepth: int, short: bool) -> None:
    # Ten iterations of one step each took 50 µs, so that ten of 2**11 would take 0.1 s.
    assert _known(5e-6).is_short(10, max_treedepth) == short


def test_a_clock_that_stood_still_says_little() -> None:
    pace = Pace(native=True)
    pace.note(1, 0.0)
    assert pace.is_short(1, 10)
    assert not pace.is_short(10**6, 10)
    assert pace.fitting(1.0) <= 10**8
