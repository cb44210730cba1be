"""The fit without pooling: hierarchical elements at their best values, other variables at their most probable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from exmc.rewrite.block import Block, block_of, difference, gathered, improved
from exmc.rewrite.surface import FloatArray, Free, Surface

# Bounds on the work, so that a model with 1e5 rows costs about a second.
_ROW_EVALUATIONS = 2e7
_LEAST, _MOST = 110, 1100
_ROUNDS = 8
_SCALARS = 24
# Differences of less than this in a log likelihood, or of its square root in standard errors, decide nothing.
NEGLIGIBLE = 0.01


def unpooled_fit(populations: Sequence[tuple[str, ...]], surface: Surface) -> dict[str, FloatArray]:
    """The unconstrained values of all free variables after the fit; it starts at 0.

    `populations` are the names of the hierarchical variables. Of the others those that the likelihood depends on take
    part: element by element with their priors, or as a block without, if there are many elements.
    """
    free = surface.origin()
    limit = limit_of(surface, free)
    hierarchical = {name for names in populations for name in names}
    blocks = [b for names in populations if (b := block_of(names, surface, free)).places.size]
    scalars: list[tuple[str, int]] = []
    others: list[Block] = []
    for name in surface.free:
        if name in hierarchical or not _matters(name, surface, free):
            continue
        size = surface.unconstrained[name].size
        if len(scalars) + size <= _SCALARS:
            scalars += [(name, j) for j in range(size)]
        else:
            others.append(block_of((name,), surface, free))
    steps = dict.fromkeys(scalars, 1.0)
    for round_number in range(_ROUNDS):
        before = free
        # What all elements have in common must be found before they move, or they would absorb it.
        for _ in range(3 if round_number == 0 else 1):
            for name, place in scalars:
                objective = _objective(name, blocks, surface)
                free, steps[name, place] = climbed(objective, name, place, steps[name, place], free)
        for block in [*others, *blocks]:
            for _ in range(2):
                free = improved(block, surface, free)
        if surface.evaluations > limit or _settled(before, free, scalars, blocks):
            break
    return free


def limit_of(surface: Surface, free: Free) -> int:
    """How many evaluations `surface` may have had when a fit from here on ends."""
    rows = surface.rows(free).size
    return surface.evaluations + int(np.clip(_ROW_EVALUATIONS / max(rows, 1), _LEAST, _MOST))


def _matters(name: str, surface: Surface, free: Free) -> bool:
    """Whether the likelihood depends on the free variable `name`."""
    rows = surface.rows(dict(free) | {name: np.full(free[name].shape, np.nan)})
    return bool(np.any(np.isnan(rows) & ~np.isnan(surface.rows(free))))


def _objective(name: str, blocks: Sequence[Block], surface: Surface) -> Callable[[Free], float]:
    """What the variable `name` maximises: likelihood, its prior, and the restricted-likelihood term of `blocks`."""

    def objective(free: Free) -> float:
        here = surface.rows(free)
        total = float(np.sum(here)) + surface.prior(name, free)
        for block in blocks:
            if block.owner is not None:
                information = difference(block, surface, free, here)[1]
                total -= 0.5 * float(np.sum(np.log(information[information > 0])))
        return total

    return objective


def climbed(
    objective: Callable[[Free], float], name: str, place: int, step: float, free: Free
) -> tuple[dict[str, FloatArray], float]:
    """`free` with one element moved to a maximum of `objective`, by parabolas and doubled steps; and the last step.

    Where `objective` is not finite there is none.
    """

    def moved(by: float) -> dict[str, FloatArray]:
        elements = free[name].copy()
        elements.flat[place] += by
        return dict(free) | {name: elements}

    def height(at: Free) -> float:
        found = objective(at)
        return found if np.isfinite(found) else -np.inf

    best = height(free)
    for _ in range(15):
        up, down = height(moved(step)), height(moved(-step))
        trials = [(up, step), (down, -step)]
        curvature = 2.0 * best - up - down
        if 0.0 < curvature < np.inf:
            vertex = 0.5 * step * (up - down) / curvature
            trials.append((height(moved(vertex)), vertex))
        value, move = max(trials)
        gain = value - best if value > best else 0.0
        if value > best:
            free, best = moved(move), value
        if gain > 0.0 and abs(move) >= step:
            step = 2.0 * abs(move)
            continue
        # The step that would lose one half: about a standard error.
        step = step / np.sqrt(curvature) if 0.0 < curvature < np.inf else 0.25 * step
        if gain < NEGLIGIBLE:
            break
    return dict(free), float(np.clip(step, 1e-12, 1e12))


def _settled(before: Free, after: Free, scalars: Sequence[tuple[str, int]], blocks: Sequence[Block]) -> bool:
    """Whether a round has moved nothing by more than a small part of its error."""
    tolerance = np.sqrt(NEGLIGIBLE)
    calm = all(abs(after[n].flat[j] - before[n].flat[j]) < tolerance for n, j in scalars)
    return calm and all(
        np.all(np.abs(gathered(b, after) - gathered(b, before)) * np.sqrt(b.information) < tolerance) for b in blocks
    )
