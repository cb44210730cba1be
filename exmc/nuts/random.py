"""Random numbers that are a pure function of (seed, chain, iteration): numpy's Philox4x64 and ziggurat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.np.random._constants import fi_double, ki_double, wi_double, ziggurat_nor_inv_r, ziggurat_nor_r

from exmc.nuts.machine import Words, compiled, multiply_high

# Philox4x64-10: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011), table 2.
_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10

_KI, _WI, _FI = (np.ascontiguousarray(table) for table in (ki_double, wi_double, fi_double))
_RADIUS, _INVERSE_RADIUS = float(ziggurat_nor_r), float(ziggurat_nor_inv_r)
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)


@compiled
def start_stream(stream: Words, key: Words, iteration: int, purpose: int) -> None:
    """Make `stream` begin like ``numpy.random.Philox(key=key, counter=[0, iteration, purpose, 0])``."""
    stream[0], stream[1] = key[0], key[1]
    stream[2] = np.uint64(0)
    stream[3], stream[4] = np.uint64(iteration), np.uint64(purpose)
    stream[5] = np.uint64(4)


@compiled
def _refill(stream: Words) -> None:
    stream[2] += np.uint64(1)
    key_0, key_1 = stream[0], stream[1]
    word_0, word_1, word_2, word_3 = stream[2], stream[3], stream[4], np.uint64(0)
    for _ in range(_ROUNDS):
        high_0, low_0 = multiply_high(_MULTIPLIER_0, word_0), _MULTIPLIER_0 * word_0
        high_1, low_1 = multiply_high(_MULTIPLIER_1, word_2), _MULTIPLIER_1 * word_2
        word_0, word_1 = high_1 ^ word_1 ^ key_0, low_1
        word_2, word_3 = high_0 ^ word_3 ^ key_1, low_0
        key_0 += _WEYL_0
        key_1 += _WEYL_1
    stream[6], stream[7], stream[8], stream[9] = word_0, word_1, word_2, word_3
    stream[5] = np.uint64(0)


@compiled
def next_word(stream: Words) -> Any:
    """The next 64 random bits, a uint64."""
    if stream[5] == np.uint64(4):
        _refill(stream)
    used = stream[5]
    stream[5] = used + np.uint64(1)
    return stream[used + np.uint64(6)]


@compiled
def uniform(stream: Words) -> float:
    """Uniform on [0, 1) with 53 bits, as ``Generator.random``."""
    word: np.uint64 = next_word(stream)
    number: float = (word >> np.uint64(11)) * (1.0 / 9007199254740992.0)
    return number


@compiled
def normal(stream: Words) -> float:
    """Standard normal, as ``Generator.standard_normal`` (Marsaglia & Tsang's ziggurat with 256 strips)."""
    while True:
        bits = next_word(stream)
        strip = bits & np.uint64(0xFF)
        bits = bits >> np.uint64(8)
        magnitude = (bits >> np.uint64(1)) & _MANTISSA
        value: float = magnitude * _WI[strip]
        if bits & np.uint64(1):
            value = -value
        if magnitude < _KI[strip]:
            return value
        if strip == np.uint64(0):
            while True:
                beyond = -_INVERSE_RADIUS * math.log1p(-uniform(stream))
                height = -math.log1p(-uniform(stream))
                if height + height > beyond * beyond:
                    if (magnitude >> np.uint64(8)) & np.uint64(1):
                        return -(_RADIUS + beyond)
                    return _RADIUS + beyond
        else:
            density = (_FI[strip - np.uint64(1)] - _FI[strip]) * uniform(stream) + _FI[strip]
            if density < math.exp(-0.5 * value * value):
                return value


@compiled
def accept(stream: Words, weight: float, total: float) -> bool:
    """True with probability ``weight / total`` (certainly if `weight` is the larger)."""
    return uniform(stream) * total < weight
