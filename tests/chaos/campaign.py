"""Runs that are disturbed again and again, and compared byte for byte with the undisturbed one: `scripts/chaos`."""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from tests.chaos import faults
from tests.chaos.clock import Clock, Cost, Mark
from tests.chaos.disturbances import EVERYTHING, FULL_DISK, IMPATIENT, KILLS, Act, Scene
from tests.chaos.processes import Driver, HandCluster
from tests.pipelines.running import PATIENCE, contents

# A segment is one chunk of 500 draws, about 0.6 s.
CONFIG = """\
name: chaos
model: {variables: {x: {dist: Custom, function: "slow_density:log_density"}}}
sampler: {draws: DRAWS, warmup: 500, chains: 3, seed: 1, engine: autograd, max_treedepth: 1}
run: {segment_seconds: 1e-9, predictive: {prior_draws: 0, posterior: false}}
"""
# Chains that learn their metric together, which wait for one another in a warm-up of three chunks.
POOLED = {
    "warmup: 500": "warmup: 1500",
    "engine: autograd": "engine: autograd, adaptation: fisher, metric: auto, pool_metric: true",
}
_DISK_BYTES = 24 << 20


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that came to its end: whether its store is the right one, what disturbed it, by how many commands."""

    identical: bool
    clock: Clock
    costs: list[Cost]
    commands: int

    @property
    def disturbed(self) -> int:
        """How many kills, stalls and faults it met."""
        return sum(cost.times for cost in self.costs)


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
    """A folder to work in, a cluster of two workers, and the undisturbed run, which the others are compared with."""

    folder: Path
    cluster: HandCluster
    generator: random.Random
    mounted: bool
    draws: int
    whole: Clock = field(default_factory=Clock)
    extension: Clock = field(default_factory=Clock)
    runs: int = 0

    @property
    def disk(self) -> Path:
        """Where the disturbed runs lie: on the small file system, if there is one."""
        return self.folder / "disk"

    @property
    def reference(self) -> Path:
        """The undisturbed run."""
        return self.folder / "whole"

    def undisturb(self, rehearsals: int) -> None:
        """Make the undisturbed run; without a rehearsal it finds nothing in the caches."""
        for number in range(rehearsals):
            self._run(self._driver(self.reference), self.whole)
            self.reference.rename(self.folder / f"rehearsal-{number}")
        self.whole = self._run(self._driver(self.reference), self.whole).clock

    def shorten(self) -> None:
        """Make a run of half the draws, to be extended, and extend it undisturbed."""
        half = Driver(self.folder / "half.yaml", self.folder / "half", ("--scheduler", self.cluster.address))
        self._run(half, self.whole)
        ended = self._run(self._longer(self.folder / "longer"), self.extension)
        assert ended.identical
        self.extension = ended.clock

    def pauses(self, shortest: float, longest: float) -> tuple[float, float]:
        """Seconds, given as parts of what an undisturbed run takes: a slow machine begins nothing in a few of them."""
        return shortest * self.whole.ended, longest * self.whole.ended

    def disturb(
        self, acts: Mapping[str, Act], times: int, pauses: tuple[float, float], extended: bool = False
    ) -> Ended:
        """One run, disturbed by `acts` in random order, up to `times`, after pauses of random lengths in seconds.

        If `extended`, it is one of half the draws that was finished undisturbed, and is extended now.
        """
        out = self.disk / f"run-{self.runs}"
        try:
            driver = self._longer(out) if extended else self._driver(out)
            return self._run(driver, self.extension if extended else self.whole, acts, times, pauses)
        finally:
            # The disk is small.
            shutil.rmtree(out, ignore_errors=True)

    def disturb_often(
        self, acts: Mapping[str, Act], times: int, pauses: tuple[float, float], extended: bool = False
    ) -> list[Ended]:
        """As many runs as it takes to disturb them `times`: how long one lasts depends on what else goes on."""
        ended: list[Ended] = []
        while (left := times - sum(e.disturbed for e in ended)) > 0:
            ended.append(self.disturb(acts, left, pauses, extended))
        return ended

    def _driver(self, out: Path) -> Driver:
        return Driver(self.folder / "chaos.yaml", out, ("--scheduler", self.cluster.address))

    def _longer(self, out: Path) -> Driver:
        shutil.copytree(self.folder / "half", out)
        return replace(self._driver(out), draws=self.draws)

    def _run(
        self, driver: Driver, undisturbed: Clock, acts: Mapping[str, Act] | None = None, times: int = 0,
        pauses: tuple[float, float] = (1.0, 1.0),
    ) -> Ended:  # fmt: skip
        self.runs += 1
        scene = Scene(self.cluster, driver, self.disk / "ballast", self.folder / "faults", self.generator)
        clock, done, began = Clock(), 0, time.monotonic()
        due = began + self.generator.uniform(*pauses)
        driver.begin()
        try:
            while not driver.finished():
                now = time.monotonic()
                assert now - due < PATIENCE, driver.said()
                here = Mark(now - began, driver.committed())
                clock.look(*here)
                if acts and done < times and now >= due:
                    name = self.generator.choice(sorted(acts))
                    met = acts[name](scene)
                    if met:
                        clock.disturbed(name, met, here)
                    done += met
                    due = time.monotonic() + self.generator.uniform(*pauses)
                self.cluster.mend()
                time.sleep(0.02)
        finally:
            driver.close()
        clock.ended = time.monotonic() - began
        same = driver.out == self.reference or contents(driver.out) == contents(self.reference)
        return Ended(same, clock, clock.costs(undisturbed), driver.attempts)


@contextlib.contextmanager
def campaign(
    folder: Path, seed: int, draws: int, rehearsals: int = 0, impatient: bool = False,
    replaced: Mapping[str, str] | None = None,
) -> Iterator[Campaign]:  # fmt: skip
    """A campaign in `folder`, its undisturbed run made; Dask `impatient` if asked, parts of CONFIG replaced."""
    config = CONFIG
    for old, new in (replaced or {}).items():
        config = config.replace(old, new)
    (folder / "chaos.yaml").write_text(config.replace("DRAWS", str(draws)))
    (folder / "half.yaml").write_text(config.replace("DRAWS", str(draws // 2)))
    order = {faults.VARIABLE: str(folder / "faults")} | (IMPATIENT if impatient else {})
    workers = HandCluster(folder / "cluster", 2, worker_options=("--preload", "tests.chaos.faults"), extra=order)
    with small_disk(folder / "disk") as mounted, workers as cluster:
        found = Campaign(folder, cluster, random.Random(seed), mounted, draws)
        found.undisturb(rehearsals)
        yield found


class Row(NamedTuple):
    """A line of the report: what befalls the runs, how often, and whether these are extensions."""

    acts: Mapping[str, Act]
    times: int
    extended: bool = False


def rows(kills: int, mounted: bool) -> dict[str, Row]:
    """What `scripts/chaos` does, of which about `kills` are kills."""
    possible = EVERYTHING if mounted else {name: act for name, act in EVERYTHING.items() if name not in FULL_DISK}
    each = -(-kills // (len(KILLS) + 2))
    few = max(each // 4, 2)
    found = {name: Row({name: act}, each if name in KILLS else few) for name, act in possible.items()}
    return found | {"any, at random": Row(possible, each), "extend: any kill": Row(KILLS, each, extended=True)}


def main() -> int:
    """Disturb runs by each row of the table, then by all at random; print what was survived at which cost."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills in all; stalls and faults come on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=4000, help="draws of each chain: how long a run lasts")
    options = parser.parse_args()
    # Whoever ends this ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    everything: list[Ended] = []
    with (
        tempfile.TemporaryDirectory(prefix="exmc-chaos-") as folder,
        campaign(Path(folder), options.seed, options.draws, rehearsals=1, impatient=True) as found,
    ):
        if not found.mounted:
            print("no small file system could be mounted here: the disk is not filled")
        found.shorten()
        print(f"undisturbed: {found.whole.ended:.1f} s a run; seed {options.seed}", flush=True)
        print(f"{'':<44}{'seconds lost each':>21}")
        print(f"{'disturbed by':<22}{'times':>5}{'runs':>5}{'same':>5}{'commands':>9}{'median':>10}{'largest':>9}")
        for name, row in rows(options.kills, found.mounted).items():
            ended = found.disturb_often(row.acts, row.times, found.pauses(0.04, 0.35), row.extended)
            everything += ended
            report(name, ended)
        report("all of these", everything)
        kills = [cost for e in everything for cost in e.costs if cost.name in KILLS]
        lost = [cost.seconds / cost.times for cost in kills]
        killed, middle, most = sum(cost.times for cost in kills), statistics.median(lost), max(lost)
        print(f"{killed} kills; seconds lost by each: median {middle:.2f}, largest {most:.2f}")
    return 0 if all(e.identical for e in everything) else 1


def report(name: str, ended: Sequence[Ended]) -> None:
    """Print what came of the runs of one row."""
    costs = [cost.seconds for e in ended for cost in e.costs]
    same, commands = sum(e.identical for e in ended), sum(e.commands for e in ended)
    times = sum(e.disturbed for e in ended)
    middle, most = statistics.median(costs), max(costs)
    print(f"{name:<22}{times:>5}{len(ended):>5}{same:>5}{commands:>9}{middle:>10.2f}{most:>9.2f}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
