"""Which entries of an observation count: results hold those, in a dim of their own, and nothing for the others.

A zero or NaN in the place of what a mask leaves out would be taken for data: PSIS-LOO fails on the one, and makes NaN
of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.ir.calls import batch_of, form_of
from exmc.ir.constants import constant_value
from exmc.ir.declarations import observed_call
from exmc.ir.infer import infer_types
from exmc.ir.missing import missing_in
from exmc.ir.model import Model
from exmc.ir.nodes import Observation
from exmc.ir.types import ArrayType

LEFT_OUT = "predictions"
"""The group of what the posterior predicts for entries that are left out: predictions out of sample, to ArviZ."""
_OF_VALUES = ("posterior_predictive", "prior_predictive", "observed_data")
_KEPT_IN = ("log_likelihood", *_OF_VALUES)


def kept_entries(node: Observation, model: Model, found: ArrayType) -> NDArray[np.bool_] | None:
    """Whether each entry, an event, of values of type `found` counts: it is seen, its mask is true, its weight not 0.

    Its shape is that of `found` without event axes. None if all count, as they do if all weights are 0: those leave
    nothing to keep.
    """
    call = observed_call(node, model)
    kept = np.ones((found if call is None else batch_of(found, form_of(call))).shape, dtype=bool)
    missing = missing_in(model).get(node.name)
    if missing is not None:
        kept = kept & ~missing.entries
    if node.mask is not None:
        kept = kept & np.asarray(constant_value(node.mask, model), dtype=bool)
    if node.weight is not None and not node.joint:
        kept = kept & (np.asarray(constant_value(node.weight, model)) != 0)
    return None if kept.all() or not kept.any() else kept


def split_entries(source: Model, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """`groups` with the entries that count, and with what is predicted for the others in a group of its own."""
    types = infer_types(source)
    found = {group: dict(arrays) for group, arrays in groups.items()}
    for node in source.observations:
        kept = kept_entries(node, source, types[node.name])
        if kept is None:
            continue
        rank = len(types[node.name].shape) - kept.ndim
        for group in _KEPT_IN:
            values = groups.get(group, {}).get(node.name)
            own = rank if group in _OF_VALUES else 0
            # A joint observation has one log likelihood for all of its entries.
            if values is None or np.shape(values)[: np.ndim(values) - own][-kept.ndim :] != kept.shape:
                continue
            if group == "posterior_predictive":
                found.setdefault(LEFT_OUT, {})[node.name] = _chosen(values, ~kept, own)
            found[group][node.name] = _chosen(values, kept, own)
    return found


def _chosen(values: Any, chosen: NDArray[np.bool_], rank: int) -> NDArray[Any]:
    """The `chosen` entries of `values` along one axis; entries have `rank` axes, the last ones."""
    array = np.asarray(values)
    split = array.ndim - rank
    flat = array.reshape(*array.shape[: split - chosen.ndim], chosen.size, *array.shape[split:])
    return np.compress(chosen.ravel(), flat, axis=split - chosen.ndim)
