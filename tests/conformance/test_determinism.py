"""The same bits for the same input: from threads at once, from other processes, and from a second compilation."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exmc.compile.kernel import Kernel, compile_density
from exmc.compile.layout import layout_of
from exmc.compile.logp import log_density_function
from exmc.rewrite.run import rewrite
from tests.compile.composite_cases import COMPOSITE_CASES
from tests.conformance.agreement_models import Subject
from tests.conformance.kernel_digest import digest

THREADS, ROUNDS = 8, 5


def blocks(x: np.ndarray) -> np.ndarray:
    """Sorting, elimination, factors, recurrences: everything with memory of its own, in one density."""
    names = ("sort", "cumprod axis", "solve stack", "cholesky stack", "gather by order", "softmax")
    total = 0.0
    for case in COMPOSITE_CASES:
        if case.name in names:
            value = case.function(x[: case.dimension])
            total = total + (value * value).sum()
    return -total


def density_of(name: str) -> tuple[Callable[[Any], Any], int]:
    if name == "blocks":
        return blocks, 12
    model = rewrite(Subject(name).build()).model
    return log_density_function(model), layout_of(model).dimension


NAMES = ["eight_schools.yaml", "posteriordb/nes2000-nes.yaml", "blocks"]


def compiled(name: str, cache: Path) -> Kernel:
    function, dimension = density_of(name)
    kernel = compile_density(function, dimension, cache=cache)
    assert isinstance(kernel, Kernel)
    return kernel


@pytest.mark.parametrize("name", NAMES)
def test_threads_share_the_code_and_give_the_same_bits(name: str, tmp_path: Path) -> None:
    kernel = compiled(name, tmp_path)
    expected = digest(kernel.load())
    with ThreadPoolExecutor(THREADS) as pool:
        # Each has a workspace of its own.
        found = list(pool.map(lambda _: digest(kernel.load()), range(THREADS * ROUNDS)))
    assert set(found) == {expected}


@pytest.mark.parametrize("name", NAMES)
def test_another_compilation_writes_the_same_code(name: str, tmp_path: Path) -> None:
    first, second = (compiled(name, tmp_path / folder) for folder in ("first", "second"))
    assert (first.text, first.object_code) == (second.text, second.object_code)


def test_a_process_that_compiles_the_text_itself_gives_the_same_bits(tmp_path: Path) -> None:
    kernels = [compiled(name, tmp_path) for name in NAMES]
    path = tmp_path / "kernels"
    path.write_bytes(pickle.dumps([replace(kernel, object_code=b"") for kernel in kernels]))
    run = subprocess.run(
        [sys.executable, "-m", "tests.conformance.kernel_digest", str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert run.stdout.split() == [digest(kernel.load()) for kernel in kernels]
