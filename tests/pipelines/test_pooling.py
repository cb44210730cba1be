"""Chains that learn the metric together: the same bytes whatever is killed, halted or failing on the way."""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import exmc
from exmc.chains import Limits
from exmc.inference import sample_model
from exmc.sampling.options import SamplerOptions
from exmc.sampling.pooling import pooled_at
from exmc.trace.journal import Journal
from pipelines import graph, pooling, segments
from pipelines.checking import check_config, sampler_options
from pipelines.checkpoint import read_checkpoint
from pipelines.cli import main
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.places import LocatedError
from pipelines.plan import Plan, fingerprint
from pipelines.pooling import PoolTask, pool_chains, pooled_for, pools_done
from pipelines.run import RunResult, extend, resume, start
from tests.pipelines.running import PATIENCE, assert_same_store, begin, begin_failing, write_config

# 250 iterations of warm-up are less than a chunk: chains wait with draws that are not written yet.
POOLED = (
    "sampler: {draws: 300, warmup: 250, chains: 4, seed: 5, adaptation: fisher, metric: auto, pool_metric: true}\n"
    "run: {segment_seconds: 1e-9, min_chains: 2, predictive: {prior_draws: 0, posterior: false}}\n"
)


def run(folder: Path, out: str, *overrides: str, on_event: Any = None) -> RunResult:
    config = with_out(load_config(write_config(folder, POOLED), overrides), folder / out)
    return start(check_config(config), on_event or (lambda event: None))


def plan_of(directory: Path) -> Plan:
    return read_checkpoint(directory).plan


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, "run")
    return folder / "run"


def test_chains_go_on_with_one_metric_and_are_chains_of_their_own(whole: Path) -> None:
    plan, journal = plan_of(whole), Journal.open(whole)
    assert pools_done(plan) == pooled_at(plan.options)
    assert len(pools_done(plan)) == 4
    pooled = pooled_for(plan, pools_done(plan)[-1])
    assert pooled is not None
    assert pooled.chains == (0, 1, 2, 3)
    last = [journal.committed(chain)[-1].state for chain in range(4)]
    for state in last:
        assert np.array_equal(state["inverse_mass_matrix"], pooled.inverse_mass_matrix)
    assert len({float(state["step_size"]) for state in last}) == 4
    assert len({state["position"].tobytes() for state in last}) == 4


@pytest.mark.parametrize(("metric", "adaptation"), [("auto", "fisher"), ("diagonal", "stan"), ("dense", "fisher")])
def test_a_run_has_the_draws_of_chains_in_one_process(tmp_path: Path, metric: str, adaptation: str) -> None:
    overrides = (f"sampler.metric={metric}", f"sampler.adaptation={adaptation}", "sampler.warmup=650")
    tree = run(tmp_path, "run", *overrides).tree()
    checked = check_config(load_config(write_config(tmp_path, POOLED), overrides))
    direct = sample_model(checked.rewriting.source, checked.options, predictive=False)
    for group in ("posterior", "sample_stats", "unconstrained_posterior"):
        for name, array in tree[group].data_vars.items():
            assert np.array_equal(array.values, direct[group][name].values), (group, name)


@pytest.mark.parametrize("overrides", [("cluster={kind: local, workers: 3}",), ("run.segment_seconds=5",)])
def test_neither_workers_nor_segments_change_a_byte(tmp_path: Path, whole: Path, overrides: tuple[str, ...]) -> None:
    run(tmp_path, "run", *overrides)
    assert_same_store(whole, tmp_path / "run")


def test_a_longer_run_begins_with_the_draws_of_a_shorter(tmp_path: Path, whole: Path) -> None:
    run(tmp_path, "run", "sampler.draws=100")
    extend(tmp_path / "run", 300)
    assert_same_store(whole, tmp_path / "run")


