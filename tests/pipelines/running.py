"""A small model to run, and what the bytes of a finished run are."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from exmc.errors import SamplingError
from exmc.trace import files
from exmc.trace.files import Location
from pipelines import segments
from pipelines.checking import check_config
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.handle import RunHandle
from pipelines.handle import start as start_in_thread
from pipelines.run import run_config, start

MODEL = """\
name: small
model:
  coords: {group: [a, b, c]}
  data: {seen: {values: [0.3, -0.2, 1.1], dims: [group]}}
  variables:
    mu: {dist: Normal, mu: 0, sigma: 1}
    theta: {dist: Normal, mu: mu, sigma: 0.5, dims: [group], centering: centered}
    y: {dist: Normal, mu: theta, sigma: 0.5, observed: seen}
"""
QUICK = "sampler: {draws: 1200, warmup: 700, chains: 3, seed: 5}\nrun: {segment_seconds: 1e-9}\n"
# Python computes each density, which makes a run last long enough to be disturbed: a few seconds.
SLOW = (
    "sampler: {draws: 600, warmup: 100, chains: 2, seed: 5, engine: autograd, max_treedepth: 2}\n"
    "run: {segment_seconds: 1e-9, predictive: {prior_draws: 0, posterior: false}}\n"
)
LONG = SLOW.replace("draws: 600", "draws: 30000").replace("chains: 2", "chains: 2, watchdog: 300")
PATIENCE = 600.0
"""After so many seconds what is waited for is taken to hang; a machine with other work is slow by a factor of 20."""
EXMC = [sys.executable, "-c", "import sys; from pipelines.cli import main; sys.exit(main())"]


def write_config(folder: Path, rest: str = QUICK, extra: str = "") -> Path:
    path = folder / "small.yaml"
    path.write_text(MODEL + rest + extra)
    return path


def finished_run(folder: Path) -> Path:
    """A run of few draws that has finished, whatever its checks found."""
    rest = (
        "sampler: {draws: 200, warmup: 150, chains: 2, seed: 5}\n"
        "run: {predictive: {prior_draws: 0, posterior: false}}\ncluster: {kind: local, workers: 1}\n"
    )
    run_config(write_config(folder, rest), out=folder / "run")
    return folder / "run"


def stopped_run(folder: Path, rest: str = QUICK, *, after: int = 3) -> Path:
    """A run that was stopped once `after` segments were committed."""
    seen: list[Event] = []

    def stop(event: Event) -> None:
        seen.extend([event] if event.kind == "segment" else [])
        if len(seen) == after:
            raise StoppedError("enough")

    config = with_out(load_config(write_config(folder, rest)), folder / "run")
    with pytest.raises(StoppedError):
        start(check_config(config), stop)
    return folder / "run"


def contents(directory: Location) -> dict[str, bytes]:
    """Every file of the finished store, but for the time at which the run began."""
    root = directory / "run.zarr"
    found = {files.relative(p, root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {name: re.sub(rb'"created_at": ?"[^"]*"', b"", found[name]) for name in sorted(found)}


def assert_same_store(one: Location, other: Location) -> None:
    left, right = contents(one), contents(other)
    assert set(left) == set(right)
    assert [name for name in left if left[name] != right[name]] == []


@contextlib.contextmanager
def begin(arguments: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """`exmc` in a process of its own, which does not outlive the context, whatever a test found amiss."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*EXMC, *arguments], text=True, **pipes, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def await_records(directory: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until `count` segments are committed."""
    deadline = time.monotonic() + PATIENCE
    while len(list(directory.glob("state/chain-*/segment-*.json"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begin_failing(chains: set[int]) -> Any:
    """What `segments.begin` is replaced by, so that these `chains` fail."""
    real = segments.begin

    def begin(density: Any, options: Any, chain: int, *others: Any) -> Any:
        if chain in chains:
            raise SamplingError(f"chain {chain} found no starting point.")
        return real(density, options, chain, *others)

    return begin


@contextlib.contextmanager
def reachable_cluster() -> Iterator[LocalCluster]:
    """A scheduler that others can attach to, and a worker."""
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", host="127.0.0.1",
        dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
    ) as cluster:  # fmt: skip
        yield cluster


def begun_on(cluster: LocalCluster, folder: Path, rest: str = SLOW) -> RunHandle:
    """A run on `cluster` that has committed a segment."""
    drawn = threading.Event()

    def note(event: Event) -> None:
        if event.kind == "segment":
            drawn.set()

    text = rest + f"cluster: {{address: '{cluster.scheduler_address}'}}\n"
    run = start_in_thread(write_config(folder, text), out=folder / "run", on_event=note)
    assert drawn.wait(PATIENCE)
    return run


def await_that(reached: Callable[[], object]) -> None:
    """Wait until something is `reached`."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
