"""What it costs a run to be looked at while it goes on: by the live posterior, by the live page, by a browser.

    .venv/bin/python scripts/bench/live.py [--rounds 7] [--draws 10000 150000] [--browser] [CONFIG]

Runs of CONFIG in processes of their own, in turn, round after round: with nothing that looks (`--quiet`), with a
terminal's lines (`--plain`: the live posterior's R-hat), with the live page that nobody opens (`--live`), and, with
`--browser`, with one that a Chromium without a screen shows. Each is done for a short and for a long run: the slope
between the two is free of what is done once (imports, compiling, starting the page's server). Medians of the rounds'
ratios to the slope of the unseen run, with their quartiles: of the processors' time of the run and of all that it
starts (not of the browser), and of the clock. Goal: under 1.02. Below stands what the page takes once, to be served.
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
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CONFIG = "configs/posteriordb/nes1972-nes.yaml"
COMMAND = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
VARIANTS = {"unseen": ["--quiet"], "terminal": ["--plain"], "page": ["--quiet", "--live"]}
BROWSER = "browser"
_SECONDS_TO_URL = 120.0


class Spent(NamedTuple):
    """Seconds of the processors and of the clock."""

    processors: float
    clock: float


def run(config: Path, draws: int, variant: str, scratch: Path) -> Spent:
    """One run, from the start of its process to its end, with the processors' time of its descendants."""
    out, said = scratch / "run", scratch / "said"
    options = VARIANTS["page" if variant == BROWSER else variant]
    command = [sys.executable, "-c", COMMAND, "run", str(config), "--out", str(out), *options]
    command += ["--set", f"sampler.draws={draws}", "--set", "run.predictive={prior_draws: 0, posterior: false}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "EXMC_CACHE_DIR": str(scratch / "cache")}
    with open(said, "wb") as errors, shown(said if variant == BROWSER else None):
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        # What a process has waited for counts as its own: the server of the page, too.
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        sys.exit(f"a run failed: {said.read_text()}")
    shutil.rmtree(out)
    return Spent(usage.ru_utime + usage.ru_stime, clock)


@contextlib.contextmanager
def shown(said: Path | None) -> Iterator[None]:
    """Have a browser show the page whose address will stand in the file `said`."""
    if said is None:
        yield
        return
    waiting = subprocess.Popen([sys.executable, __file__, "--show", str(said)])
    try:
        yield
    finally:
        waiting.terminate()
        waiting.wait()


def show(said: Path) -> None:
    """Open the page as soon as its address is known, until this process is ended."""
    deadline = time.monotonic() + _SECONDS_TO_URL
    while not (found := re.search(r"http://\S+", said.read_text() if said.exists() else "")):
        if time.monotonic() > deadline:
            return
        time.sleep(0.1)
    browser = shutil.which("chromium")
    assert browser is not None
    options = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--remote-debugging-port=0"]
    os.execv(browser, [browser, *options, f"--user-data-dir={said.parent / 'browser'}", found[0]])


def slope(config: Path, draws: list[int], variant: str, scratch: Path) -> tuple[Spent, float]:
    """What one more draw of each chain takes, and the processors' time of what is done once."""
    short, long = (run(config, count, variant, scratch) for count in draws)
    steps = draws[1] - draws[0]
    slopes = Spent(*((after - before) / steps for before, after in zip(short, long, strict=True)))
    return slopes, short.processors - draws[0] * slopes.processors


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """The lower one, the median and the upper one."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return low, middle, high


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("config", nargs="?", default=CONFIG)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--draws", type=int, nargs=2, default=[10_000, 150_000], help="of the short and the long run")
    parser.add_argument("--browser", action="store_true", help="have a Chromium show the page, too")
    parser.add_argument("--show", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.show is not None:
        show(options.show)
        return
    if options.browser and shutil.which("chromium") is None:
        sys.exit("there is no chromium here")
    variants = [*VARIANTS, *([BROWSER] if options.browser else [])]
    config = (Path.cwd() / options.config if Path(options.config).exists() else ROOT / options.config).resolve()
    found: dict[str, list[tuple[Spent, float]]] = {variant: [] for variant in variants}
    with tempfile.TemporaryDirectory() as scratch:
        # The first run compiles what the others find compiled.
        run(config, 100, "unseen", Path(scratch))
        for number in range(options.rounds):
            for variant in variants:
                found[variant].append(slope(config, options.draws, variant, Path(scratch)))
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    print(f"{'':<10}{'a draw':>14}{'processors, to unseen':>34}{'clock, to unseen':>34}{'once':>10}")
    for variant in variants:
        shares = []
        for kind in range(2):
            pairs = zip(found[variant], found["unseen"], strict=True)
            low, middle, high = quartiles([seen[kind] / unseen[kind] for (seen, _), (unseen, _) in pairs])
            shares.append(f"{middle:.4f} ({low:.4f} to {high:.4f})")
        draw = 1e3 * statistics.median(spent.processors for spent, _ in found[variant])
        once = statistics.median(first for _, first in found[variant])
        print(f"{variant:<10}{draw:>11.4f} ms{shares[0]:>34}{shares[1]:>34}{once:>8.2f} s")


if __name__ == "__main__":
    main()
