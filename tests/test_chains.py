"""Chains in threads of the process: those that fail fail alone, and a stuck one hangs nobody."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import pytest
import xarray as xr
from autograd.extend import defvjp, primitive

import exmc
from exmc import Builder, chains
from exmc.chains import Limits, run_each
from exmc.diagnostics.checks import diagnose
from exmc.errors import CompileError, ExmcError, ModelError, SamplingError
from tests.test_inference import seed_example

_TESTS = itertools.count()


class Own:
    """A normal density of one's own, which does something in its `at`-th call, whichever chain makes it."""

    def __init__(self) -> None:
        self.calls, self.at = itertools.count(), -1
        self.act: Callable[[], object] = lambda: None
        # Of no other test: a thread that one before gave up looks its function up again, and would be counted here.
        self.module = f"own_density_of_a_test_{next(_TESTS)}"

    def density(self) -> Callable[[Any], Any]:
        @primitive
        def disturbed(value: Any) -> Any:
            if next(self.calls) == self.at:
                self.act()
            return value

        defvjp(disturbed, lambda result, value: lambda g: g)
        return lambda value: -0.5 * disturbed(value) ** 2


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Own:
    found = Own()
    module = types.ModuleType(found.module)
    module.log_density = found.density()  # type: ignore[attr-defined]
    module.draw = lambda generator, shape: generator.normal(size=shape)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return found


def draw_from(own: Own, **options: Any) -> xr.DataTree:
    model = Builder().rv("x", exmc.Custom(f"{own.module}:log_density", draw=f"{own.module}:draw"))
    options = {"draws": 40, "warmup": 30} | options
    return exmc.sample(model, seed=3, engine="autograd", predictive=False, **options)


def fail() -> None:
    raise ValueError("not today")


def test_a_chain_that_fails_fails_alone(own: Own) -> None:
    whole = draw_from(own, chains=3)
    assert whole.attrs["failed_chains"] == []
    own.calls, own.at, own.act = itertools.count(), 100, fail
    with pytest.warns(RuntimeWarning, match=r"chain \d failed and is left out: .*ValueError: not today"):
        tree = draw_from(own, chains=3)
    (failed,) = tree.attrs["failed_chains"]
    assert 'raise ValueError("not today")' in failed["traceback"]
    kept = [chain for chain in range(3) if chain != failed["chain"]]
    assert tree["posterior"]["chain"].values.tolist() == kept
    for group in ("posterior", "sample_stats", "log_prior"):
        assert tree[group].to_dataset().equals(whole[group].to_dataset().sel(chain=kept))
    assert not diagnose(tree).passed


@pytest.mark.parametrize(("chains", "min_chains"), [(2, None), (3, 3)])
def test_too_few_chains_are_an_error(chains: int, min_chains: int | None, own: Own) -> None:
    own.at, own.act = 100, fail
    message = rf"1 of {chains} chains failed, and {chains} must finish; chain \d: .*ValueError: not today"
    with pytest.raises(SamplingError, match=message):
        draw_from(own, chains=chains, min_chains=min_chains)
    own.calls, own.at = itertools.count(), 100
    with pytest.raises(ModelError, match="not today"):
        draw_from(own, chains=1)


def test_a_stuck_chain_hangs_nobody(own: Own) -> None:
    """Whoever needs autograd next is told at once; when the function returns after all, all is well again."""
    release = threading.Event()
    own.at, own.act = 50, lambda: release.wait(60)
    began = time.monotonic()
    try:
        with pytest.raises(ExmcError, match=r"more than 0\.5 s|held by a function that does not return"):
            draw_from(own, chains=2, watchdog=0.5)
        with pytest.raises(CompileError, match="start a new Python process"):
            draw_from(own, chains=1)
        assert time.monotonic() - began < 30
    finally:
        release.set()
    assert draw_from(own, chains=1)["posterior"].sizes["draw"] == 40


