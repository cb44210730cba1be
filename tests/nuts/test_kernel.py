from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from exmc.cache import ObjectCache
from exmc.density import from_function
from exmc.nuts import kernel
from tests.nuts.driving import physics_of, run


def _square(x: float) -> float:
    return x * x


def _dispatcher(directory: Path) -> Any:
    dispatcher = numba.njit(_square)
    dispatcher._cache = kernel._KernelCache(ObjectCache(directory))
    return dispatcher


def _count_loads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    loads: list[bool] = []
    load = kernel._KernelCache.load_overload

    def counting(self: Any, sig: Any, target_context: Any) -> Any:
        found = load(self, sig, target_context)
        loads.append(found is not None)
        return found

    monkeypatch.setattr(kernel._KernelCache, "load_overload", counting)
    return loads


def test_machine_code_is_stored_once_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = _count_loads(monkeypatch)
    for _ in range(2):
        assert _dispatcher(tmp_path)(3.0) == 9.0
    assert loads == [False, True]
    assert len(list(tmp_path.iterdir())) == 1


def test_an_edit_of_any_source_or_another_version_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = _count_loads(monkeypatch)
    _dispatcher(tmp_path)(3.0)
    monkeypatch.setattr(kernel, "_provenance", lambda: ("edited",))
    assert _dispatcher(tmp_path)(3.0) == 9.0
    assert loads == [False, False]
    assert len(list(tmp_path.iterdir())) == 2


def test_sources_edited_after_their_import_are_not_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXMC_CACHE_DIR", str(tmp_path))
    assert isinstance(kernel._load.__wrapped__()._cache, kernel._KernelCache)
    monkeypatch.setattr(kernel, "SOURCES_AT_IMPORT", "older")
    assert not isinstance(kernel._load.__wrapped__()._cache, kernel._KernelCache)


def test_a_damaged_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = _count_loads(monkeypatch)
    _dispatcher(tmp_path)(3.0)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert _dispatcher(tmp_path)(3.0) == 9.0
    assert _dispatcher(tmp_path)(3.0) == 9.0
    assert loads == [False, False, True]


def test_a_directory_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    assert _dispatcher(blocked)(3.0) == 9.0


def test_one_signature_serves_every_dimension_and_metric() -> None:
    for dimension in (1, 4):
        density = from_function(dimension, lambda x: (-0.5 * float(x @ x), -x))
        for name, inverse_mass in (("diagonal", np.ones(dimension)), ("dense", np.eye(dimension))):
            run(physics_of(density, name, inverse_mass), density, np.zeros(dimension), iterations=2, step=0.5)
    assert len(kernel.transitions().signatures) == 1  # type: ignore[attr-defined]


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


_FRESH_PROCESS = """
import hashlib, numpy as np
from exmc.cache import ObjectCache
from exmc.density import from_function
from exmc.nuts.kernel import transitions
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions
density = from_function(3, lambda x: (-0.5 * float(x @ x), -x))
options = SamplerOptions(seed=1, metric="dense")
state, block = advance(density, options, begin(density, options, 0), 500)
print(sum(transitions().stats.cache_hits.values()), hashlib.sha256(block.positions.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_fresh_processes_share_the_machine_code_and_compile_to_the_same_bits(tmp_path: Path) -> None:
    def draw(directory: str) -> list[str]:
        environment = {**os.environ, "EXMC_CACHE_DIR": str(tmp_path / directory)}
        command = [sys.executable, "-c", _FRESH_PROCESS]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    cold, loaded, elsewhere = draw("a"), draw("a"), draw("b")
    assert [cold[0], loaded[0], elsewhere[0]] == ["0", "1", "0"]
    assert cold[1] == loaded[1] == elsewhere[1]
    assert len(list((tmp_path / "a").iterdir())) == 1
