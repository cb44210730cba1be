"""Faults of the infrastructure are met by trying again: after growing pauses, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from exmc.errors import ClusterError

FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# Full or failing disks, a file system that is away, memory. Whatever else is raised would be raised again.
INFRASTRUCTURE = (OSError, MemoryError)


def patiently(retries: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function(*arguments)`` returns, tried again up to `retries` times if the infrastructure fails.

    The pauses between the attempts, in seconds, are 0.5, 1, 2, ... and at most 30.

    Raises
    ------
    ClusterError
        If the infrastructure failed each time.
    Exception
        Any other that `function` raises, at once.
    """
    for attempt in range(retries + 1):
        try:
            return function(*arguments)
        except INFRASTRUCTURE as error:
            if attempt == retries:
                times = f"{retries + 1} attempts" if retries else "the only attempt"
                raise ClusterError(f"{type(error).__name__}: {error} ({times} failed).") from error
            time.sleep(min(FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))
    raise AssertionError("there is at least one attempt")
