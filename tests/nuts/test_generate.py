"""The kernel's text is what its sources give, and its machine code does what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exmc.density import from_function
from exmc.nuts import generate, kernel
from exmc.nuts.iterations import entry
from exmc.nuts.kernel import Output, Progress, Task
from exmc.nuts.metric import METRICS
from exmc.nuts.outcome import Transition
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.trajectory import memory_rows, workspace
from tests.nuts.driving import EXAMPLES, KEY, physics_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generated() -> str:
    command = [sys.executable, "-c", "from exmc.nuts.generate import generate; print(generate(), end='')"]
    environment = os.environ | {"NUMBA_OPT": "0", "NUMBA_LOOP_VECTORIZE": "0"}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def bits(function: Callable[..., int], metric: str, monkeypatch: pytest.MonkeyPatch, symmetric: bool = False) -> bytes:
    """All that a few iterations with adaptation, after a search for a step size, leave behind."""
    monkeypatch.setattr(kernel, "machine_code", lambda with_lock: function)
    density = from_function(3, lambda x: (-0.25 * float(np.sum(x**4)), -(x**3)))
    physics = physics_of(density, metric, EXAMPLES[metric])
    memory, position = np.zeros((memory_rows(6), 3)), np.array([0.3, -0.5, 1.0])
    value, gradient = density(position)
    workspace(memory).sample[:] = position, gradient
    before = Progress(value, 1.0, DualAveraging(0.0, 0.0, 0.0, 0.5), 0)
    moments, output = np.zeros((4, 3)), Output(np.zeros((40, 3)), np.zeros((40, 10)), np.zeros((40, 3)))
    task = Task(5, 40, True, True, symmetric, True, 0.8, 6)
    log_density, step_size, averaging, draws = kernel.transitions(
        physics, KEY, task, before, moments, memory, output, density.pace
    )
    density.raise_failure()
    assert draws == 40
    assert len(np.unique(output.statistics[:, Transition._fields.index("tree_depth")])) > 1
    numbers = np.array([log_density, step_size, *averaging])
    assert all(
        np.array_equal(density(x)[1], slope) for x, slope in zip(output.positions, output.gradients, strict=True)
    )
    return b"".join(array.tobytes() for array in (numbers, moments, *output))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_machine_code_has_the_bits_of_its_source_run_by_python(
    metric: str, symmetric: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_code = kernel.machine_code()
    # Philox multiplies and adds modulo 2**64, of which numpy's scalars warn.
    with np.errstate(over="ignore"):
        by_python = bits(entry, metric, monkeypatch, symmetric)
    assert by_python == bits(machine_code, metric, monkeypatch, symmetric)
    assert by_python != bits(machine_code, metric, monkeypatch, not symmetric)


def test_the_text_in_the_package_is_what_the_sources_give(generated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = kernel.TEXT.read_text(encoding="utf-8")
    if text.splitlines()[0] == generated.splitlines()[0]:
        # Not compared by `==` within the assertion: a diff of two thousand lines helps nobody.
        same = text == generated
        assert same, "exmc/nuts was edited: run scripts/generate_kernel"
    # Other versions of Python and numba may word the same program in other ways.
    shipped = bits(kernel.machine_code(), "dense", monkeypatch)
    assert bits(kernel.link(generated).function, "dense", monkeypatch) == shipped


def test_text_for_one_cpu_only_is_refused() -> None:
    with pytest.raises(RuntimeError, match="NUMBA_OPT=0"):
        generate.generate()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("call void @PyErr_Occurred()\n  ret i32 0", r"calls \['PyErr_Occurred'\]"),
        ("ret i32 %status", "may raise"),
    ],
)
def test_a_kernel_that_needs_python_is_refused(body: str, reason: str) -> None:
    text = f"declare void @PyErr_Occurred()\ndefine i32 @{kernel.SYMBOL}(i32 %status) {{\n  {body}\n}}\n"
    if "PyErr" not in body:
        text = text.split("\n", 1)[1]
    with pytest.raises(ValueError, match=reason):
        generate._check(text)
