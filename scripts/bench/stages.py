"""Seconds of whole runs, from process start, and of their parts: cold and warm caches, in turn.

    .venv/bin/python scripts/bench/stages.py [--repeats 5] [CONFIG ...]

Prints medians. "cold" starts with an empty cache of compiled code, "warm" with the one that the cold run left. "Python"
and "imports" are measured by processes that do nothing else, the latter without what only compiling needs; "cluster and
directory" is until both are there; "rest" is what nothing else accounts for: the config read and checked, the cluster
closed, the process ended. Beside other work the processor's seconds mean more than those of the clock; those of such
processes are in the last rows, with the number of modules.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CONFIGS = ["configs/eight_schools.yaml", "configs/posteriordb/nes1972-nes.yaml"]
STAGES = ["build", "rewrite", "compile", "warmup", "sample", "diagnose"]
COMMAND = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"
NOTHING = "pass"
IMPORTS = (
    "import sys\nfrom pipelines.exits import stopped_at_once\nwith stopped_at_once():\n"
    "    import pipelines.commands, pipelines.checking, pipelines.going_on"
)
MODULES = "\nprint(len(sys.modules))"


class Cost(NamedTuple):
    """Seconds of the clock and of the processor that a process took, and what it said."""

    wall: float
    processor: float
    status: int
    said: str
    errors: str


def cost(program: str, arguments: list[str], cache: Path) -> Cost:
    """One process of this checkout's Python."""
    environment = os.environ | {"EXMC_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(wall, processor, done.returncode, done.stdout, done.stderr)


def timed_run(config: Path, cache: Path) -> dict[str, float]:
    """One run in a process of its own: its seconds, and those of its parts."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        found = cost(COMMAND, ["run", str(config), "--out", str(out), "--quiet"], cache)
        if found.status not in (0, 3):
            raise SystemExit(found.errors)
        events = [json.loads(line) for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    took = {e["stage"]: float(e["took"]) for e in events if e["kind"] == "stage"}
    python = cost(NOTHING, [], cache).wall
    parts = {
        "Python": python,
        "imports": cost(IMPORTS, [], cache).wall - python,
        "cluster and directory": next(float(e["seconds"]) for e in events if e["kind"] == "started"),
        **{stage: took[stage] for stage in STAGES},
    }
    rest = found.wall - sum(parts.values())
    return {"whole process": found.wall, "processor": found.processor} | parts | {"rest": rest}


def print_commands(config: str, repeats: int) -> None:
    """The seconds of the commands that should answer at once, beside those of a Python that does nothing."""
    with tempfile.TemporaryDirectory() as cache:
        for name, program, arguments in (
            ("python -c pass", NOTHING, []),
            ("imports of a run", IMPORTS, []),
            ("exmc --help", COMMAND, ["--help"]),
            ("exmc check", COMMAND, ["check", config]),
            ("import exmc.inference", "import exmc.inference", []),
        ):
            runs = [cost(program, arguments, Path(cache)) for _ in range(repeats)]
            wall = statistics.median(run.wall for run in runs)
            processor = statistics.median(run.processor for run in runs)
            print(f"{name}: {wall:.2f} s, of the processor {processor:.2f} s")
        print(f"modules that a run imports: {cost(IMPORTS + MODULES, [], Path(cache)).said.strip()}")


def main() -> None:
    """Print a table: a row per part, a column per config and state of the cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", default=CONFIGS)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(arguments.repeats):
        for name in arguments.configs:
            config = (ROOT / name).resolve()
            with tempfile.TemporaryDirectory() as cache:
                for state in ("cold", "warm"):
                    found.setdefault((config.stem, state), []).append(timed_run(config, Path(cache)))
    columns = list(found)
    print(
        "| seconds, medians of " + str(arguments.repeats) + " | " + " | ".join(f"{c}, {s}" for c, s in columns) + " |"
    )
    print("|---" * (len(columns) + 1) + "|")
    for part in found[columns[0]][0]:
        medians = [statistics.median(run[part] for run in found[column]) for column in columns]
        print(f"| {part} | " + " | ".join(f"{m:.2f}" for m in medians) + " |")
    print_commands(arguments.configs[0], arguments.repeats)


if __name__ == "__main__":
    main()