@pytest.mark.parametrize("border", [0, 85])
def test_chains_that_learn_together_do_so_without_one_that_hangs(border: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they have pooled for the last time, and afterwards."""
    options = {"draws": 40, "warmup": 100, "chains": 3, "seed": 3, "pool_metric": True, "adaptation": "fisher"}
    model, real = seed_example(), chains.advance

    def advance(density: Any, options: Any, state: Any, *others: Any, **given: Any) -> Any:
        while state.chain == 1 and state.iteration >= border and not given["pulse"].abandoned:
            time.sleep(0.01)
        return real(density, options, state, *others, **given)

    whole = exmc.sample(model, **options, predictive=False)
    again = exmc.sample(model, **options, predictive=False)
    assert again["posterior"].to_dataset().equals(whole["posterior"].to_dataset())
    monkeypatch.setattr(chains, "advance", advance)
    with pytest.warns(RuntimeWarning, match="chain 1 failed and is left out: .* more than 0.3 s"):
        tree = exmc.sample(model, **options, predictive=False, watchdog=0.3)
    assert tree["posterior"]["chain"].values.tolist() == [0, 2]
    same = tree["posterior"].to_dataset().equals(whole["posterior"].to_dataset().sel(chain=[0, 2]))
    # Had it been there when they pooled, the others would not know that it hung.
    assert same == (border == 85)


@pytest.mark.parametrize("method", ["pathfinder", "laplace", "advi", "smc"])
def test_a_stuck_fit_hangs_nobody(own: Own, method: str) -> None:
    """Every method beside NUTS is watched, too; a part that is given up fails the fit where there is no other."""
    release = threading.Event()
    few = {"pathfinder": {"paths": 1}, "advi": {"restarts": 1}}
    own.at, own.act = 5, lambda: release.wait(60)
    began = time.monotonic()
    try:
        with pytest.raises(ExmcError, match=r"more than 0\.5 s|held by a function that does not return"):
            draw_from(own, chains=1, watchdog=0.5, method=method, settings=few.get(method))
        assert time.monotonic() - began < 30
    finally:
        release.set()


@pytest.mark.parametrize("method", ["nuts", "laplace", "advi", "smc"])
def test_ctrl_c_ends_all_chains_soon(own: Own, method: str) -> None:
    """What runs is stopped, what waits is not begun; nothing goes on behind the caller's back."""
    # As a terminal's: the main thread waits, and is woken by it.
    own.at, own.act = 200, lambda: os.kill(os.getpid(), signal.SIGINT)
    most = {} if method == "nuts" else {"method": method}
    with pytest.raises(KeyboardInterrupt):
        draw_from(own, chains=6, draws=400, **most)
    made = next(own.calls)
    time.sleep(0.2)
    assert next(own.calls) == made + 1
    assert made < 2000


def test_what_can_be_done_meanwhile_is() -> None:
    """The chains need not have ended when the caller's thread has something else to do."""
    done = threading.Event()
    found = run_each(lambda chain, pulse: done.wait(30), {0: None, 1: None}, Limits(), done.set)
    assert found.finished == {0: True, 1: True}


def test_a_chain_that_failed_before_is_left_alone() -> None:
    before = ValueError("not today")
    found = run_each(lambda chain, pulse: chain, {0: None, 1: before, 2: None}, Limits())
    assert found.finished == {0: 0, 2: 2}
    assert found.failed == {1: before}


@pytest.mark.parametrize("absurd", [{"draws": 10**11}, {"draws": 10**30}, {"chains": 10**11}])
def test_absurd_sizes_are_one_error(absurd: dict[str, int]) -> None:
    with pytest.raises(SamplingError, match="do not fit in memory"):
        exmc.sample(seed_example(), seed=1, **absurd)


@pytest.mark.parametrize(
    "wrong", [{"min_chains": 0}, {"min_chains": 5}, {"min_chains": "two"}, {"watchdog": 0}, {"watchdog": "long"}]
)
def test_bounds_of_failure_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(SamplingError, match=next(iter(wrong))):
        exmc.sample(seed_example(), draws=5, chains=4, **wrong)
