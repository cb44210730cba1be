"""From a run's seed to each chain's key."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray


@functools.lru_cache(maxsize=1024)
def chain_key(seed: int, chain: int) -> NDArray[np.uint64]:
    """The Philox key, two uint64 (read-only), of chain number `chain` of a run with this seed.

    The chain's random numbers depend on the key and the iteration's number only: neither on the other chains nor on
    who computes what when.
    """
    words = np.random.SeedSequence(seed, spawn_key=(chain,)).generate_state(2, np.uint64).astype(np.uint64)
    words.flags.writeable = False
    return words
