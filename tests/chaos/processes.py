"""A Dask cluster started by hand, and drivers of runs on it: processes to be killed, stopped and replaced."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exmc.trace import files
from exmc.trace.files import Location
from pipelines.checkpoint import read_checkpoint
from tests.pipelines.running import EXMC, PATIENCE

ROOT = Path(__file__).parents[2]
# Where the density of the runs is.
CODE = Path(__file__).parent
FINISHED = (0, 3)
_ADDRESS = re.compile(r"Scheduler at:\s+(\S+)")
# What `exmc resume` says of a directory that a driver was killed in before there was anything to resume.
_NOTHING_YET = "the creation of this run was interrupted", "there is no run"
# What `exmc run` says, with status 2, of a disk that is full when it comes to make the directory.
_NO_ROOM = "cannot be written: No space left on device", "bytes are free in"


def environment(**extra: str) -> dict[str, str]:
    """What every process of a harness is started with."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), *([known] if known else [])])
    return dict(os.environ) | threads | {"PYTHONPATH": path} | extra


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill `process`, stopped or not, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()


@dataclass(slots=True)
class HandCluster:
    """One `dask scheduler` and some `dask worker`, each a process of its own, as a user starts them by hand.

    `scheduler_options`, `worker_options` are added to the commands, `extra` to the environment of both; `prefix` stands
    before the scheduler's command, `worker_prefixes` in turn before those of the workers. Use it as a context: on
    leaving, whatever still lives is killed.
    """

    folder: Path
    size: int
    scheduler_options: Sequence[str] = ("--host", "127.0.0.1")
    worker_options: Sequence[str] = ()
    extra: dict[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    worker_prefixes: Sequence[Sequence[str]] = ((),)
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def __enter__(self) -> HandCluster:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mend()
        return self

    def __exit__(self, *reason: object) -> None:
        for process in (*self.workers, *([self.scheduler] if self.scheduler else [])):
            end(process)

    def mend(self) -> None:
        """Start again what has died: the scheduler at its former address, workers up to the number there were."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            port = self.address.rpartition(":")[2] or "0"
            log = self.folder / f"scheduler-{self.started}.log"
            self.scheduler = self._dask(log, self.prefix, "scheduler", "--port", port, *self.scheduler_options)
            self.address = self._await_address(log)
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < self.size:
            self.workers.append(self.new_worker())

    def new_worker(self) -> subprocess.Popen[bytes]:
        """One more worker, which is nobody's to replace."""
        log, scratch = self.folder / f"worker-{self.started}.log", str(self.folder / "scratch")
        options = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--local-directory", scratch)
        prefix = self.worker_prefixes[len(self.workers) % len(self.worker_prefixes)]
        return self._dask(log, prefix, "worker", self.address, *options, *self.worker_options)

    def _dask(self, log: Path, prefix: Sequence[str], kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        self.started += 1
        command = [*prefix, sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
        with open(log, "ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=out, env=environment(**self.extra), cwd=self.folder)

    def _await_address(self, log: Path) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := _ADDRESS.search(log.read_text()):
                return found[1]
            time.sleep(0.02)
        raise AssertionError(log.read_text())


@dataclass(slots=True)
class Driver:
    """The commands that bring one run to its end: `exmc run`, then `exmc resume` as often as it takes.

    With `draws`, the run at `out` is extended to these; `exmc resume` goes on with that once its checkpoint says so.
    What they print goes beside the config: the run itself may lie on a disk that is full.
    """

    config: Path
    out: Location
    arguments: Sequence[str] = ()
    prefix: Sequence[str] = ()
    draws: int | None = None
    process: subprocess.Popen[bytes] | None = None
    attempts: int = 0

    def begin(self) -> None:
        """Start the first command, or the one that goes on after the last."""
        said = self.said()
        if self.out.exists() and any(words in said for words in _NOTHING_YET):
            files.remove(self.out)
        if not self.out.exists():
            arguments = ["run", str(self.config), "--code", str(CODE), "--out", str(self.out)]
        elif self.draws is not None and read_checkpoint(self.out).plan.options.draws < self.draws:
            arguments = ["extend", str(self.out), "--draws", str(self.draws)]
        else:
            arguments = ["resume", str(self.out)]
        self.attempts += 1
        with open(self._log(), "wb") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *EXMC, *arguments, *self.arguments, "--quiet"], stdout=log, stderr=log, env=environment()
            )

    def finished(self) -> bool:
        """Whether the run has come to its end; a command that ended before it is followed by the next."""
        assert self.process is not None
        status = self.process.poll()
        if status in FINISHED:
            return True
        if status is not None:
            said = self.said()
            assert "internal error" not in said, said
            assert status in (1, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGINT) or self._no_room(), said
            self.begin()
        return False

    def _no_room(self) -> bool:
        return any(words in self.said() for words in _NO_ROOM)

    def committed(self) -> int:
        """How many segments of the run are committed."""
        return sum(1 for _ in self.out.glob("state/chain-*/segment-*.json"))

    def said(self) -> str:
        """What the last command printed."""
        return self._log().read_text() if self._log().exists() else ""

    def _log(self) -> Path:
        return self.config.with_name(f"{self.out.name}-{self.attempts}.log")

    def close(self) -> None:
        """Kill what still runs."""
        if self.process is not None:
            end(self.process)
