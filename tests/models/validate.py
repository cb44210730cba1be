"""Runs the configs of the reference posteriors and prints how each agrees: the command `scripts/validate`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import xarray as xr

from pipelines.run import run_config as run_pipeline
from tests.models.agreement import Agreement, compare, read_reference

CONFIGS = Path(__file__).parents[2] / "configs/posteriordb"
HEADER = ("posterior", "largest |z|", "sd ratio", "min ESS", "max R-hat", "divergences", "seconds", "agrees")


def posteriors() -> list[str]:
    """The names of the posteriors that have a config."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def run_config(path: Path, out: Path) -> xr.DataTree:
    """The result of running one config, its run directory under `out` instead of where the config says."""
    return run_pipeline(path, out=out)


def validate(posterior: str, out: Path) -> Agreement:
    """Run the config of a posterior and judge it by its reference."""
    tree = run_config(CONFIGS / f"{posterior}.yaml", out)
    return compare(tree, read_reference(posterior))


def table_row(posterior: str, agreement: Agreement, seconds: float) -> tuple[str, ...]:
    """The cells under `HEADER`."""
    low, high = agreement.sd_ratios
    return (
        posterior,
        f"{agreement.largest_z:.2f}",
        f"{low:.3f} - {high:.3f}",
        f"{agreement.least_ess:.0f}",
        f"{agreement.largest_rhat:.4f}",
        f"{agreement.divergences} of {agreement.draws}",
        f"{seconds:.1f}",
        "no" if agreement.problems else "yes",
    )


def main(arguments: list[str] | None = None) -> int:
    """Print one row per posterior as it finishes; 1 if any disagrees, 2 if a name is unknown."""
    parser = argparse.ArgumentParser(
        prog="scripts/validate", description="Compare runs with reference posteriors; a Markdown table."
    )
    parser.add_argument("posterior", nargs="*", help="names from configs/posteriordb (default: all of them)")
    names = parser.parse_args(arguments).posterior or posteriors()
    unknown = sorted(set(names) - set(posteriors()))
    if unknown:
        parser.error(f"no config for {', '.join(unknown)}; known: {', '.join(posteriors())}")
    print("| " + " | ".join(HEADER) + " |")
    print("|" + "---|" * len(HEADER))
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            began = time.perf_counter()
            agreement = validate(name, Path(folder) / name)
            row = table_row(name, agreement, time.perf_counter() - began)
            print("| " + " | ".join(row) + " |", flush=True)
            problems += [f"{name}: {problem}" for problem in agreement.problems]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
