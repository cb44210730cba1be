"""A worker process that holds a stuck chain is replaced, and the other chains are drawn by its successor."""

from __future__ import annotations

from pathlib import Path

from exmc.trace.journal import Journal
from pipelines.checking import check_config
from pipelines.config import load_config, with_out
from pipelines.creation import create_run
from pipelines.events import Event
from pipelines.run import resume, start
from pipelines.segments import SegmentTask, run_segment
from pipelines.stages import compile_rewritten, load_recorded, rewrite_model
from tests.pipelines.running import assert_same_store, write_config

# Whichever chain comes to its 40th gradient first, of this process or another, is stuck if it finds the file.
STICKY = """\
import os
import pathlib

from autograd.extend import defvjp, primitive

count = [0]


@primitive
def held(value):
    count[0] += 1
    if count[0] == 40:
        try:
            os.unlink(pathlib.Path(__file__).with_name("stick"))
        except FileNotFoundError:
            return value
        with open(pathlib.Path(__file__).with_name("pid"), "w") as file:
            file.write(str(os.getpid()))
        while True:
            pass
    return value


defvjp(held, lambda result, value: lambda g: g)


def log_density(value):
    return -0.5 * held(value) ** 2
"""
CONFIG = """\
model: {variables: {x: {dist: Custom, function: "sticky:log_density"}}}
sampler: {draws: 200, warmup: 100, chains: 3, seed: 1, engine: autograd, max_treedepth: 1, watchdog: 2}
cluster: {workers: 1, processes: true}
run: {predictive: {prior_draws: 0, posterior: false}, segment_seconds: 100}
"""


def test_a_worker_with_a_stuck_chain_is_replaced(tmp_path: Path) -> None:
    """There is one worker, whose other chains would wait for a lock until they failed, too."""
    (tmp_path / "sticky.py").write_text(STICKY)
    (tmp_path / "sticky.yaml").write_text(CONFIG)
    config = load_config(tmp_path / "sticky.yaml", code=tmp_path)
    start(check_config(with_out(config, tmp_path / "whole")), lambda event: None)
    events: list[Event] = []
    (tmp_path / "stick").touch()
    result = start(check_config(with_out(config, tmp_path / "out")), events.append)
    assert len(result.failed) == 1, result.failed
    assert "a single gradient has taken more than 2 s" in next(iter(result.failed.values()))
    (failed,) = [event for event in events if event.kind == "chain_failed"]
    assert failed.chain in result.failed
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
    assert resume(tmp_path / "out", lambda event: None).failed == {}
    assert_same_store(tmp_path / "whole", tmp_path / "out")


def test_a_chain_that_has_failed_is_not_drawn_again(tmp_path: Path) -> None:
    """Dask does again what a lost worker did; a failure counts as done."""
    plan = create_run(check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "run")))
    compiled = compile_rewritten(rewrite_model(load_recorded(plan)), plan)
    Journal.open(plan.path).fail(1, "Traceback\n  in it\nValueError: not today\nIt is stuck here:\n  there")
    outcome = run_segment(plan, compiled, SegmentTask(1, 0))
    assert (outcome.failure, outcome.stuck, outcome.receipt) == ("ValueError: not today", False, None)
    assert run_segment(plan, compiled, SegmentTask(0, 0)).receipt is not None
    assert Journal.open(plan.path).committed(1) == ()
