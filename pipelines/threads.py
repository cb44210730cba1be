"""One thread for BLAS while a task computes, whoever started the worker."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from threadpoolctl import threadpool_limits


@dataclass(slots=True)
class _Limit:
    """The number of BLAS threads belongs to the process: the first task in lowers it, the last one out restores it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    tasks: int = 0
    limits: threadpool_limits | None = None

    def enter(self) -> None:
        with self.lock:
            if not self.tasks:
                self.limits = threadpool_limits(limits=1)
            self.tasks += 1

    def leave(self) -> None:
        with self.lock:
            self.tasks -= 1
            if not self.tasks and self.limits is not None:
                self.limits.restore_original_limits()
                self.limits = None


_LIMIT = _Limit()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """In here BLAS has one thread; the last bits of a matrix product depend on their number.

    Workers that Dask starts have one by their environment, those of a cluster that runs already have as many as their
    machine has processors. Any number of threads may be in here at a time.
    """
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()
