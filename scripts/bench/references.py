"""Makes `comparison/references.json`: what is known of the posteriors that `compare.py` samples.

    python scripts/bench/references.py [--draws 20000] [--check nutpie] [--check-draws 10000] [PROBLEM ...]

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
from comparison.judge import Reference, Scalars
from comparison.problems import PROBLEMS
from comparison.process import ROOT, run_worker

POSTERIORDB = {"gp_regr": "gp_pois_regr-gp_regr", "garch": "garch-garch11"}
SEED = 20_000
TARGET_ACCEPT = 0.95
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


def long_run(peer: str, problem: str, draws: int) -> Scalars:
    """The scalars of four chains, with small steps, after a warm-up of up to 2000."""
    request = {
        "peer": peer,
        "problem": problem,
        "otherwise": True,
        "seed": SEED,
        "chains": 4,
        "cores": 2,
        "warmup": min(2000, draws),
        "draws": draws,
        "target_accept": TARGET_ACCEPT,
    }
    with tempfile.TemporaryDirectory() as cache:
        made = run_worker(request, PROBLEMS[problem].data(), Path(cache), timeout=36_000)
    return judge.scalars_of(made.posterior)


def described(peer: str, draws: int) -> str:
    """How such a run was made."""
    return f"{peer}, 4 chains of {draws} draws after {min(2000, draws)}, target_accept {TARGET_ACCEPT}, seed {SEED}"


def sampled(problem: str, draws: int, check: str, check_draws: int) -> dict[str, Any]:
    """The entry of a problem that only sampling knows; raises `SystemExit` if the two libraries do not agree."""
    logged = PROBLEMS[problem].logged
    ours, theirs = long_run("exmc", problem, draws), long_run(check, problem, check_draws)
    # Written otherwise, ours has more.
    ours = {name: ours[name] for name in theirs}
    worst = max(judge.r_hat(values) for values in ours.values())
    if not worst < judge.LARGEST_RHAT:
        raise SystemExit(f"{problem}: R-hat is {worst:.3f} after {draws} draws a chain.")
    known = {
        name: Reference(float(values.mean()), float(values.std(ddof=1)), judge.error(values))
        for name, values in judge.judged(ours, logged)
    }
    scores = judge.z_scores(theirs, logged, known)
    furthest = max(scores, key=lambda name: abs(scores[name]))
    if not abs(scores[furthest]) < judge.LARGEST_Z:
        raise SystemExit(f"{problem}: {check} is {scores[furthest]:.1f} standard errors away at {furthest}.")
    size = min(judge.bulk(values) for values in ours.values())
    source = f"{described('exmc', draws)}; least bulk ESS {size:.0f}"
    checked = f"{described(check, check_draws)}: largest |z| {abs(scores[furthest]):.1f}"
    return {"source": source, "checked": checked, "scalars": known}


def entry(problem: str, draws: int, check: str, check_draws: int) -> dict[str, Any]:
    """A problem's part of the file."""
    if (known := exact(problem)) is not None:
        return {"source": "exact", "scalars": known}
    if (known := published(problem)) is not None:
        return {"source": f"posteriordb, {POSTERIORDB[problem]}: 10 chains of Stan, thinned", "scalars": known}
    return sampled(problem, draws, check, check_draws)


def main() -> None:
    """Make the entries that are asked for, and keep the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"of {', '.join(PROBLEMS)}; default: all")
    parser.add_argument("--draws", type=int, default=20_000, help="a chain")
    parser.add_argument("--check", default="nutpie", choices=("nutpie", "pymc", "numpyro"))
    parser.add_argument("--check-draws", type=int, default=10_000, help="a chain of the other library")
    arguments = parser.parse_args()
    unknown = set(arguments.problems) - set(PROBLEMS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for problem in arguments.problems or PROBLEMS:
        made = entry(problem, arguments.draws, arguments.check, arguments.check_draws)
        made["scalars"] = {name: [float(f"{x:.{DIGITS}g}") for x in row] for name, row in made["scalars"].items()}
        path = judge.REFERENCES
        document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        document[problem] = made
        # One line a problem.
        lines = [f"{json.dumps(name)}: {json.dumps(document[name])}" for name in PROBLEMS if name in document]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(problem, made["source"], made.get("checked", ""), sep="; ", flush=True)


if __name__ == "__main__":
    main()
