"""Chains fail alone, the infrastructure's faults are retried, and lost clusters cost nothing that was drawn."""

from __future__ import annotations

import contextlib
import pickle
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from distributed import Client, KilledWorker
from distributed import LocalCluster as LocalDask
from distributed.comm.core import CommClosedError

from exmc.errors import ClusterError, ExmcError
from exmc.trace.store import RunStore
from pipelines import graph, patience, segments
from pipelines.checking import check_config
from pipelines.cli import main
from pipelines.cluster import connect
from pipelines.config import load_config, with_out
from pipelines.creation import create_run
from pipelines.events import Event
from pipelines.graph import follow
from pipelines.run import RunResult, resume, run_config, start
from pipelines.sections import LocalCluster
from pipelines.tasks import Tasks
from tests.pipelines.running import SLOW, assert_same_store, begin_failing, write_config


def ignore(event: Event) -> None:
    del event


def run(folder: Path, out: str, *overrides: str, on_event: Any = ignore) -> RunResult:
    config = with_out(load_config(write_config(folder), overrides), folder / out)
    return start(check_config(config), on_event)


def test_a_chain_that_fails_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(tmp_path, "whole").tree()
    events: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(segments, "begin", begin_failing({1}))
        result = run(tmp_path, "part", on_event=events.append)
    assert list(result.failed) == [1]
    assert "found no starting point" in result.failed[1]
    assert not result.diagnosed.passed
    assert [(e.chain, e.message) for e in events if e.kind == "chain_failed"] == [
        (1, "chain 1 found no starting point.")
    ]
    tree = result.tree()
    assert list(tree["posterior"]["chain"].values) == [0, 2]
    assert tree.attrs["failed_chains"][0]["chain"] == 1
    first, second, *_ = result.diagnosed.text.splitlines()
    assert re.fullmatch(r"CHAIN 1 FAILED and is left out: .*SamplingError: chain 1 found no starting point\.", first)
    assert f"exmc resume {tmp_path / 'part'}" in second
    assert main(["summary", str(tmp_path / "part")]) == 3
    assert capsys.readouterr().out.startswith(first)
    for group in ("posterior", "sample_stats", "log_likelihood", "posterior_predictive"):
        for name, values in tree[group].data_vars.items():
            assert np.array_equal(values, whole[group][name].sel(chain=[0, 2])), (group, name)
    # Resuming tries the failed chain again, and the result is what it would have been.
    again = resume(tmp_path / "part", ignore)
    assert again.failed == {}
    assert_same_store(tmp_path / "whole", tmp_path / "part")


OWN = """\
import itertools

from autograd.extend import defvjp, primitive

calls = itertools.count()


@primitive
def disturbed(value):
    # One call of the twelve hundred and more that the chains make, whichever chain makes it, and none again.
    if next(calls) == 900:
        HAPPEN
    return value


defvjp(disturbed, lambda result, value: lambda g: g)


def log_density(value):
    return -0.5 * disturbed(value) ** 2
"""
OWN_CONFIG = """\
model: {variables: {x: {dist: Custom, function: "disturbed:log_density"}}}
sampler: {draws: 300, warmup: 100, chains: 3, seed: 1, engine: autograd, max_treedepth: 1}
cluster: {workers: 1, threads_per_worker: 3}
run: {predictive: {prior_draws: 0, posterior: false}, segment_seconds: 100}
"""


