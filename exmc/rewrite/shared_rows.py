"""What the likelihood tells about an element where the elements of other variables that share its rows are unknown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exmc.rewrite.block import Block, block_of, difference, gathered, improved, scattered
from exmc.rewrite.surface import FloatArray, Free, Surface

# Less than this is what rounding in the differences leaves where nothing is.
_NOTHING = 1e-3


def information_left(block: Block, others: Sequence[tuple[str, ...]], surface: Surface, free: Free) -> FloatArray:
    """The part of each element's information that is left, shape (elements,): 1 where no row is shared, 0 for nothing.

    `others` are the names of the variables of each other block, at their best values in `free`. An intercept and a
    slope of the same rows stand in each other's error: of the information I_a about one, I_ab^2 / I_b goes to each
    other element b with which it shares rows. That is exact for groups with one element of each kind (a Schur
    complement), and for crossed ones the first order. Blocks whose rows depend on several of their elements do not
    count, nor does `block` if it is such a one.
    """
    left = np.ones(block.count)
    if block.owner is None:
        return left
    own = difference(block, surface, free)[1]
    lost = np.zeros(block.count)
    for names in others:
        if np.any(_touched(names, surface, free) & (block.owner >= 0)):
            lost += _lost_to(names, block, surface, free)
    seen = own > 0
    left[seen] = np.clip(1.0 - lost[seen] / own[seen], 0.0, 1.0)
    return np.where(left < _NOTHING, 0.0, left)


def _touched(names: tuple[str, ...], surface: Surface, free: Free) -> NDArray[np.bool_]:
    """The rows that depend on the variables `names`."""
    nowhere = dict(free) | {name: np.full(free[name].shape, np.nan) for name in names}
    return np.isnan(surface.rows(nowhere)) & ~np.isnan(surface.rows(free))


def _lost_to(names: tuple[str, ...], block: Block, surface: Surface, free: Free) -> FloatArray:
    """I_ab^2 / I_b, summed over the elements b of the block of `names`, for each element a of `block`."""
    other = block_of(names, surface, free)
    if other.owner is None:
        return np.zeros(block.count)
    for _ in range(2):
        improved(other, surface, free)  # For its steps; the values are at their best.
    information = difference(other, surface, free)[1]

    def moved(own: float, others: float) -> FloatArray:
        here = scattered(block, gathered(block, free) + own * block.step, free)
        return surface.rows(scattered(other, gathered(other, here) + others * other.step, here))

    mixed = (moved(1.0, 1.0) - moved(1.0, -1.0)) - (moved(-1.0, 1.0) - moved(-1.0, -1.0))
    assert block.owner is not None
    usable = (block.owner >= 0) & (other.owner >= 0) & np.isfinite(mixed)
    pairs, place = np.unique(block.owner[usable] * other.count + other.owner[usable], return_inverse=True)
    own, others = np.divmod(pairs, other.count)
    shared = np.bincount(place, mixed[usable], pairs.size) / (4.0 * block.step[own] * other.step[others])
    curved = information[others] > 0
    taken = np.where(curved, shared**2 / np.where(curved, information[others], 1.0), 0.0)
    return np.asarray(np.bincount(own, taken, block.count), float)
