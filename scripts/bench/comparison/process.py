"""Runs `worker.py` in a process of its own, with caches on disk of its own, and times it from its start."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from comparison.judge import Clock

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[3]


class FailedRunError(Exception):
    """A library did not give draws; the message says why, in a line."""


class Outcome(NamedTuple):
    """When what happened, and the library's version."""

    clock: Clock
    version: str


def environment(cache: Path) -> dict[str, str]:
    """The environment of a worker: all that the libraries keep on disk lies in `cache`; a thread a chain for products.

    JAX keeps nothing on disk unless it is asked to; here it is, whatever the size of the program.
    """
    paths = [str(ROOT), str(WORKER.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "EXMC_CACHE_DIR": str(cache / "exmc"),
        "PYTENSOR_FLAGS": f"base_compiledir={cache / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def run_worker(request: dict[str, Any], cache: Path, timeout: float) -> Outcome:
    """Have `request` done; its draws are then in the file that it names.

    Raises `FailedRunError` if the library fails, or takes longer than `timeout` seconds.
    """
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(WORKER), json.dumps(request)]
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        env=environment(cache),
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
    stamps = json.loads(output.strip().splitlines()[-1])
    first, last, returned = (stamps[name] for name in ("first_transition", "last_transition", "returned"))
    return Outcome(Clock(first - started, last - first, returned - last), stamps["version"])


def _reason(errors: str) -> str:
    """The line of a traceback that names the exception, or else the last; JAX adds lines after it."""
    told = errors.strip().splitlines()
    named = [line for line in told if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit)\b", line)]
    return (named or told or [""])[-1][:300]
