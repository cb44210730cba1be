"""What may befall a run, as a table: each row a name and a function that does it to a harness's processes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.processes import Driver, HandCluster


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
        chosen = [p for k in kinds for p in (scene.processes(k) if all_workers else scene.one(k))]
        for process in chosen:
            process.kill()
        for process in chosen:
            process.wait()
        return len(chosen)

    return act


def _stall(kind: str) -> Act:
    def act(scene: Scene) -> int:
        chosen = scene.one(kind)
        for process in chosen:
            os.kill(process.pid, signal.SIGSTOP)
        time.sleep(scene.generator.uniform(0.5, 3.0))
        for process in chosen:
            os.kill(process.pid, signal.SIGCONT)
        return len(chosen)

    return act


def _fill_disk(scene: Scene) -> int:
    """Real ENOSPC: nothing more goes onto the small file system that the run lies on."""
    with contextlib.suppress(OSError), open(scene.ballast, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    time.sleep(scene.generator.uniform(0.5, 5.0))
    scene.ballast.unlink()
    return 1


def _faulty(kind: str, probability: float, seconds: float) -> Act:
    def act(scene: Scene) -> int:
        aside = scene.faults.with_suffix(".new")
        aside.write_text(f"{scene.driver.out.parent}\n{kind} {probability} {seconds}\n")
        aside.rename(scene.faults)
        time.sleep(scene.generator.uniform(0.5, 5.0))
        scene.faults.unlink()
        return 1

    return act


KILLS: dict[str, Act] = {
    "a worker": _kill("worker"),
    "all workers": _kill("worker", all_workers=True),
    "the driver": _kill("driver"),
    "the scheduler": _kill("scheduler"),
    "driver, worker": _kill("driver", "worker"),
    "scheduler, worker": _kill("scheduler", "worker"),
    "driver, scheduler": _kill("driver", "scheduler"),
    "everything": _kill("driver", "scheduler", "worker", all_workers=True),
}
STALLS: dict[str, Act] = {f"{kind} stalls": _stall(kind) for kind in ("worker", "driver", "scheduler")}
STORAGE: dict[str, Act] = {
    "files fail (EIO)": _faulty("EIO", 0.2, 0.0),
    "files time out": _faulty("ETIMEDOUT", 0.3, 0.1),
    "files are slow": _faulty("EIO", 0.0, 0.2),
}
FULL_DISK: dict[str, Act] = {"full disk": _fill_disk}
EVERYTHING: dict[str, Act] = {**KILLS, **STALLS, **STORAGE, **FULL_DISK}
