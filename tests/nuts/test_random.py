from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exmc.nuts import random
from exmc.nuts.generate import jit
from exmc.nuts.stream import STREAM_WORDS


@pytest.fixture(scope="module")
def fill() -> Any:
    def function(stream, key, iteration, purpose, words, normals, uniforms):  # type: ignore[no-untyped-def]
        random.start_stream(stream, key, iteration, purpose)
        for i in range(words.size):
            words[i] = random.next_word(stream)
        for i in range(normals.size):
            normals[i] = random.normal(stream)
        for i in range(uniforms.size):
            uniforms[i] = random.uniform(stream)

    return jit(function)


@pytest.mark.parametrize(("seed", "iteration", "purpose"), [(0, 0, 0), (1, 7, 1), (2**100, 2**40, 2)])
def test_bits_are_those_of_numpys_philox(fill: Any, seed: int, iteration: int, purpose: int) -> None:
    key = np.random.SeedSequence(seed, spawn_key=(3,)).generate_state(2, np.uint64)
    stream = np.zeros(STREAM_WORDS, dtype=np.uint64)
    # Enough normals for the ziggurat's wedges and its tail, which is left about once in 4000.
    words, normals, uniforms = np.zeros(5, dtype=np.uint64), np.zeros(200_003), np.zeros(1001)
    fill(stream, key, iteration, purpose, words, normals, uniforms)
    bits = np.random.Philox(key=key, counter=np.array([0, iteration, purpose, 0], dtype=np.uint64))
    generator = np.random.Generator(bits)
    assert np.array_equal(words, bits.random_raw(5))
    assert np.array_equal(normals, generator.standard_normal(normals.size))
    assert np.array_equal(uniforms, generator.random(uniforms.size))
    assert np.abs(normals).max() > 3.6541528853610088
