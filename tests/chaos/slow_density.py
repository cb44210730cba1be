"""A density that takes a while, most of it asleep, so that runs last long enough to be disturbed."""

from __future__ import annotations

import time
from typing import Any

from autograd.extend import defvjp, primitive

SECONDS = 0.0002


@primitive
def _slept(value: Any) -> Any:
    time.sleep(SECONDS)
    return value


defvjp(_slept, lambda result, value: lambda g: g)


def log_density(value: Any) -> Any:
    """A standard normal's, up to a constant."""
    return -0.5 * _slept(value) ** 2
