from __future__ import annotations

import numpy as np

from exmc.sampling.seeds import chain_key


def test_keys_are_numpys_spawned_ones_and_distinct() -> None:
    for chain in range(3):
        child = np.random.SeedSequence(42).spawn(3)[chain]
        assert np.array_equal(chain_key(42, chain), child.generate_state(2, np.uint64))
    assert len({chain_key(seed, chain).tobytes() for seed in range(50) for chain in range(50)}) == 2500
