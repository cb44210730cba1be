"""What a command does not need, it does not import: counted in processes of their own, never timed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "configs/eight_schools.yaml")
PROGRAM = """
import sys
from pipelines.cli import main
status = main(sys.argv[1:])
print(*sys.modules, sep="\\n", file=open("modules", "w"))
sys.exit(status)
"""

# Each takes from a hundredth of a second to several tenths.
NEVER = (
    *("numba", "xarray", "pandas", "pyarrow", "zarr", "h5py", "fsspec", "bokeh", "matplotlib", "autograd.scipy"),
    *("scipy.special", "scipy.linalg", "scipy.stats", "arviz_base", "arviz_stats", "arviz_plots"),
)
CLUSTER = ("dask", "distributed", "tornado")
COMPILER = ("exmc.compile.lower", "exmc.compile.optimise", "exmc.compile.record", "exmc.compile.scan")
EVERYTHING = ("numpy", "autograd", "llvmlite", "pydantic", "rich", "yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("start")


def modules_of(folder: Path, *arguments: str) -> set[str]:
    """Those imported by the time that a command has ended."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "EXMC_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set((folder / "modules").read_text().split())


@pytest.mark.parametrize(
    ("command", "without", "most"),
    [
        # Two of them (`exmc.late`, `exmc.garbage`) save a quarter of what the others' import takes.
        (["--help"], (*NEVER, *CLUSTER, *COMPILER, *EVERYTHING), 11),
        (["check", CONFIG], (*NEVER, *CLUSTER, *COMPILER, "rich"), 240),
        (["explain", CONFIG], (*NEVER, *CLUSTER, *COMPILER, "rich"), 245),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_imports_what_it_needs(folder: Path, command: list[str], without: tuple[str, ...], most: int) -> None:
    """`most` is of modules of exmc itself, of which each takes about a millisecond."""
    found = modules_of(folder, *command)
    assert found.isdisjoint(without), found & set(without)
    assert sum(name.split(".")[0] in ("exmc", "pipelines") for name in found) <= most


def test_a_run_imports_what_it_needs(folder: Path) -> None:
    """Neither labelled arrays nor, where its code is found compiled, what compiles."""
    modules_of(folder, "run", CONFIG, "--out", "first", "--quiet")
    found = modules_of(folder, "run", CONFIG, "--out", "second", "--quiet")
    assert found.isdisjoint((*NEVER, *COMPILER)), found & {*NEVER, *COMPILER}
    assert sum(name.split(".")[0] in ("exmc", "pipelines") for name in found) <= 311
    summed_up = modules_of(folder, "summary", "first")
    assert summed_up.isdisjoint((*NEVER, *COMPILER, *CLUSTER)), summed_up & {*NEVER, *COMPILER, *CLUSTER}