@pytest.mark.parametrize(
    ("happen", "message", "trace"),
    [
        ("raise ValueError('not today')", "ValueError: not today", "raise ValueError"),
        ("raise FileNotFoundError(2, 'no table')", "FileNotFoundError: .*no table", "raise FileNotFoundError"),
        ("raise SystemExit(1)", "SystemExit: 1", "raise SystemExit"),
    ],
)
def test_a_chain_that_its_users_function_disturbs_fails_alone(
    happen: str, message: str, trace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of sampling: its traceback is in the store, the others finish, and nothing is tried again."""
    monkeypatch.setattr(patience, "FIRST_PAUSE", 1e6)
    (tmp_path / "disturbed.py").write_text(OWN.replace("HAPPEN", happen))
    (tmp_path / "own.yaml").write_text(OWN_CONFIG)
    config = load_config(tmp_path / "own.yaml", code=tmp_path)
    result = start(check_config(with_out(config, tmp_path / "out")), ignore)
    assert len(result.failed) == 1
    assert re.search(message, *result.failed.values())
    (failed,) = result.tree().attrs["failed_chains"]
    assert trace in failed["traceback"]
    assert result.tree()["posterior"].sizes["chain"] == 2
    assert result.diagnosed.text.startswith(f"CHAIN {failed['chain']} FAILED")


def test_a_stuck_chain_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, release = segments.advance, threading.Event()

    def advance(density: Any, options: Any, state: Any, *arguments: Any, **keywords: Any) -> Any:
        if state.chain == 1 and state.iteration >= options.warmup:
            release.wait(60)
        return real(density, options, state, *arguments, **keywords)

    monkeypatch.setattr(segments, "advance", advance)
    try:
        result = run(tmp_path, "out", "sampler.watchdog=0.5")
    finally:
        release.set()
    assert list(result.failed) == [1]
    assert "a single gradient has taken more than 0.5 s" in result.failed[1]
    assert "release.wait(60)" in result.tree().attrs["failed_chains"][0]["traceback"]
    monkeypatch.setattr(segments, "advance", real)
    run(tmp_path, "whole", "sampler.watchdog=null")
    resume(tmp_path / "out", ignore)
    assert_same_store(tmp_path / "whole", tmp_path / "out")


def test_too_few_chains_left_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "begin", begin_failing({0, 1}))
    with pytest.raises(ExmcError, match="2 of 3 chains failed, and 2 must finish") as raised:
        run(tmp_path, "out")
    assert "found no starting point" in str(raised.value)
    assert not RunStore.open(tmp_path / "out").complete
    assert set(RunStore.open(tmp_path / "out").failures()) == {0, 1}


def test_faults_of_the_storage_are_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    run(tmp_path, "whole")
    real, lock, faults = segments._commit, threading.Lock(), [3]

    def commit(*arguments: Any) -> Any:
        with lock:
            faults[0] -= 1
            if faults[0] >= 0:
                raise OSError(5, "Input/output error")
        return real(*arguments)

    monkeypatch.setattr(segments, "_commit", commit)
    run(tmp_path, "disturbed")
    assert faults[0] < 0
    assert_same_store(tmp_path / "whole", tmp_path / "disturbed")


def test_storage_that_stays_broken_ends_the_run_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(*arguments: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(patience, "FIRST_PAUSE", 0.01)
        patch.setattr(segments, "_commit", commit)
        with pytest.raises(ClusterError, match="No space left on device") as raised:
            run(tmp_path, "out", "run.retries=1")
    assert f"exmc resume {tmp_path / 'out'}" in str(raised.value)
    assert resume(tmp_path / "out", ignore).failed == {}


@pytest.mark.parametrize("error", [MemoryError("no room"), ModuleNotFoundError("No module named 'exmc'")])
def test_what_a_worker_lacks_is_no_defect(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*arguments: Any) -> Any:
        raise error

    monkeypatch.setattr(graph.stages, "compile_rewritten", lacking)
    with pytest.raises(ClusterError, match=f"{type(error).__name__}: {error}.*exmc resume"):
        run(tmp_path, "out", "run.retries=0")


@pytest.mark.parametrize("fruitful", [True, False])
def test_workers_that_die_too_often_are_no_end(fruitful: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask gives up a task whose workers died; the run begins again, as often as that got it a segment further."""
    run(tmp_path, "whole")
    real, lock, calls = segments.check_versions, threading.Lock(), [0]

    def check_versions(plan: Any) -> None:
        with lock:
            calls[0] += 1
            if calls[0] > 3 and (calls[0] % 3 == 0 or not fruitful):
                raise KilledWorker("segment", SimpleNamespace(address="tcp://127.0.0.1:1"), 3)
        real(plan)

    monkeypatch.setattr(segments, "check_versions", check_versions)
    events: list[Event] = []
    expected = contextlib.nullcontext() if fruitful else pytest.raises(ClusterError, match=r"given up.*exmc resume")
    with expected:
        run(tmp_path, "out", "run.retries=1", "cluster.workers=1", on_event=events.append)
    begun_again = sum(event.kind == "note" and "Going on from what is committed" in event.message for event in events)
    assert begun_again > 1 if fruitful else begun_again == 2
    told = [(e.chain, e.receipt.segment) for e in events if e.receipt is not None]
    assert len(told) == len(set(told))
    if fruitful:
        assert_same_store(tmp_path / "whole", tmp_path / "out")


def test_keys_are_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []
    real = Client.submit

    def submit(self: Any, function: Any, *arguments: Any, **options: Any) -> Any:
        keys.append(options["key"])
        assert options["pure"] is False
        assert "retries" not in options
        return real(self, function, *arguments, **options)

    monkeypatch.setattr(Client, "submit", submit)
    run(tmp_path, "out", "sampler.chains=1")  # segments of one chunk each
    token = keys[0].removeprefix("exmc-small-").removesuffix("-build")
    assert keys == [
        f"exmc-small-{token}-{stage}"
        for stage in (
            "build", "rewrite", "compile", "note", "warmup-c0-s0", "warmup-c0-s1", "sample-c0-s2",
            "sample-c0-s3", "sample-c0-s4", "diagnose",
        )
    ]  # fmt: skip


def test_runs_of_one_name_share_a_scheduler(tmp_path: Path) -> None:
    """Dask ignores a second task of the same key, so the keys of two runs must differ."""
    run(tmp_path, "one")
    other = with_out(load_config(tmp_path / "small.yaml", ["sampler.seed=6"]), tmp_path / "other")
    alone = start(check_config(other), ignore).tree()
    with LocalDask(
        n_workers=1, threads_per_worker=4, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        overrides = [f"cluster={{address: '{cluster.scheduler_address}'}}"]
        found: dict[str, Any] = {}

        def both(name: str, seed: int) -> None:
            config = load_config(tmp_path / "small.yaml", [*overrides, f"sampler.seed={seed}"])
            found[name] = start(check_config(with_out(config, tmp_path / name)), ignore).tree()

        threads = [threading.Thread(target=both, args=(f"shared-{seed}", seed)) for seed in (5, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert_same_store(tmp_path / "one", tmp_path / "shared-5")
    assert np.array_equal(found["shared-6"]["posterior"]["mu"], alone["posterior"]["mu"])


def dask(kind: str, *arguments: str, stderr: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A scheduler or a worker in a process of its own."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)


def scheduler_address(log: Path) -> str:
    """Where a scheduler says, in its log, that it listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := re.search(r"Scheduler at:\s+(\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.slow
def test_a_lost_scheduler_costs_nothing_that_was_drawn(tmp_path: Path) -> None:
    run_config(write_config(tmp_path, SLOW), out=tmp_path / "whole")
    with open(tmp_path / "log", "w") as log:
        scheduler = dask("scheduler", "--port", "0", "--host", "127.0.0.1", stderr=log)
    processes = [scheduler]
    try:
        address = scheduler_address(tmp_path / "log")
        processes.append(dask("worker", address, "--nthreads", "2", "--local-directory", str(tmp_path / "scratch")))
        config = with_out(load_config(tmp_path / "small.yaml", [f"cluster={{address: '{address}'}}"]), tmp_path / "out")

        def kill(event: Event) -> None:
            if event.kind == "segment":
                scheduler.kill()

        with pytest.raises(ClusterError, match="exmc resume"):
            start(check_config(config), kill)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert not RunStore.open(tmp_path / "out").complete
    resume(tmp_path / "out", ignore, LocalCluster(workers=2))
    assert_same_store(tmp_path / "whole", tmp_path / "out")


def test_a_result_that_dies_with_its_workers_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver heard that a segment is done, and finds nobody who holds what it returned."""
    run(tmp_path, "whole")
    real, lost = Tasks.result, threading.Event()
    with LocalDask(n_workers=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0") as cluster:

        def result(tasks: Tasks, future: Any) -> Any:
            if future.key.endswith("c1-s1") and not lost.is_set():
                cluster.scale(0)
                deadline = time.monotonic() + 30
                while future.status == "finished" and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert future.status == "lost"
                lost.set()
                threading.Timer(0.2, cluster.scale, (1,)).start()
            return real(tasks, future)

        monkeypatch.setattr(Tasks, "result", result)
        run(tmp_path, "out", f"cluster={{address: '{cluster.scheduler_address}'}}")
    assert lost.is_set()
    assert_same_store(tmp_path / "whole", tmp_path / "out")


def test_a_connection_lost_while_results_are_fetched_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(following: Any) -> None:
        raise CommClosedError("in <TCP (closed) ConnectionPool.gather>: Connection reset by peer")

    monkeypatch.setattr(graph._Following, "diagnose", fetch)
    with pytest.raises(ClusterError, match=r"connection to the scheduler was lost.*exmc resume"):
        run_config(write_config(tmp_path), out=tmp_path / "out")


def test_a_cluster_without_workers_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "WORKER_SECONDS", 0.3)
    told: list[Event] = []
    with LocalDask(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as empty:
        address = f"cluster={{address: '{empty.scheduler_address}'}}"
        with pytest.raises(ClusterError, match=r"no worker of the cluster came within 0\.3 s"):
            run_config(write_config(tmp_path), out=tmp_path / "out", overrides=[address], on_event=told.append)
    assert any(event.kind == "note" and "no worker yet" in event.message for event in told)


def held(dask_scheduler: Any) -> tuple[int, int, int]:
    """Tasks that a scheduler holds, bytes of what they are to do, and names under which it adds up their times."""
    tasks = [*dask_scheduler.tasks.values()]
    return len(tasks), sum(len(pickle.dumps(task.run_spec)) for task in tasks), len(dask_scheduler.task_prefixes)


def test_a_scheduler_holds_no_more_of_a_chain_as_that_goes_on(tmp_path: Path) -> None:
    """Nor does a client: of each chain a task, beside those that prepare all of them."""
    config = load_config(write_config(tmp_path), ["sampler.draws=4000"])
    plan = create_run(check_config(with_out(config, tmp_path / "run")))
    alone, found = 4, {}
    with connect(LocalCluster(workers=1), plan.options.chains) as client:

        def look(event: Event) -> None:
            if event.receipt is None or event.chain != 0 or event.receipt.segment not in (3, 7):
                return
            # What the client has let go of, the scheduler hears of in its own time.
            deadline = time.monotonic() + 60
            while (now := client.run_on_scheduler(held))[0] > plan.options.chains + alone:
                assert time.monotonic() < deadline, now
                time.sleep(0.01)
            found[event.receipt.segment] = (*now, len(client.futures))

        follow(client, plan, look, time.perf_counter())
    assert sorted(found) == [3, 7]
    assert found[3] == found[7]
    assert found[3][0] == found[3][-1] == plan.options.chains + alone
