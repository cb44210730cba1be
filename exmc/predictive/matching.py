"""Draws of a run matched, label by label, to the variables of its model with other data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.distributions import DISTRIBUTIONS
from exmc.errors import ModelError, brief
from exmc.ir.calls import form_of, restricted_to
from exmc.ir.declarations import Label, parents
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import RandomVariable
from exmc.ir.types import ArrayType


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Which entry of a variable's draws each of its entries is.

    Attributes
    ----------
    places
        For each axis, the place in the draws of each entry along it; -1 for a new one.
    new
        Labels without draws, by dim.
    """

    places: tuple[NDArray[np.int64], ...]
    new: Mapping[str, tuple[Label, ...]]

    @property
    def known(self) -> NDArray[np.bool_] | None:
        """Which entries have draws, shape that of the variable; None if all have."""
        if not self.new:
            return None
        inside = np.meshgrid(*(axis >= 0 for axis in self.places), indexing="ij")
        return np.asarray(np.logical_and.reduce(inside))

    def take(self, draws: NDArray[Any]) -> NDArray[Any]:
        """The draws, shape (samples, ...), in the variable's shape; what stands in new entries means nothing."""
        for axis, places in enumerate(self.places, 1):
            if not np.array_equal(places, np.arange(draws.shape[axis])):
                draws = np.take(draws, np.maximum(places, 0), axis=axis)
        return draws


def match_draws(source: Model, renewed: Model) -> dict[str, Match]:
    """How the draws of the free variables of `source` fit those that `renewed`, it with other data, has too.

    Entries of a variable that its dims label are matched by label, those of other axes by place.

    Raises
    ------
    ModelError
        For an axis without a dim whose length has changed, and for new labels of a variable whose entries depend on
        each other given the other variables, if new ones cannot be drawn given all the known ones.
    """
    before, now = infer_types(source), infer_types(renewed)
    still = {n.name for n in renewed.nodes}
    bound = _under_potentials(source)
    found: dict[str, Match] = {}
    for variable in source.free:
        if variable.name not in still:
            continue
        try:
            match = _match(source, renewed, before[variable.name], now[variable.name])
            _require_drawable(variable, match, before[variable.name], variable.name in bound)
        except ModelError as error:
            raise error.within("variables", variable.name) from None
        found[variable.name] = match
    return found


def _match(source: Model, renewed: Model, before: ArrayType, now: ArrayType) -> Match:
    places, new = [], {}
    for axis, (dim, old_size, size) in enumerate(zip(before.dims, before.shape, now.shape, strict=True)):
        if dim is None or dim not in renewed.coords:
            if size != old_size:
                raise ModelError(
                    f"axis {axis} has {size} entries now and had {old_size}, and nothing says which they are.",
                    remedy="Its draws can be used where that axis has a dim, with coordinates.",
                )
            places.append(np.arange(size))
            continue
        known = {label: place for place, label in enumerate(source.coords.get(dim, range(old_size)))}
        labels = renewed.coords[dim]
        places.append(np.array([known.get(label, -1) for label in labels], dtype=np.int64))
        if unknown := tuple(label for label in labels if label not in known):
            new[dim] = unknown
    return Match(tuple(places), new)


def _require_drawable(variable: RandomVariable, match: Match, before: ArrayType, bound: bool) -> None:
    """Raise `ModelError` unless the new entries can be drawn given the known ones."""
    if not match.new:
        return
    restricted = restricted_to(variable) is not None
    dependent = 1 if restricted else form_of(variable.call).rank
    events = list(zip(match.places, before.shape, strict=True))[len(match.places) - dependent :]
    joint = [(axis, size) for axis, size in events if (axis < 0).any()]
    conditional = not restricted and DISTRIBUTIONS[variable.call.distribution].condition is not None
    dim, labels = next(iter(match.new.items()))
    start = f"{brief(labels[0])} is a new label of {dim!r}, and"
    if bound or (joint and not conditional):
        reason = "a potential ties it" if bound else f"the entries of {variable.call.distribution} depend on each other"
        raise ModelError(
            f"{start} {reason}: it cannot be drawn beside the known ones.",
            remedy="Predict for labels that the run has.",
        )
    if any(not set(range(size)) <= set(axis.tolist()) for axis, size in joint):
        raise ModelError(f"{start} labels of the run are missing, on which it depends.", remedy="Keep them beside it.")


def _under_potentials(source: Model) -> frozenset[str]:
    """The variables that a potential depends on, by way of deterministics or not."""
    pending = [n.name for n in source.deterministics if n.potential]
    deterministic = {n.name: n for n in source.deterministics}
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(parents(deterministic[name]) if name in deterministic else ())
    return frozenset(found)
