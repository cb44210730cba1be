"""Makes `comparison/references.json`: what is known of the posteriors that `compare.py` samples.

    python scripts/bench/references.py [--draws 20000] [--check nutpie] [PROBLEM ...]

Exact values where there are any, posteriordb's where it has reference draws, and else a long run of exmc at a target
acceptance of 0.95, kept only if its R-hats are under 1.01 and a long run of another library agrees, within five
standard errors of both; the entry says so, with the largest distance found. Of variables without a variance the
logarithms are kept.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from comparison import judge
from comparison.judge import Array, Reference, Scalars
from comparison.problems import PROBLEMS
from comparison.process import ROOT, run_worker

POSTERIORDB = {"gp_regr": "gp_pois_regr-gp_regr", "garch": "garch-garch11"}
SEED = 20_000
DIGITS = 8


def exact(problem: str) -> dict[str, Reference] | None:
    """The moments of the posteriors without data."""
    if problem == "correlated":
        return {f"x[{i + 1}]": Reference(0.0, 1.0, 0.0) for i in range(100)}
    if problem == "funnel":
        # E exp(y) = exp(9 / 2).
        wide = Reference(0.0, float(np.exp(9 / 4)), 0.0)
        return {"y": Reference(0.0, 3.0, 0.0), **{f"x[{i + 1}]": wide for i in range(9)}}
    return None


def published(problem: str) -> dict[str, Reference] | None:
    """posteriordb's, from the copies that the tests have."""
    if problem not in POSTERIORDB:
        return None
    path = ROOT / "tests" / "models" / "reference" / f"{POSTERIORDB[problem]}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["parameters"]
    return {name: Reference(row["mean"], row["sd"], row["mcse_mean"]) for name, row in rows.items()}


def long_run(peer: str, problem: str, warmup: int, draws: int, folder: Path) -> dict[str, Array]:
    """The posterior of four chains, with small steps."""
    np.savez(folder / "data.npz", allow_pickle=False, **PROBLEMS[problem].data())
    request = {
        "peer": peer,
        "problem": problem,
        "data": str(folder / "data.npz"),
        "out": str(folder / "draws.npz"),
        "seed": SEED,
        "chains": 4,
        "cores": 2,
        "warmup": warmup,
        "draws": draws,
        "target_accept": 0.95,
    }
    run_worker(request, folder / peer, timeout=36_000)
    prefix = "posterior."
    with np.load(folder / "draws.npz") as file:
        return {name.removeprefix(prefix): file[name] for name in file.files if name.startswith(prefix)}


def sampled(problem: str, draws: int, check: str) -> dict[str, Any]:
    """The entry of a problem that only sampling knows; raises `SystemExit` if the two libraries do not agree."""
    logged = PROBLEMS[problem].logged
    with tempfile.TemporaryDirectory() as folder:
        ours: Scalars = judge.scalars_of(long_run("exmc", problem, 2000, draws, Path(folder)))
        theirs: Scalars = judge.scalars_of(long_run(check, problem, 2000, draws // 2, Path(folder)))
    worst = max(judge.r_hat(values) for values in ours.values())
    if not worst < judge.LARGEST_RHAT:
        raise SystemExit(f"{problem}: R-hat is {worst:.3f} after {draws} draws a chain.")
    known = {
        name: Reference(float(values.mean()), float(values.std(ddof=1)), judge.error(values))
        for name, values in judge.judged(ours, logged)
    }
    scores = judge.z_scores(theirs, logged, known)
    largest = max(abs(score) for score in scores.values())
    if not largest < judge.LARGEST_Z:
        name = max(scores, key=lambda key: abs(scores[key]))
        raise SystemExit(f"{problem}: {check} is {largest:.1f} standard errors away at {name}.")
    size = min(judge.bulk(values) for values in ours.values())
    source = f"exmc, 4 chains of {draws} draws after 2000, target_accept 0.95, seed {SEED}; least bulk ESS {size:.0f}"
    checked = f"{check}, 4 chains of {draws // 2} draws after 2000, target_accept 0.95: largest |z| {largest:.1f}"
    return {"source": source, "checked": checked, "scalars": known}


def entry(problem: str, draws: int, check: str) -> dict[str, Any]:
    """A problem's part of the file."""
    if (known := exact(problem)) is not None:
        return {"source": "exact", "scalars": known}
    if (known := published(problem)) is not None:
        return {"source": f"posteriordb, {POSTERIORDB[problem]}: 10 chains of Stan, thinned", "scalars": known}
    return sampled(problem, draws, check)


def main() -> None:
    """Make the entries that are asked for, and keep the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"of {', '.join(PROBLEMS)}; default: all")
    parser.add_argument("--draws", type=int, default=20_000, help="a chain; the other library gets half")
    parser.add_argument("--check", default="nutpie", choices=("nutpie", "pymc", "numpyro"))
    arguments = parser.parse_args()
    unknown = set(arguments.problems) - set(PROBLEMS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for problem in arguments.problems or PROBLEMS:
        path = judge.REFERENCES
        document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        made = entry(problem, arguments.draws, arguments.check)
        made["scalars"] = {name: [float(f"{x:.{DIGITS}g}") for x in row] for name, row in made["scalars"].items()}
        document[problem] = made
        # One line a problem.
        lines = [f"{json.dumps(name)}: {json.dumps(document[name])}" for name in PROBLEMS if name in document]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(problem, made["source"], made.get("checked", ""), sep="; ", flush=True)


if __name__ == "__main__":
    main()
