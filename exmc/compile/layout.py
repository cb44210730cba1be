"""Where each free variable lies in the flat unconstrained vector."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import NDArray

from exmc.ir.calls import transform_of, unconstrained_type
from exmc.ir.check import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, Node, Observation, RandomVariable
from exmc.ir.types import Dims


@dataclass(frozen=True, slots=True)
class Entry:
    """One free variable: its unconstrained elements, in C order, are ``position[offset : offset + size]``."""

    name: str
    shape: tuple[int, ...]
    dims: Dims
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The free variables of a model packed into one vector of `dimension` doubles, in model order."""

    entries: tuple[Entry, ...]
    dimension: int

    def unpack(self, position: Any) -> dict[str, Any]:
        """The unconstrained value of each variable. `position` may be traced; shape (dimension,)."""
        return {e.name: anp.reshape(position[e.offset : e.offset + e.size], e.shape) for e in self.entries}

    def pack(self, values: Mapping[str, Any]) -> NDArray[np.float64]:
        """The flat vector of the unconstrained `values`."""
        parts = [np.broadcast_to(np.asarray(values[e.name], float), e.shape).ravel() for e in self.entries]
        return np.concatenate(parts) if parts else np.empty(0)

    def columns(self, positions: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Many positions by variable: shape (..., dimension) to (..., *shape) for each name."""
        return {
            e.name: positions[..., e.offset : e.offset + e.size].reshape(*positions.shape[:-1], *e.shape)
            for e in self.entries
        }

    def labels(self) -> list[str]:
        """A label per element, such as ``theta[3]`` (0-based)."""
        return [
            e.name if not e.shape else f"{e.name}[{', '.join(map(str, index))}]"
            for e in self.entries
            for index in np.ndindex(*e.shape)
        ]


def layout_of(model: Model) -> Layout:
    """The layout of the free variables of `model`."""
    types = infer_types(model)
    entries = []
    offset = 0
    for variable in model.free:
        found = unconstrained_type(variable, types[variable.name])
        entries.append(Entry(variable.name, found.shape, found.dims, offset, found.size))
        offset += found.size
    return Layout(tuple(entries), offset)


def layout_digest(model: Model) -> str:
    """SHA-256 (hex) of what a position of `model` means: name, shape and transform of each free variable, in order."""
    transforms = [transform_of(variable) for variable in model.free]
    entries = [
        [entry.name, list(entry.shape), "" if transform is None else transform.name]
        for entry, transform in zip(layout_of(model).entries, transforms, strict=True)
    ]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def posterior_names(source: Model, rewritten: Model) -> tuple[str, ...]:
    """The variables a user of `source` knows, as far as `rewritten` still samples or keeps them, in source order.

    Its free and its kept deterministic variables. Auxiliary variables of the rewriting are no user's, and a variable
    that a lifting pass solved for the data (a deterministic that is not kept) is no parameter any more. What rewriting
    added for the user, such as missing values, comes last.
    """
    known = [n.name for n in source.nodes if _is_posterior(n.name, source, rewritten)]
    return (*known, *(n.name for n in rewritten.nodes if n.name not in source and _is_reported(n)))


def _is_posterior(name: str, source: Model, rewritten: Model) -> bool:
    if name not in rewritten or name in source.observed_targets or isinstance(source[name], Observation):
        return False
    return all(not isinstance(n, Deterministic) or n.keep for n in (source[name], rewritten[name]))


def _is_reported(node: Node) -> bool:
    """Whether a variable that rewriting added is one for the user to see."""
    return node.keep if isinstance(node, Deterministic) else isinstance(node, RandomVariable) and not node.auxiliary
