"""What may befall a run, as a table: each row a name and a function that does it to a harness's processes."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.processes import Driver, HandCluster

KINDS = ("driver", "scheduler", "worker")
IMPATIENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11 s", "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "12 s"}
"""When Dask gives up connections and workers, as environment variables; on a slow machine, importing takes 5 s."""
_GIVEN_UP = (12.0, 26.0)


@dataclass(slots=True)
class Scene:
    """A run under way: its cluster, its driver, and where its disk and its file functions can be disturbed."""

    cluster: HandCluster
    driver: Driver
    ballast: Path
    faults: Path
    generator: random.Random

    def processes(self, kind: str) -> list[subprocess.Popen[bytes]]:
        """The processes of a kind that are alive."""
        all_of = {
            "worker": self.cluster.workers,
            "scheduler": [self.cluster.scheduler],
            "driver": [self.driver.process],
        }
        return [process for process in all_of[kind] if process is not None and process.poll() is None]

    def one(self, kind: str) -> list[subprocess.Popen[bytes]]:
        """One of them, at random; none where none is alive."""
        alive = self.processes(kind)
        return [self.generator.choice(alive)] if alive else []


Act = Callable[[Scene], int]
"""Disturbs a run, and says how many kills, stalls or faults that was."""


def _kill(*kinds: str, all_workers: bool = False) -> Act:
    def act(scene: Scene) -> int:
        return _end([p for k in kinds for p in (scene.processes(k) if all_workers else scene.one(k))])

    return act


def _kill_any(scene: Scene) -> int:
    """One process of all, whichever it is."""
    alive = [process for kind in KINDS for process in scene.processes(kind)]
    return _end([scene.generator.choice(alive)] if alive else [])


def _end(chosen: list[subprocess.Popen[bytes]]) -> int:
    for process in chosen:
        process.kill()
    for process in chosen:
        process.wait()
    return len(chosen)


def _nothing(scene: Scene) -> int:
    del scene
    return 0


def _stall(kind: str, shortest: float, longest: float, meanwhile: Act = _nothing) -> Act:
    def act(scene: Scene) -> int:
        chosen = scene.one(kind)
        for process in chosen:
            process.send_signal(signal.SIGSTOP)
        try:
            _pass_time(scene, shortest, longest, meanwhile)
        finally:
            for process in chosen:
                process.send_signal(signal.SIGCONT)
        return len(chosen)

    return act


def _fill_disk(meanwhile: Act = _nothing) -> Act:
    """Real ENOSPC: nothing more goes onto the small file system that the run lies on."""

    def act(scene: Scene) -> int:
        with contextlib.suppress(OSError), open(scene.ballast, "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        _pass_time(scene, 0.5, 5.0, meanwhile)
        scene.ballast.unlink()
        return 1

    return act


def _faulty(kind: str, probability: float, seconds: float, meanwhile: Act = _nothing) -> Act:
    def act(scene: Scene) -> int:
        aside = scene.faults.with_suffix(".new")
        aside.write_text(f"{scene.driver.out.parent}\n{kind} {probability} {seconds}\n")
        aside.rename(scene.faults)
        _pass_time(scene, 0.5, 5.0, meanwhile)
        scene.faults.unlink()
        return 1

    return act


def _pass_time(scene: Scene, shortest: float, longest: float, meanwhile: Act) -> None:
    """Let a while pass, in the middle of which `meanwhile` befalls the run, too."""
    half = scene.generator.uniform(shortest, longest) / 2
    time.sleep(half)
    meanwhile(scene)
    time.sleep(half)


KILLS: dict[str, Act] = {
    "a worker": _kill("worker"),
    "all workers": _kill("worker", all_workers=True),
    "the driver": _kill("driver"),
    "the scheduler": _kill("scheduler"),
    "any process": _kill_any,
    "driver, worker": _kill("driver", "worker"),
    "scheduler, worker": _kill("scheduler", "worker"),
    "driver, scheduler": _kill("driver", "scheduler"),
    "everything": _kill(*KINDS, all_workers=True),
}
STALLS: dict[str, Act] = {f"{kind} stalls": _stall(kind, 0.5, 3.0) for kind in KINDS}
# Whoever waited for it has given it up when it comes back.
LONG_STALLS: dict[str, Act] = {f"{kind} long away": _stall(kind, *_GIVEN_UP) for kind in KINDS}
STORAGE: dict[str, Act] = {
    "files fail (EIO)": _faulty("EIO", 0.2, 0.0),
    "files fail (ENOSPC)": _faulty("ENOSPC", 1.0, 0.0),
    "files time out": _faulty("ETIMEDOUT", 0.3, 0.1),
    "files are slow": _faulty("EIO", 0.0, 0.2),
}
COMBINED: dict[str, Act] = {
    "slow files, kill": _faulty("EIO", 0.0, 0.2, _kill_any),
    "failing files, kill": _faulty("EIO", 0.2, 0.0, _kill_any),
    "stalled worker, kill": _stall("worker", 0.5, 3.0, _kill_any),
    "stalled driver, kill": _stall("driver", 0.5, 3.0, _kill_any),
}
FULL_DISK: dict[str, Act] = {"full disk": _fill_disk(), "full disk, kill": _fill_disk(_kill_any)}
EVERYTHING: dict[str, Act] = {**KILLS, **STALLS, **LONG_STALLS, **STORAGE, **COMBINED, **FULL_DISK}
