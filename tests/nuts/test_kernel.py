"""The sampler's machine code: loaded, cached, called."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import pytest

from exmc.density import LogDensity, from_function
from exmc.nuts import kernel
from exmc.nuts.kernel import Output, Progress, Task
from exmc.nuts.step_size import DualAveraging
from exmc.nuts.trajectory import memory_rows
from exmc.pace import Pace
from tests.nuts.driving import KEY, physics_of, run
from tests.sampling.targets import normal


def test_code_is_loaded_once_a_process() -> None:
    assert kernel.machine_code() is kernel.machine_code()


def test_arrays_that_are_not_contiguous_are_refused() -> None:
    density = from_function(2, lambda x: (-0.5 * float(x @ x), -x))
    physics = physics_of(density, "diagonal", np.ones(2))
    task = Task(0, 1, False, False, False, False, 0.8, 5)
    before = Progress(0.0, 0.5, DualAveraging(0.0, 0.0, 0.0, 0.0), 0)
    output = Output(np.zeros((2, 2))[::2], np.zeros((1, 20))[:, ::2], np.zeros((0, 2)))
    memory = np.zeros((memory_rows(5), 2))
    with pytest.raises(TypeError, match="contiguous"):
        kernel.transitions(physics, KEY, task, before, np.zeros((4, 2)), memory, output, density.pace)


def test_other_threads_run_while_the_kernel_does() -> None:
    @numba.cfunc("double(CPointer(double), CPointer(double), CPointer(double), CPointer(int64))")
    def slow_normal(x, g, _w, _p):  # type: ignore[no-untyped-def]
        total = x[0]
        for _ in range(2000):
            total = total * 1.0000001
        g[0] = -x[0]
        return -0.5 * x[0] * x[0] + 0.0 * total

    density = from_function(1, lambda x: (-0.5 * float(x @ x), -x))
    physics = physics_of(density, "diagonal", np.ones(1))._replace(address=slow_normal.address)
    run(physics, density, np.zeros(1), iterations=1, step=0.5)
    done = threading.Event()

    def work() -> None:
        run(physics, density, np.zeros(1), iterations=40_000, step=0.5)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    ticks = 0
    while not done.is_set():
        time.sleep(0.002)
        ticks += 1
    thread.join()
    assert ticks > 20


_holds_lock = ctypes.CDLL(None).PyGILState_Check
_holds_lock.argtypes, _holds_lock.restype = (), ctypes.c_int


@numba.cfunc("double(CPointer(double), CPointer(double), CPointer(double), CPointer(int64))")
def _undefined_with_lock(x, g, _w, _p):  # type: ignore[no-untyped-def]
    """A standard normal, but not for a thread that holds Python's lock."""
    g[0] = -x[0]
    return -0.5 * x[0] * x[0] if _holds_lock() == 0 else np.nan


@pytest.mark.parametrize("native", [False, True])
def test_the_lock_is_held_in_short_calls_of_native_densities_alone(native: bool) -> None:
    address = _undefined_with_lock.address
    density = LogDensity(1, address, 0, np.zeros(1, dtype=np.int64), _undefined_with_lock, pace=Pace(native=native))
    physics = physics_of(density, "diagonal", np.ones(1))
    called_with_lock = []
    for first in range(20):
        # Called from Python, it always gives the lock up.
        assert np.isfinite(density(np.zeros(1))[0])
        _, statistics, _ = run(physics, density, np.zeros(1), iterations=2, step=0.5, first=first)
        called_with_lock.append(statistics[0].diverging)
    assert not called_with_lock[0]
    assert any(called_with_lock) == native


def test_draws_are_the_same_with_the_lock_and_without() -> None:
    def draws(*, with_lock: bool) -> bytes:
        density = replace(normal(np.array([[2.0, 0.5], [0.5, 1.0]])), pace=Pace(native=with_lock))
        density.pace.note(1, 1e-12)
        assert density.pace.is_short(300, 10) == with_lock
        physics = physics_of(density, "diagonal", np.ones(2))
        positions, statistics, step_size = run(physics, density, np.ones(2), iterations=300, step=1.0, search=True)
        return positions.tobytes() + np.array([*statistics, [step_size] * len(statistics[0])]).tobytes()

    assert draws(with_lock=True) == draws(with_lock=False)


_FRESH_PROCESS = """
import hashlib, sys
from exmc.density import from_function
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions
density = from_function(3, lambda x: (-0.5 * float(x @ x), -x))
options = SamplerOptions(seed=1, metric="dense")
state, block = advance(density, options, begin(density, options, 0), 500)
print(hashlib.sha256(block.positions.tobytes()).hexdigest(), "numba" in sys.modules)
"""


def test_fresh_processes_share_the_machine_code_and_compile_to_the_same_bits(tmp_path: Path) -> None:
    def draw(directory: str) -> list[str]:
        environment = {**os.environ, "EXMC_CACHE_DIR": str(tmp_path / directory)}
        command = [sys.executable, "-c", _FRESH_PROCESS]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    cold = draw("a")
    (path,) = (tmp_path / "a").iterdir()
    made = path.stat().st_ino
    loaded, elsewhere = draw("a"), draw("b")
    assert cold == loaded == elsewhere
    assert cold[1] == "False"
    assert path.stat().st_ino == made
