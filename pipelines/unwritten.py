"""Draws of a chain that waits for others before its chunk is full: its commit record keeps them until it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.sampling.chain import Block

_PREFIX = "unwritten/"
_POSITIONS = "positions"


def joined(blocks: Sequence[Block]) -> Block:
    """Consecutive blocks as one."""
    return Block(
        blocks[0].first,
        blocks[0].warmup,
        np.concatenate([block.positions for block in blocks]),
        {name: np.concatenate([block.statistics[name] for block in blocks]) for name in blocks[0].statistics},
    )


def divided(block: Block, draws: int) -> tuple[Block, Block]:
    """The first `draws` draws of `block`, and the others."""
    parts = (slice(None, draws), slice(draws, None))
    one, other = (
        Block(block.first + (part.start or 0), block.warmup, block.positions[part], _part(block, part))
        for part in parts
    )
    return one, other


def as_arrays(block: Block | None) -> dict[str, NDArray[Any]]:
    """`block` as named arrays beside those of a chain's state, from which `apart` makes it again; none of no draws."""
    if block is None or not len(block.positions):
        return {}
    return {_PREFIX + name: array for name, array in (block.statistics | {_POSITIONS: block.positions}).items()}


def apart(arrays: Mapping[str, NDArray[Any]], first: int) -> tuple[dict[str, NDArray[Any]], Block | None]:
    """The arrays of a chain's state, and the block of warm-up, from draw `first` on, that was kept beside them."""
    kept = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
    state = {name: array for name, array in arrays.items() if not name.startswith(_PREFIX)}
    if not kept:
        return state, None
    return state, Block(first, True, kept.pop(_POSITIONS), kept)


def _part(block: Block, part: slice) -> dict[str, NDArray[np.generic]]:
    return {name: array[part] for name, array in block.statistics.items()}