@pytest.mark.parametrize("after", [1, 4])
def test_a_run_stopped_at_its_segments_is_resumed_to_the_same_bytes(tmp_path: Path, whole: Path, after: int) -> None:
    count = itertools.count(1)

    def stop(event: Event) -> None:
        if event.kind == "segment" and next(count) == after:
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        run(tmp_path, "run", on_event=stop)
    resume(tmp_path / "run", lambda event: None)
    assert_same_store(whole, tmp_path / "run")


@pytest.mark.parametrize("moment", ["submit_pool", "go_on_together"])
@pytest.mark.parametrize("which", [1, 3])
def test_a_run_stopped_at_a_pool_is_resumed_to_the_same_bytes(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, moment: str, which: int
) -> None:
    """Once chains have come to it, and once it is committed and nobody has gone on."""
    kind: Any = graph._Following
    real, count = getattr(kind, moment), itertools.count(1)

    def stop(run: Any, *others: Any) -> Any:
        if (moment == "go_on_together" or run.schedule.pool_due is not None) and next(count) == which:
            raise StoppedError("enough")
        return real(run, *others)

    with monkeypatch.context() as patch:
        patch.setattr(kind, moment, stop)
        with pytest.raises(StoppedError):
            run(tmp_path, "run")
    done = which if moment == "go_on_together" else which - 1
    assert len(pools_done(plan_of(tmp_path / "run"))) == done
    resume(tmp_path / "run", lambda event: None)
    assert_same_store(whole, tmp_path / "run")


def test_a_pool_that_is_lost_or_damaged_is_made_again(whole: Path) -> None:
    plan = plan_of(whole)
    for path in [whole / "state" / "pools" / f"round-{at:05d}" / "pooled.json" for at in pools_done(plan)]:
        content = path.read_bytes()
        for damaged in (None, content[:-1] + b"x"):
            path.unlink() if damaged is None else path.write_bytes(damaged)
            iteration = int(path.parent.name.removeprefix("round-"))
            assert iteration not in pools_done(plan)
            assert pool_chains(plan, PoolTask(iteration)).chains == (0, 1, 2, 3)
            assert path.read_bytes() == content


