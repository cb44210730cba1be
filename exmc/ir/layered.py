"""A directed graph without cycles laid out in layers, parents above their children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_SWEEPS = 12
Point = tuple[float, float]


class Layout(NamedTuple):
    """Where things are, in pixels from the upper left corner.

    `centres` has the middle of each node's box, `paths` the points that each edge goes through, from the lower side of
    the parent's box to the upper side of the child's.
    """

    centres: Mapping[str, Point]
    paths: Mapping[tuple[str, str], tuple[Point, ...]]
    width: float
    height: float


def layered(
    sizes: Mapping[str, tuple[float, float]],
    parents: Mapping[str, Sequence[str]],
    gap: tuple[float, float] = (22.0, 46.0),
    margin: float = 8.0,
) -> Layout:
    """The layout of boxes of `sizes` (width, height) whose `parents` come before them in the mapping.

    Layers are by the longest path; an edge across several of them gets a place of its own in each between; within
    a layer boxes are ordered by the mean place of their neighbours, in sweeps down and up (Sugiyama, Tagawa & Toda
    1981, "Methods for visual understanding of hierarchical system structures"), and then drawn towards these as far as
    their order and the `gap` beside them allow. The same graph has the same layout.
    """
    levels = _levels(parents)
    boxes, links = dict(sizes), list[tuple[str, str]]()
    chains: dict[tuple[str, str], list[str]] = {}
    for child, above in parents.items():
        for parent in above:
            # A name that no node can have.
            between = [f"{parent} -> {child} {level}" for level in range(levels[parent] + 1, levels[child])]
            boxes |= dict.fromkeys(between, (2.0, 0.0))
            levels |= {name: levels[parent] + 1 + i for i, name in enumerate(between)}
            chains[parent, child] = [parent, *between, child]
            links += list(zip([parent, *between], [*between, child], strict=True))
    rows: list[list[str]] = [[] for _ in range(max(levels.values(), default=-1) + 1)]
    for name in boxes:
        rows[levels[name]].append(name)
    near = _neighbours(boxes, links)
    _order(rows, near)
    across = _across(rows, boxes, near, gap[0])
    left = min((x - boxes[n][0] / 2 for n, x in across.items()), default=0.0) - margin
    down: dict[str, float] = {}
    half: dict[str, float] = {}
    y = margin
    for row in rows:
        tallest = max(boxes[name][1] for name in row)
        down |= dict.fromkeys(row, y + tallest / 2)
        half |= dict.fromkeys(row, tallest / 2)
        y += tallest + gap[1]
    centres = {name: (across[name] - left, down[name]) for name in sizes}
    paths = {}
    for (parent, child), chain in chains.items():
        # Upright between the boxes of a layer, for the whole height of that.
        inner = [(across[n] - left, down[n] + side * half[n]) for n in chain[1:-1] for side in (-1.0, 1.0)]
        start = (centres[parent][0], centres[parent][1] + sizes[parent][1] / 2)
        end = (centres[child][0], centres[child][1] - sizes[child][1] / 2)
        paths[parent, child] = (start, *inner, end)
    width = max((across[n] + boxes[n][0] / 2 for n in boxes), default=0.0) - left + margin
    return Layout(centres, paths, width, max(y - gap[1], margin) + margin)


def _levels(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The layer of each node; what has no parents is just above its first child."""
    levels: dict[str, int] = {}
    for name, above in parents.items():
        levels[name] = 1 + max((levels[parent] for parent in above), default=-1)
    nearest: dict[str, int] = {}
    for name, above in parents.items():
        for parent in above:
            nearest[parent] = min(nearest.get(parent, levels[name]), levels[name])
    return {n: nearest[n] - 1 if not parents[n] and n in nearest else level for n, level in levels.items()}


class _Neighbours(NamedTuple):
    above: dict[str, list[str]]
    below: dict[str, list[str]]


def _neighbours(boxes: Mapping[str, object], links: Sequence[tuple[str, str]]) -> _Neighbours:
    found = _Neighbours({name: [] for name in boxes}, {name: [] for name in boxes})
    for parent, child in links:
        found.above[child].append(parent)
        found.below[parent].append(child)
    return found


def _order(rows: list[list[str]], near: _Neighbours) -> None:
    """Order each row by where the neighbours of its boxes are, so that fewer edges cross."""
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for index in range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1):
            fixed = rows[index - 1] if downwards else rows[index + 1]
            place = {name: i for i, name in enumerate(fixed)}
            links = near.above if downwards else near.below
            current = {name: float(i) for i, name in enumerate(rows[index])}

            def middle(
                name: str,
                links: dict[str, list[str]] = links,
                place: dict[str, int] = place,
                current: dict[str, float] = current,
            ) -> float:
                at = [place[other] for other in links[name] if other in place]
                return sum(at) / len(at) if at else current[name]

            rows[index].sort(key=middle)


def _across(
    rows: list[list[str]], boxes: Mapping[str, tuple[float, float]], near: _Neighbours, gap: float
) -> dict[str, float]:
    """The middle of each box from left to right."""
    at: dict[str, float] = {}
    for row in rows:
        x = 0.0
        for name in row:
            at[name] = x + boxes[name][0] / 2
            x += boxes[name][0] + gap
        at |= {name: at[name] - x / 2 for name in row}
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for name in row:
                others = near.above[name] + near.below[name]
                wanted.append(sum(at[o] for o in others) / len(others) if others else at[name])
            at |= dict(zip(row, _apart(wanted, [boxes[name][0] for name in row], gap), strict=True))
    return at


def _apart(wanted: Sequence[float], widths: Sequence[float], gap: float) -> list[float]:
    """Places near the `wanted` ones, in their order, that keep boxes apart: their mean squared move is the least.

    By pooling adjacent violators: boxes that want to overlap form a block that moves as one.
    """
    blocks: list[tuple[float, int]] = []  # The sum of where the members want the block's first box, and their number.
    offsets, offset = [], 0.0
    for i, width in enumerate(widths):
        offset += (widths[i - 1] + width) / 2 + gap if i else 0.0
        offsets.append(offset)
        total, count = wanted[i] - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    firsts = [total / count for total, count in blocks for _ in range(count)]
    return [first + shift for first, shift in zip(firsts, offsets, strict=True)]
