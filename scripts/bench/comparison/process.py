"""Runs `worker.py` in a process of its own, with caches on disk of its own, and times it from its start."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from comparison.judge import Clock, Steps

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[3]
OPENBLAS = any(Path("/usr/lib").glob("*/libopenblas.so"))


class FailedRunError(Exception):
    """A library did not give draws; the message says why, in a line."""


class Outcome(NamedTuple):
    """What a library gave: draws of shape (chain, draw, ...) by variable, and of shape (chain, draw) which diverged."""

    clock: Clock
    version: str
    posterior: dict[str, Any]
    steps: Steps
    diverging: Any


def environment(cache: Path, peer: str) -> dict[str, str]:
    """The environment of a worker: all that the libraries keep on disk lies in `cache`; a thread a chain for products.

    JAX keeps nothing there unless it is asked to: for the peer "numpyro-cached" it is, whatever the program's size.
    PyTensor does not find an OpenBLAS that the system has without a Fortran compiler, unless it is told of it.
    """
    paths = [str(ROOT), str(WORKER.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    asked = {
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    # Whether our own shell has Python keep byte code on disk is not what is compared.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return (
        inherited
        | (asked if peer == "numpyro-cached" else {})
        | {
            "PYTHONPATH": os.pathsep.join(paths),
            "EXMC_CACHE_DIR": str(cache / "exmc"),
            "PYTENSOR_FLAGS": f"base_compiledir={cache / 'pytensor'}"
            + (",blas__ldflags=-lopenblas" if OPENBLAS else ""),
            "NUMBA_CACHE_DIR": str(cache / "numba"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
    )


def run_worker(request: dict[str, Any], data: dict[str, Any], cache: Path, timeout: float) -> Outcome:
    """Have `request` done with `data`, arrays by name; the clock starts with the process.

    Raises `FailedRunError` if the library fails, or takes longer than `timeout` seconds.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files = {"data": f"{folder}/data.npz", "out": f"{folder}/draws.npz"}
        np.savez(files["data"], allow_pickle=False, **data)
        command = [sys.executable, str(WORKER), json.dumps(request | files)]
        started = time.perf_counter()
        stamps = json.loads(_last_line(command, environment(cache, request["peer"]), timeout))
        with np.load(files["out"]) as file:
            arrays = {name: file[name] for name in file.files}
    first, last, returned = (stamps[name] for name in ("first_transition", "last_transition", "returned"))
    prefix = "posterior."
    return Outcome(
        Clock(first - started, last - first, returned - last),
        stamps["version"],
        {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)},
        Steps(arrays["warmup_steps"], arrays["steps"]),
        arrays["diverging"],
    )


def _last_line(command: list[str], variables: dict[str, str], timeout: float) -> str:
    """The last line that a command prints."""
    with subprocess.Popen(
        command,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise FailedRunError(f"took more than {timeout:g} s") from None
        finally:
            # Its own children, too.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise FailedRunError(_reason(errors) or f"ended with status {process.returncode}")
    return output.strip().splitlines()[-1]


def _reason(errors: str) -> str:
    """The line of a traceback that names the exception, or else the last; JAX adds lines after it."""
    told = errors.strip().splitlines()
    named = [line for line in told if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit)\b", line)]
    return (named or told or [""])[-1][:200]