def test_the_first_pool_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orphan of a driver that was killed pools three chains, while the next driver pools four."""
    run(tmp_path, "run")
    plan = plan_of(tmp_path / "run")
    task = PoolTask(pools_done(plan)[0])
    (file,) = (tmp_path / "run" / "state" / "pools" / f"round-{task.iteration:05d}").iterdir()
    file.unlink()
    real = pooling._record_at
    with monkeypatch.context() as patch:
        patch.setattr(pooling, "_record_at", lambda journal, chain, at: real(journal, chain, at) if chain else None)
        assert pool_chains(plan, task).chains == (1, 2, 3)
    content, reads = file.read_bytes(), itertools.count()
    here = pooling._read
    with monkeypatch.context() as patch:
        patch.setattr(pooling, "_read", lambda plan, at: here(plan, at) if next(reads) else None)
        assert pool_chains(plan, task).chains == (1, 2, 3)
    assert file.read_bytes() == content


def test_a_chain_that_fails_is_no_part_of_the_pool_and_is_tried_again_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(segments, "begin", begin_failing({2}))
        run(tmp_path, "run")
    plan, journal = plan_of(tmp_path / "run"), Journal.open(tmp_path / "run")
    for iteration in pools_done(plan):
        pooled = pooled_for(plan, iteration)
        assert pooled is not None
        assert pooled.chains == (0, 1, 3)
    before = [journal.committed(chain)[-1].digest for chain in (0, 1, 3)]
    resume(tmp_path / "run", lambda event: None)
    assert [journal.committed(chain)[-1].digest for chain in (0, 1, 3)] == before
    last = journal.committed(2)[-1].state
    assert np.array_equal(last["inverse_mass_matrix"], pooled.inverse_mass_matrix)


def hang_in(chain: int, from_iteration: int) -> Any:
    """What `segments.advance` is replaced by, so that `chain` hangs once it has got so far."""
    real = segments.advance

    def advance(density: Any, options: Any, state: Any, *others: Any, **given: Any) -> Any:
        while state.chain == chain and state.iteration >= from_iteration and not given["pulse"].abandoned:
            time.sleep(0.01)
        return real(density, options, state, *others, **given)

    return advance


@pytest.mark.parametrize("pools_before", [0, 1])
def test_a_chain_that_hangs_holds_nobody_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pools_before: int
) -> None:
    options = sampler_options(load_config(write_config(tmp_path, POOLED)))
    border = (0, *pooled_at(options))[pools_before]
    with monkeypatch.context() as patch:
        patch.setattr(segments, "advance", hang_in(1, border))
        result = run(tmp_path, "run", "sampler.watchdog=0.3")
    plan = plan_of(tmp_path / "run")
    members = [found.chains for at in pools_done(plan) if (found := pooled_for(plan, at)) is not None]
    assert members == [(0, 1, 2, 3)] * pools_before + [(0, 2, 3)] * (4 - pools_before)
    assert result.tree()["posterior"]["chain"].values.tolist() == [0, 2, 3]


def test_too_few_chains_end_a_run_whose_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "begin", begin_failing({1, 2, 3}))
    with pytest.raises(exmc.errors.ExmcError, match="3 of 4 chains failed, and 2 must finish"):
        run(tmp_path, "run")


def test_one_chain_pools_with_nobody(tmp_path: Path) -> None:
    together, alone = (
        run(tmp_path, f"{flag}", "sampler.chains=1", "run.min_chains=1", f"sampler.pool_metric={flag}").tree()
        for flag in ("true", "false")
    )
    assert together["posterior"].to_dataset().equals(alone["posterior"].to_dataset())


def test_how_many_chains_there_are_decides_the_run_only_if_they_learn_together() -> None:
    found = {
        (chains, flag): fingerprint("model", SamplerOptions(seed=1, chains=chains, pool_metric=flag), "native", {})
        for chains, flag in itertools.product((3, 4), (True, False))
    }
    assert found[3, False] == found[4, False]
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("value", ["maybe", "1", "[metric]"])
def test_what_is_neither_true_nor_false_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(LocatedError, match=r"sampler\.pool_metric"):
        load_config(write_config(tmp_path, POOLED), [f"sampler.pool_metric={value}"])


# Python computes each density, which makes chains slow enough to be killed where they wait.
SLOWLY = (
    "sampler: {draws: 40, warmup: 80, chains: 2, seed: 5, engine: autograd, max_treedepth: 2, adaptation: fisher, "
    "metric: auto, pool_metric: true}\n"
    "run: {segment_seconds: 1e-9, predictive: {prior_draws: 0, posterior: false}}\n"
)


@pytest.mark.parametrize(
    "awaited", ["chain-*/segment-*.json", pytest.param("pools/round-*/pooled.json", marks=pytest.mark.slow)]
)
def test_a_driver_killed_at_a_pool_loses_nothing(tmp_path: Path, awaited: str) -> None:
    """Killed when the first chain has come to the pool, and when that is made."""
    config, state = str(write_config(tmp_path, SLOWLY)), tmp_path / "killed" / "state"
    with begin(["run", config, "--out", str(tmp_path / "killed")]) as process:
        deadline = time.monotonic() + PATIENCE
        while not list(state.glob(awaited)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert main(["resume", str(tmp_path / "killed")]) in (0, 3)
    assert main(["run", config, "--out", str(tmp_path / "whole")]) in (0, 3)
    assert_same_store(tmp_path / "whole", tmp_path / "killed")


def test_limits_of_chains_in_one_process_hold_at_pools(tmp_path: Path) -> None:
    """The names are those of `exmc.sample`, which the command line has too."""
    checked = check_config(load_config(write_config(tmp_path, POOLED)))
    options = checked.options
    tree = sample_model(checked.rewriting.source, options, predictive=False, limits=Limits(watchdog=60.0, min_chains=4))
    assert tree["posterior"].sizes["chain"] == 4
