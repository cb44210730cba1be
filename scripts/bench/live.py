"""What the live page costs a run: its process is stopped and let go on, by turns, while the run draws.

    .venv/bin/python scripts/bench/live.py [--pairs 40] [--seconds 10] [--browser] [CONFIG]

Between two runs of the same config the system's time alone may double, which hides a cost of percents. So there is one
run, with `--live`, as long as it takes. Each pair has a stretch in which the page's process goes on and one, before or
after it by turns, in which it is stopped (SIGSTOP); how many gradients the chains took in the one, by those in the
other, is free of what differs between runs and of what drifts within one. Printed are the median and the quartiles of
the pairs' ratios with the median's standard error. A page that was stopped has rested meanwhile and has draws to catch
up with, so that the slowdown is of one that works up to twice as much as it would. How much one does that is left alone
is measured before: its processors' time as a share of the run's, and of one processor.

With `--browser` a Chromium without a screen shows the page, on the same processors: what that takes slows the chains,
too, and is not the run's. Goal: under 2 %.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import psutil

from pipelines.events import Event

ROOT = Path(__file__).parents[2]
CONFIG = "configs/posteriordb/diamonds-diamonds.yaml"
COMMAND = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
SERVER = "pipelines.page"
DRAWS = 10_000_000
_SECONDS_TO_BEGIN = 120.0
_SECONDS_OF_A_LOOK = 0.02
_STRETCHES_ALONE = 6

T = TypeVar("T")


class Run(NamedTuple):
    """A run that goes on: its process, that of its page, its log of events, and when by `time.monotonic` it began."""

    process: psutil.Process
    page: psutil.Process
    log: Path
    began: float


class Stretch(NamedTuple):
    """From when to when, in seconds of the run, and the processors' time of the run and of its page meanwhile."""

    first: float
    last: float
    run: float
    page: float


@contextlib.contextmanager
def going_on(config: Path, scratch: Path, browser: bool) -> Iterator[Run]:
    """A run of `config` with a page, past its warm-up; ended, with all that it started, at the end."""
    out, said = scratch / "run", scratch / "said"
    command = [sys.executable, "-c", COMMAND, "run", str(config), "--out", str(out), "--quiet", "--live"]
    command += ["--set", f"sampler.draws={DRAWS}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "EXMC_CACHE_DIR": str(scratch / "cache")}
    with open(said, "wb") as errors:
        process = psutil.Process(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=errors).pid)
    shown = None
    try:
        url = awaited(lambda: re.search(r"http://\S+", said.read_text()))[0]
        shown = show(url, scratch) if browser else None
        page = awaited(lambda: next((c for c in process.children() if SERVER in " ".join(c.cmdline())), None))
        log = out / "events.jsonl"
        awaited(lambda: any(event.receipt is not None and not event.receipt.warmup for event in events(log)))
        yield Run(process, page, log, begun(log))
    finally:
        family = [*process.children(recursive=True), process]
        if shown is not None:
            family += [*psutil.Process(shown.pid).children(recursive=True), psutil.Process(shown.pid)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)


def awaited(asked: Callable[[], T | None]) -> T:
    """What `asked` returns as soon as it is true."""
    deadline = time.monotonic() + _SECONDS_TO_BEGIN
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if found := asked():
                return found
        time.sleep(_SECONDS_OF_A_LOOK)
    sys.exit("the run did not begin in time; try `exmc run` with its config alone")


def show(url: str, scratch: Path) -> subprocess.Popen[bytes]:
    """A browser that shows the page."""
    browser = shutil.which("chromium")
    if browser is None:
        sys.exit("there is no chromium here")
    options = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--remote-debugging-port=0"]
    options.append(f"--user-data-dir={scratch / 'browser'}")
    return subprocess.Popen([browser, *options, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def events(log: Path) -> list[Event]:
    """What the run has told so far."""
    return [event for line in log.read_bytes().splitlines() if (event := Event.from_json(line)) is not None]


def begun(log: Path) -> float:
    """When the run began: the least that lies between an event's own time and the moment when it is seen."""
    seen, offsets = len(events(log)), list[float]()
    while len(offsets) < 20:
        new = events(log)[seen:]
        now = time.monotonic()
        offsets += [now - event.seconds for event in new]
        seen += len(new)
        time.sleep(_SECONDS_OF_A_LOOK)
    return min(offsets)


def spent(processes: list[psutil.Process]) -> float:
    """The processors' time of living processes, in seconds."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def stretch(run: Run, seconds: float, *, page: bool) -> Stretch:
    """Let so much time pass, with or without the page."""
    workers = [run.process, *(c for c in run.process.children(recursive=True) if c.pid != run.page.pid)]
    (run.page.resume if page else run.page.suspend)()
    first, before = time.monotonic(), (spent(workers), spent([run.page]))
    time.sleep(seconds)
    last, after = time.monotonic(), (spent(workers), spent([run.page]))
    return Stretch(first - run.began, last - run.began, after[0] - before[0], after[1] - before[1])


def gradients_of(log: Path) -> Callable[[Stretch], float]:
    """How many gradients a second all chains took in a stretch: within a segment, at an even pace."""
    points: dict[int, list[tuple[float, float]]] = {}
    for event in events(log):
        if (receipt := event.receipt) is not None:
            chain = points.setdefault(receipt.chain, [(0.0, 0.0)])
            taken = chain[-1][1]
            chain.append((max(chain[-1][0], event.seconds - receipt.seconds), taken))
            chain.append((event.seconds, taken + receipt.gradients))
    paces = [np.array(chain).T for chain in points.values()]

    def rate(within: Stretch) -> float:
        bounds = [within.first, within.last]
        return float(sum(np.diff(np.interp(bounds, *pace))[0] for pace in paces)) / (within.last - within.first)

    return rate


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("config", nargs="?", default=CONFIG)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0, help="of one stretch")
    parser.add_argument("--browser", action="store_true", help="have a Chromium show the page, too")
    options = parser.parse_args()
    config = (Path.cwd() / options.config if Path(options.config).exists() else ROOT / options.config).resolve()
    pairs: list[tuple[Stretch, Stretch]] = []
    with tempfile.TemporaryDirectory() as scratch, going_on(config, Path(scratch), options.browser) as run:
        once, alone = spent([run.page]), stretch(run, _STRETCHES_ALONE * options.seconds, page=True)
        for number in range(options.pairs):
            order = (True, False) if number % 2 else (False, True)
            found = {page: stretch(run, options.seconds, page=page) for page in order}
            pairs.append((found[True], found[False]))
            if run.process.status() == psutil.STATUS_ZOMBIE:
                sys.exit("the run has ended; take a slower CONFIG, or fewer --pairs")
        # Segments that were under way are told of at their end.
        time.sleep(options.seconds)
        rate = gradients_of(run.log)
    slower = [100 * (rate(without) / rate(page) - 1) for page, without in pairs]
    low, middle, high = statistics.quantiles(slower, n=4)
    # Of the median of a normal sample: 1.2533 times that of the mean, whose spread is that of the quartiles by 1.349.
    error = 1.2533 * (high - low) / 1.349 / len(slower) ** 0.5
    of_run, of_one = 100 * alone.page / alone.run, 100 * alone.page / (alone.last - alone.first)
    print(f"left alone, the page takes {of_run:.2f} % of the run's processors' time, {of_one:.2f} % of one processor's")
    print(f"until the first draws are there it takes {once:.2f} s of a processor")
    print(f"chains with the page are slower by {middle:.2f} % ({low:.2f} to {high:.2f}), standard error {error:.2f} %")


if __name__ == "__main__":
    main()
