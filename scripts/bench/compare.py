"""Compares exmc with PyMC, nutpie and NumPyro, side by side: whole runs from process start, on the same posteriors.

    python scripts/bench/compare.py [--models NAME ...] [--peers exmc,pymc,nutpie,numpyro] [--seeds 5]
                                    [--settings own equal] [--minutes M] [--timeout S] [--out DIR]

Every run is a process of its own, libraries in turn, four chains on two cores. Settings: "own", each library's own
numbers of transitions, and "equal", 1000 of warm-up and 1000 draws. Seed 0 comes first, with empty caches on disk, and
says only what a cold start costs; seeds 1, 2, … find the caches that it left (byte code of Python is never cold). A
round of all models is done before the next seed begins, so that the run may be stopped, or stop itself after --minutes;
begun anew with the same --out, it goes on; what failed is not tried again while its line is there. DIR has runs.jsonl
(a line a run), compare.md, compare.json and compare.png, written anew after each model.

Figures are medians over the seeds whose means agree with `comparison/references.json` within five standard errors; a
library most of whose runs do not is printed as wrong. ESS is the least over all scalars of the free variables on their
natural scale, by arviz-stats. "s to 400" is when a run would have ended, from process start until its user has the
draws, had just enough draws been asked for that they are worth 400 with R-hats under 1.01: start-up and return as
measured, sampling in proportion to gradients; "~" marks runs that had to be extrapolated to more draws than they made.
"ESS/s" is of sampling, warm-up included; "whole" from process start. exmc computes pointwise log likelihoods before it
returns, which is in "whole" and not in "sampling". NumPyro has no own numbers; it runs in double precision, a host
device a chain; "numpyro-cached" is NumPyro whose user has asked JAX to keep compiled programs on disk. The peers come
with `pip install exmc[bench]`; PyMC so installed multiplies matrices by BLAS only where the system has one to be
linked with (libopenblas-dev), and is told so: install it first.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from comparison import judge, lines, picture, report
from comparison.lines import Key, Row
from comparison.problems import PROBLEMS
from comparison.process import FailedRunError, run_worker

PEERS = {
    "exmc": ("exmc",),
    "pymc": ("pymc",),
    "nutpie": ("nutpie", "pymc"),
    "numpyro": ("numpyro", "jax"),
    "numpyro-cached": ("numpyro", "jax"),
}
"""What each library needs."""
SETTINGS: dict[str, dict[str, int]] = {"own": {}, "equal": {"warmup": 1000, "draws": 1000}}
CHAINS, CORES = 4, 2


class Task(NamedTuple):
    """One run; seed 0 has empty caches."""

    seed: int
    key: Key


def tasks(problems: list[str], settings: list[str], peers: list[str], seeds: int) -> Iterator[Task]:
    """All runs in order: rounds of a seed, in them models, in them libraries in turn."""
    for seed in range(seeds + 1):
        for problem in problems:
            for setting in settings:
                for peer in peers:
                    yield Task(seed, Key(problem, peer, setting))


def same_counts(task: Task, rows: list[Row]) -> Row | None:
    """The run of the same seed that another setting has made already: own numbers may be the equal ones."""
    wanted = SETTINGS[task.key.setting]
    for row in rows:
        here = (row["seed"], row["problem"], row["peer"]) == (task.seed, task.key.problem, task.key.peer)
        if wanted and here and {name: row.get(name) for name in wanted} == wanted:
            return row | {"setting": task.key.setting}
    return None


def given_up(task: Task, rows: list[Row]) -> bool:
    """Whether this library has failed at this already, with another seed: it will again."""
    return any("failed" in row and lines.key_of(row) == task.key for row in rows)


def execute(task: Task, out: Path, timeout: float) -> Row:
    """Run, judge, and forget the draws."""
    key = task.key
    request: dict[str, Any] = {"peer": key.peer, "problem": key.problem, "seed": task.seed}
    request |= {"chains": CHAINS, "cores": CORES, **SETTINGS[key.setting]}
    row: Row = {**key._asdict(), "seed": task.seed}
    cache = out / "caches" / "-".join(key)
    if task.seed == 0:
        # What a run that was stopped has left there.
        shutil.rmtree(cache, ignore_errors=True)
    try:
        made = run_worker(request, PROBLEMS[key.problem].data(), cache, timeout)
    except FailedRunError as failure:
        return row | {"failed": str(failure)}
    figures = judge.judge(key.problem, made.posterior, made.steps, made.diverging, made.clock)
    row |= {"version": made.version, "warmup": made.steps.warmup.shape[1], "draws": made.steps.draws.shape[1]}
    # As it will be read again: keys are text.
    read: Row = json.loads(json.dumps(row | {"clock": made.clock, **asdict(figures)}))
    return read


def write_report(rows: list[Row], peers: list[str], out: Path) -> str:
    """Write the table, the same as JSON, and the plot; returns the table."""
    # Rounds come seed by seed, lines model by model and library by library.
    columns = {"problem": list(PROBLEMS), "peer": list(PEERS), "setting": list(SETTINGS)}
    ordered = sorted(rows, key=lambda row: [names.index(row[column]) for column, names in columns.items()])
    table, failed = lines.lines(ordered), lines.failures(ordered)
    text = report.markdown(table, failed, peers)
    (out / "compare.md").write_text(text, encoding="utf-8")
    document = report.document(table, failed, ordered, peers)
    (out / "compare.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if table:
        picture.draw(table, table[0].key.setting, out / "compare.png")
    return text


def parsed() -> argparse.Namespace:
    """The arguments, models and peers checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS), metavar="NAME")
    parser.add_argument("--peers", default=",".join(PEERS), help="default: %(default)s")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after so many")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds that one run may take")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"))
    arguments = parser.parse_args()
    arguments.peers = arguments.peers.split(",")
    for peer in arguments.peers:
        if peer not in PEERS:
            parser.error(f"unknown peer {peer}; known: {', '.join(PEERS)}")
        if not all(find_spec(module) for module in PEERS[peer]):
            parser.error(f"{peer} is not installed: pip install exmc[bench]")
    return arguments


def main() -> None:
    """Run what has not been run, print the table."""
    arguments = parsed()
    out: Path = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    record = out / "runs.jsonl"
    rows: list[Row] = []
    if record.exists():
        rows = [json.loads(text) for text in record.read_text(encoding="utf-8").splitlines()]
    done = {Task(row["seed"], lines.key_of(row)) for row in rows}
    until = time.monotonic() + 60.0 * arguments.minutes
    for task in tasks(arguments.models, arguments.settings, arguments.peers, arguments.seeds):
        if task in done or given_up(task, rows):
            continue
        if time.monotonic() > until:
            break
        row = same_counts(task, rows) or execute(task, out, arguments.timeout)
        rows.append(row)
        with record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        what = row.get("failed") or f"{sum(row['clock']):.1f} s, ESS {row['ess_bulk']:.0f}, |z| {row['largest_z']:.1f}"
        print(f"{task.key.problem} {task.key.peer} {task.key.setting} seed {task.seed}: {what}", flush=True)
        write_report(rows, arguments.peers, out)
    print(write_report(rows, arguments.peers, out))


if __name__ == "__main__":
    main()
