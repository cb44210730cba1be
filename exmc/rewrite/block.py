"""What the likelihood tells about each element of a block of variables: its best value and its information there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exmc.rewrite.surface import FloatArray, Free, Surface

# A block whose elements share rows is differenced one element at a time: of a larger one, this many stand for all.
SAMPLED = 64
_HALVINGS = 12
_REFINEMENTS = 12
# Steps end at 1e12: less than its inverse square is what a likelihood without a maximum leaves, far out.
_NO_INFORMATION = 1e-24
# In standard errors; this spacing integrates a normal density to nine digits, and a scale has a long upper tail.
_GRID = np.linspace(-12.0, 12.0, 33)


@dataclass(slots=True)
class Block:
    """The elements of some free variables, concatenated, with the state of a diagonal Newton search over them.

    Attributes
    ----------
    names, sizes
        The variables and how many elements each has.
    owner
        For each row of the surface the one element it depends on, or -1; None where rows depend on several.
    places
        The elements that are looked at, shape (places,): those that some row depends on.
    step
        The finite-difference step of each element, shape (elements,).
    information
        Minus the second derivative of the log likelihood in each element, shape (elements,); 0 where not positive.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    owner: NDArray[np.int64] | None
    places: NDArray[np.int64]
    step: FloatArray
    information: FloatArray

    @property
    def count(self) -> int:
        """How many elements there are."""
        return sum(self.sizes)


def block_of(names: tuple[str, ...], surface: Surface, free: Free) -> Block:
    """The block of the variables `names`, with the rows that depend on each element found out."""
    sizes = tuple(surface.unconstrained[n].size for n in names)
    block = Block(names, sizes, None, np.arange(sum(sizes)), np.ones(sum(sizes)), np.zeros(sum(sizes)))
    owner = _owners(block, surface, free)
    if owner is not None:
        block.owner = owner
        block.places = np.unique(owner[owner >= 0])
    elif block.count > SAMPLED:
        block.places = np.unique(np.linspace(0, block.count - 1, SAMPLED).astype(np.int64))
    return block


def gathered(block: Block, free: Free) -> FloatArray:
    """The elements of `block`, shape (elements,)."""
    return np.concatenate([free[n].ravel() for n in block.names])


def scattered(block: Block, elements: FloatArray, free: Free) -> dict[str, FloatArray]:
    """`free` with the elements of `block` replaced."""
    parts = np.split(elements, np.cumsum(block.sizes)[:-1])
    return dict(free) | {n: p.reshape(free[n].shape) for n, p in zip(block.names, parts, strict=True)}


