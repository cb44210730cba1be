"""File functions that fail or dawdle: preloaded by a harness's workers (``dask worker --preload tests.chaos.faults``).

The file that ``EXMC_CHAOS_FAULTS`` names says how: its first line a directory, its second ``KIND PROBABILITY SECONDS``.
While it is there, each opening, renaming, linking and removing of a file under the directory waits, and fails with that
probability: with the error of KIND, such as ``EIO`` or ``ETIMEDOUT``.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "EXMC_CHAOS_FAULTS"


def dask_setup(worker: Any) -> None:
    """Called by Dask when a worker starts."""
    del worker
    if VARIABLE in os.environ:
        install(Path(os.environ[VARIABLE]))


def install(order: Path) -> None:
    """Wrap the file functions of this process, for its life."""
    generator, plain_open, plain_sleep = random.Random(os.getpid()), io.open, time.sleep

    def disturb(path: Any) -> None:
        try:
            with plain_open(order) as file:
                directory, kind, probability, seconds = file.read().split()
        except (FileNotFoundError, ValueError):
            return
        if not isinstance(path, str | os.PathLike) or not os.path.abspath(path).startswith(directory):
            return
        plain_sleep(generator.uniform(0, 2 * float(seconds)))
        if generator.random() < float(probability):
            number = getattr(errno, kind)
            raise OSError(number, os.strerror(number), os.fspath(path))

    def disturbed(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *arguments: Any, **options: Any) -> Any:
            disturb(path)
            return function(path, *arguments, **options)

        return wrapped

    builtins.open = io.open = disturbed(plain_open)  # type: ignore[assignment]
    for name in ("replace", "rename", "link", "unlink", "mkdir"):
        setattr(os, name, disturbed(getattr(os, name)))
