"""The positions of the elements that an index of several keys picks, as a function that can be recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import primitive


@primitive  # type: ignore[untyped-decorator]
def positions(shape: tuple[int, ...], *keys: Any) -> Any:
    """The numbers, in row-major order, of the elements that keys (arrays of integers, slices) pick of an array."""
    return np.arange(int(np.prod(shape))).reshape(shape)[keys]