def _owners(block: Block, surface: Surface, free: Free) -> NDArray[np.int64] | None:
    """The element each row depends on, -1 for none; None where some row depends on several.

    Elements are set to NaN, half of them at a time: the halves in which a row turns NaN spell the number of its
    element in binary, and a row that turns NaN in both of a pair of halves depends on several. That takes
    2 log2(elements) evaluations instead of one an element.
    """
    elements = gathered(block, free)
    before = np.isnan(surface.rows(free))

    def touched(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        rows = surface.rows(scattered(block, np.where(chosen, np.nan, elements), free))
        return np.isnan(rows) & ~before

    numbers = np.arange(block.count)
    owner = np.where(touched(np.ones(block.count, bool)), 0, -1).astype(np.int64)
    for bit in range(max(block.count - 1, 0).bit_length()):
        chosen = (numbers >> bit) & 1 == 1
        with_bit, without = touched(chosen), touched(~chosen)
        if np.any(with_bit & without):
            return None
        owner[with_bit] += 1 << bit
    return owner


def difference(
    block: Block, surface: Surface, free: Free, here: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """First derivative of the log likelihood in each element and minus the second, each of shape (elements,).

    Central differences with the block's steps; 0 for elements without rows and for rows that are not finite. `here` are
    the rows at `free`, if they are known.
    """
    elements = gathered(block, free)
    if here is None:
        here = surface.rows(free)
    slope, information = np.zeros(block.count), np.zeros(block.count)
    if block.owner is not None:
        moves = [(block.owner, np.ones(block.count, bool))]
    else:
        moves = [(np.full(here.shape, j), np.arange(block.count) == j) for j in block.places]
    for owner, moved in moves:
        shift = np.where(moved, block.step, 0.0)
        up = surface.rows(scattered(block, elements + shift, free))
        down = surface.rows(scattered(block, elements - shift, free))
        usable = (owner >= 0) & np.isfinite(up) & np.isfinite(down) & np.isfinite(here)
        at = owner[usable]
        up, down, middle = up[usable], down[usable], here[usable]
        slope += np.bincount(at, up - down, block.count) / (2.0 * block.step)
        information -= np.bincount(at, (up - middle) + (down - middle), block.count) / block.step**2
    return slope, information


def settled_difference(block: Block, surface: Surface, free: Free) -> tuple[FloatArray, FloatArray]:
    """What `difference` gives once the block's steps are half a standard error, give or take a factor of two.

    Where other variables have moved, the likelihood may be far narrower or wider than the steps.
    """
    for _ in range(_REFINEMENTS):
        slope, information = difference(block, surface, free)
        steps = _half_errors(block, information)
        settled = np.all((steps < 2.0 * block.step) & (block.step < 2.0 * steps) | (information <= 0.0))
        block.step = steps
        if settled:
            break
    return slope, information


def _half_errors(block: Block, information: FloatArray) -> FloatArray:
    """Steps of half a standard error; longer than before where there is no information."""
    curved = information > 0
    half = 0.5 / np.sqrt(np.where(curved, information, 1.0))
    return np.clip(np.where(curved, half, 4.0 * block.step), 1e-12, 1e12)


def improved(block: Block, surface: Surface, free: Free) -> dict[str, FloatArray]:
    """`free` after one Newton step in each element of `block`, shortened until the likelihood does not fall.

    Where rows belong to one element each, every element is judged by its own rows. The block's steps become half a
    standard error, so that differences neither drown in rounding nor leave the bulk of the likelihood.
    """
    elements, here = gathered(block, free), surface.rows(free)
    slope, information = difference(block, surface, free, here)
    curved = information > 0
    step = np.where(curved, slope / np.where(curved, information, 1.0), 4.0 * block.step * np.sign(slope))
    block.information = np.where(curved, information, 0.0)
    block.step = _half_errors(block, information)
    for _ in range(_HALVINGS):
        rows = surface.rows(scattered(block, elements + step, free))
        gain = np.where(np.isfinite(rows), rows, -np.inf) - np.where(np.isfinite(here), here, -1e300)
        if block.owner is None:
            worse = np.full(block.count, not np.sum(gain) >= 0.0)
        else:
            owned = block.owner >= 0
            worse = ~(np.bincount(block.owner[owned], gain[owned], block.count) >= 0.0)
        worse &= step != 0.0
        if not worse.any():
            return scattered(block, elements + step, free)
        step = np.where(worse, 0.25 * step, step)
    return scattered(block, elements + np.where(worse, 0.0, step), free)


def likelihood_moments(block: Block, surface: Surface, free: Free) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each element under its normalised likelihood, each of shape (elements,); inf without rows.

    One observation of a scale, say, has a skew likelihood that is far wider than its curvature says. Where rows belong
    to one element each, it is summed over a grid of twelve standard errors on either side; else the curvature must do.
    """
    elements = gathered(block, free)
    information = difference(block, surface, free)[1]
    information = np.where(information > _NO_INFORMATION, information, 0.0)
    with np.errstate(divide="ignore"):
        variance = 1.0 / information
    if block.owner is None:
        return elements, variance
    owned = block.owner >= 0
    error = np.where(information > 0, np.sqrt(np.where(information > 0, variance, 1.0)), 0.0)
    offsets = _GRID[:, None] * error
    heights = np.empty(offsets.shape)
    for place, offset in enumerate(offsets):
        rows = surface.rows(scattered(block, elements + offset, free))
        rows = np.where(np.isnan(rows), -np.inf, rows)
        heights[place] = np.bincount(block.owner[owned], rows[owned], block.count)
    top = np.max(heights, axis=0)
    weights = np.exp(heights - np.where(np.isfinite(top), top, 0.0))
    total = np.sum(weights, axis=0)
    usable = (total > 0) & (information > 0)
    weights = weights / np.where(usable, total, 1.0)
    shift = np.sum(weights * offsets, axis=0)
    # Where curvature says next to nothing all weight may lie on one point: no less than what lies between two is known.
    cell = (_GRID[1] - _GRID[0]) * error
    width = np.maximum(np.sum(weights * (offsets - shift) ** 2, axis=0), cell**2 / 12.0)
    return elements + np.where(usable, shift, 0.0), np.where(usable, width, np.inf)
