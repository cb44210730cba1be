"""How large the scale of a population is before there are data."""

from __future__ import annotations

from functools import partial

import numpy as np

from exmc.ir.expressions import Expression
from exmc.ir.operations import evaluate
from exmc.rewrite.surface import FloatArray, Free, Surface
from exmc.rewrite.unpooled import climbed

# A scale with more elements than this is not looked at.
_MOST = 24


def usual_scale(scale: Expression, surface: Surface) -> float | None:
    """The median of the elements of `scale` where the variables in it are most probable a priori.

    Each on its unconstrained scale, one after the other; None if they are too many, or if there is no such place.
    """
    free = surface.origin()
    for name in surface.free:
        nowhere = dict(free) | {name: np.full(free[name].shape, np.nan)}
        if not np.isnan(_values(scale, surface, nowhere)).any():
            continue
        if free[name].size > _MOST:
            return None
        for place in range(free[name].size):
            free, _ = climbed(partial(surface.prior, name), name, place, 1.0, free)
    found = float(np.median(_values(scale, surface, free)))
    return found if np.isfinite(found) and found > 0.0 else None


def _values(scale: Expression, surface: Surface, free: Free) -> FloatArray:
    return np.asarray(evaluate(scale, surface.values(free)), float)
