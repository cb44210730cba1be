"""What a pass is and how it says what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from exmc.ir.infer import dim_sizes
from exmc.ir.model import Model


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a pass did, or decided to leave, for `variable`: `what` happened and `why`, for people."""

    variable: str
    what: str
    why: str


Pass: TypeAlias = Callable[[Model], tuple[Model, tuple[Change, ...]]]
"""A pure function from a checked model to the model after it, and its changes."""


def with_known_dims(model: Model, before: Model) -> Model:
    """`model`, where every dim of `before` still has its size.

    A variable may have been all that told the size of a dim; where such a one is gone, the dim gets labels 0, 1, ….
    """
    known = dim_sizes(model)
    lost = {dim: tuple(range(size)) for dim, size in dim_sizes(before).items() if dim not in known}
    return Model(model.nodes, model.data, dict(model.coords) | lost) if lost else model


def unused_name(wanted: str, model: Model) -> str:
    """`wanted`, with underscores appended until no variable, datum or dim of `model` is called so."""
    taken = {n.name for n in model.nodes} | set(model.data) | set(model.coords)
    while wanted in taken:
        wanted += "_"
    return wanted
