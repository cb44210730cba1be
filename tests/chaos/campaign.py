"""Runs that are disturbed again and again, and compared byte for byte with the undisturbed one: `scripts/chaos`."""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import faults
from tests.chaos.disturbances import EVERYTHING, FULL_DISK, KILLS, Act, Scene
from tests.chaos.processes import Driver, HandCluster
from tests.pipelines.running import contents

# A segment is one chunk of 500 draws, about 0.6 s.
CONFIG = """\
name: chaos
model: {variables: {x: {dist: Custom, function: "slow_density:log_density"}}}
sampler: {draws: DRAWS, warmup: 500, chains: 3, seed: 1, engine: autograd, max_treedepth: 1}
run: {segment_seconds: 1e-9, predictive: {prior_draws: 0, posterior: false}}
"""
_DISK_BYTES = 24 << 20
_LONGEST_RUN = 600.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that came to its end: how often it was disturbed, whether its store is the right one, how long it took."""

    disturbed: int
    identical: bool
    seconds: float
    commands: int


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Put a small file system at `folder`; False where this user may mount none."""
    folder.mkdir()
    size = f"size={_DISK_BYTES}"
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, check=False)
        mounted = done.returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            # Lazily: a worker that was just killed may still hold a file.
            subprocess.run(["umount", "--lazy", folder], check=True)


@dataclass(slots=True)
class Campaign:
    """A folder to work in, a cluster of two workers, the undisturbed store, and how long that took."""

    folder: Path
    cluster: HandCluster
    generator: random.Random
    mounted: bool
    runs: int = 0
    undisturbed: float = 0.0

    @property
    def disk(self) -> Path:
        """Where the disturbed runs lie: on the small file system, if there is one."""
        return self.folder / "disk"

    @property
    def reference(self) -> Path:
        """The undisturbed run."""
        return self.folder / "whole"

    def undisturb(self, rehearsals: int) -> None:
        """Make the run that the others are compared with; without a rehearsal it finds nothing in the caches."""
        for number in range(rehearsals):
            self._run(self.reference, {}, 0)
            self.reference.rename(self.folder / f"rehearsal-{number}")
        self.undisturbed = self._run(self.reference, {}, 0).seconds

    def disturb(self, acts: Mapping[str, Act], times: int, pauses: tuple[float, float]) -> Ended:
        """One run, disturbed by `acts` in random order, up to `times`, after pauses of random lengths in seconds."""
        out = self.disk / f"run-{self.runs}"
        try:
            return self._run(out, acts, times, pauses)
        finally:
            # The disk is small.
            shutil.rmtree(out, ignore_errors=True)

    def disturb_often(self, acts: Mapping[str, Act], times: int, pauses: tuple[float, float]) -> list[Ended]:
        """As many runs as it takes to disturb them `times`: how long one lasts depends on what else goes on."""
        ended: list[Ended] = []
        while (left := times - sum(e.disturbed for e in ended)) > 0:
            ended.append(self.disturb(acts, left, pauses))
        return ended

    def _run(self, out: Path, acts: Mapping[str, Act], times: int, pauses: tuple[float, float] = (1.0, 1.0)) -> Ended:
        self.runs += 1
        driver = Driver(self.folder / "chaos.yaml", out, ("--scheduler", self.cluster.address))
        scene = Scene(self.cluster, driver, self.disk / "ballast", self.folder / "faults", self.generator)
        done, began = 0, time.monotonic()
        due = began + self.generator.uniform(*pauses)
        driver.begin()
        try:
            while not driver.finished():
                now = time.monotonic()
                assert now - began < _LONGEST_RUN, driver.said()
                if done < times and now >= due:
                    done += acts[self.generator.choice(sorted(acts))](scene)
                    due = time.monotonic() + self.generator.uniform(*pauses)
                self.cluster.mend()
                time.sleep(0.02)
        finally:
            driver.close()
        seconds = time.monotonic() - began
        same = out == self.reference or contents(out) == contents(self.reference)
        return Ended(done, same, seconds, driver.attempts)


@contextlib.contextmanager
def campaign(folder: Path, seed: int, draws: int, rehearsals: int = 0) -> Iterator[Campaign]:
    """A campaign in `folder`, its undisturbed run made."""
    (folder / "chaos.yaml").write_text(CONFIG.replace("DRAWS", str(draws)))
    order = {faults.VARIABLE: str(folder / "faults")}
    workers = HandCluster(folder / "cluster", 2, worker_options=("--preload", "tests.chaos.faults"), extra=order)
    with small_disk(folder / "disk") as mounted, workers as cluster:
        found = Campaign(folder, cluster, random.Random(seed), mounted)
        found.undisturb(rehearsals)
        yield found


def main() -> int:
    """Disturb runs by each row of the table, then by all at random; print what was survived at which cost."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills in all; stalls and faults come on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=4000, help="draws of each chain: how long a run lasts")
    options = parser.parse_args()
    # Whoever ends this ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    each = -(-options.kills // (len(KILLS) + 1))
    lost_any = False
    with (
        tempfile.TemporaryDirectory(prefix="exmc-chaos-") as folder,
        campaign(Path(folder), options.seed, options.draws, rehearsals=1) as found,
    ):
        rows = {name: ({name: act}, each if name in KILLS else max(each // 4, 2)) for name, act in EVERYTHING.items()}
        rows["any, at random"] = (EVERYTHING, each)
        if not found.mounted:
            print("no small file system could be mounted here: the disk is not filled")
            rows = {name: row for name, row in rows.items() if name not in FULL_DISK}
            rows["any, at random"] = ({n: a for n, a in EVERYTHING.items() if n not in FULL_DISK}, each)
        print(f"undisturbed: {found.undisturbed:.1f} s a run; seed {options.seed}", flush=True)
        print(f"{'disturbed by':<20}{'times':>7}{'runs':>6}{'identical':>11}{'commands':>10}{'s lost each':>13}")
        for name, (acts, times) in rows.items():
            ended = found.disturb_often(acts, times, (0.5, 4.0))
            disturbed, same = sum(e.disturbed for e in ended), sum(e.identical for e in ended)
            lost = sum(e.seconds - found.undisturbed for e in ended) / disturbed
            commands = sum(e.commands for e in ended)
            print(f"{name:<20}{disturbed:>7}{len(ended):>6}{same:>11}{commands:>10}{lost:>13.2f}", flush=True)
            lost_any |= same < len(ended)
    return 1 if lost_any else 0


if __name__ == "__main__":
    raise SystemExit(main())
