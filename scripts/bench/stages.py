"""Seconds of whole runs, from process start, and of each pipeline stage: cold and warm caches, in turn.

    .venv/bin/python scripts/bench/stages.py [--repeats 5] [CONFIG ...]

Prints medians. "cold" starts with an empty cache of compiled code, "warm" with the one that the cold run left.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIGS = ["configs/eight_schools.yaml", "configs/posteriordb/nes1972-nes.yaml"]
STAGES = ["build", "rewrite", "compile", "warmup", "sample", "diagnose"]


def timed_run(config: Path, cache: Path) -> dict[str, float]:
    """One run in a process of its own: its wall-clock seconds, and those of its stages."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        command = [str(Path(sys.executable).with_name("exmc")), "run", str(config), "--out", str(out), "--quiet"]
        started = time.perf_counter()
        finished = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"EXMC_CACHE_DIR": str(cache)}, capture_output=True, text=True
        )
        wall = time.perf_counter() - started
        if finished.returncode not in (0, 3):
            raise SystemExit(finished.stderr)
        events = [json.loads(line) for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    took = {e["stage"]: float(e["took"]) for e in events if e["kind"] == "stage"}
    return {"whole process": wall, **{stage: took[stage] for stage in STAGES}}


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
    for part in ["whole process", *STAGES]:
        medians = [statistics.median(run.get(part, float("nan")) for run in found[column]) for column in columns]
        print(f"| {part} | " + " | ".join(f"{m:.2f}" for m in medians) + " |")


if __name__ == "__main__":
    main()
