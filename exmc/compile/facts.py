"""What may be asked of data while code is made: the code is used again only where the answers are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from exmc.compile.primitives import Array

_PIECE = 2**12


def narrowest(array: Array) -> str:
    """The smallest dtype that holds every element of an array exactly."""
    for dtype in ("int8", "int16", "float32"):
        # A few elements rule most out.
        if _lossless(array.reshape(-1)[:: max(array.size // 64, 1)], dtype) and _lossless(array, dtype):
            return dtype
    return "float64"


def digest(array: Array) -> str:
    """SHA-256 (hex) of the elements, for code that depends on each."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _lossless(array: Array, dtype: str) -> bool:
    flat = array.reshape(-1)
    # In pieces that stay in the nearest cache.
    return all(_lossless_piece(flat[start : start + _PIECE], dtype) for start in range(0, flat.size, _PIECE))


def _lossless_piece(piece: Array, dtype: str) -> bool:
    wide = np.asarray(piece, dtype=np.float64)
    with np.errstate(all="ignore"):
        there = wide.astype(dtype).astype(np.float64)
    # Bit by bit: -0 is no integer, and NaN is itself.
    return bool(np.array_equal(there.view(np.int64), wide.view(np.int64)))


FACTS: Mapping[str, Callable[[Array], str]] = MappingProxyType({"narrowest": narrowest, "digest": digest})
"""Each question, and how it is answered."""
