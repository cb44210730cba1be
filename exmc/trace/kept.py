"""Which entries of an observation count: results hold those, in a dim of their own, and nothing for the others.

A zero or NaN in the place of what a mask leaves out would be taken for data: PSIS-LOO fails on the one, and makes NaN
of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.ir.constants import constant_value
from exmc.ir.infer import infer_types
from exmc.ir.model import Label, Model
from exmc.ir.nodes import Observation
from exmc.ir.types import ArrayType

LEFT_OUT = "predictions"
"""The group of what the posterior predicts for entries that are left out: predictions out of sample, to ArviZ."""
_KEPT_IN = ("log_likelihood", "posterior_predictive", "prior_predictive", "observed_data")


def kept_entries(node: Observation, model: Model, found: ArrayType) -> NDArray[np.bool_] | None:
    """Whether each entry counts, of the shape of `found`: its mask is true and its weight is not 0. None if all do.

    Weights that are 0 everywhere leave nothing to keep; then all count too.
    """
    kept = np.ones(found.shape, dtype=bool)
    if node.mask is not None:
        kept = kept & np.asarray(constant_value(node.mask, model), dtype=bool)
    if node.weight is not None and not node.joint:
        kept = kept & (np.asarray(constant_value(node.weight, model)) != 0)
    return None if kept.all() or not kept.any() else kept


def entry_labels(found: ArrayType, chosen: NDArray[np.bool_], coords: Mapping[str, tuple[Label, ...]]) -> list[Label]:
    """A label for each `chosen` entry: its own along a single axis, else those of its axes, such as ``a, 3``."""
    axes = [coords.get(dim or "", tuple(range(size))) for dim, size in zip(found.dims, found.shape, strict=True)]
    entries = [labels for labels, is_chosen in zip(product(*axes), chosen.ravel(), strict=True) if is_chosen]
    return [labels[0] if len(axes) == 1 else ", ".join(map(str, labels)) for labels in entries]


def split_entries(source: Model, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """`groups` with the entries that count, and with what is predicted for the others in a group of its own."""
    types = infer_types(source)
    found = {group: dict(arrays) for group, arrays in groups.items()}
    for node in source.observations:
        kept = kept_entries(node, source, types[node.name])
        if kept is None:
            continue
        for group in _KEPT_IN:
            values = groups.get(group, {}).get(node.name)
            # A joint observation has one log likelihood for all of its entries.
            if values is None or np.shape(values)[np.ndim(values) - kept.ndim :] != kept.shape:
                continue
            if group == "posterior_predictive":
                found.setdefault(LEFT_OUT, {})[node.name] = _chosen(values, ~kept)
            found[group][node.name] = _chosen(values, kept)
    return found


def _chosen(values: Any, chosen: NDArray[np.bool_]) -> NDArray[Any]:
    """The `chosen` entries of `values`, whose last axes are those of `chosen`, along one axis."""
    array = np.asarray(values)
    leading = array.shape[: array.ndim - chosen.ndim]
    return array.reshape(*leading, chosen.size)[..., chosen.ravel()]
