"""Random numbers of fits and of their draws: pure functions of a key, an index and a purpose."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Beyond those of chains (`exmc.nuts.stream`), the keys of which are shared.
ELBO, CANDIDATE, RESAMPLE, DRAW, OPTIMISE, ASSESS, START, PILOT = range(16, 24)


def generator(key: NDArray[np.uint64], index: int, purpose: int) -> np.random.Generator:
    """The generator number `index` of this `purpose` under `key` (`exmc.sampling.seeds`)."""
    return next(generators(key, index, purpose))


def generators(key: NDArray[np.uint64], first: int, purpose: int) -> Iterator[np.random.Generator]:
    """The generators from number `first` on, each to be used before the next is asked for.

    It is one object whose counter is set anew, which takes a microsecond; a generator of its own takes twenty.
    """
    bits = np.random.Philox(key=key)
    found = np.random.Generator(bits)
    start: Any = bits.state
    for index in itertools.count(first):
        start["state"]["counter"] = np.array([0, index, purpose, 0], dtype=np.uint64)
        bits.state = start
        yield found
