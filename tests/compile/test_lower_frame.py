"""Indices are read in the smallest dtype that their range allows."""

from __future__ import annotations

import numpy as np

from exmc.compile.lower_frame import index_dtype


def test_indices_fit_their_dtype() -> None:
    for size in (1, 128, 129, 2**15, 2**15 + 1, 2**31, 2**31 + 1):
        assert np.iinfo(index_dtype(size)).max >= size - 1
