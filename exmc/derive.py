"""The groups of a result that follow from its draws: pointwise densities, predictions, and the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc.compile.program import CompiledModel
from exmc.ir.operations import evaluate
from exmc.predictive.log_likelihood import pointwise
from exmc.predictive.predict import posterior_predictive, prior_predictive
from exmc.trace.schema import Schema, constant_data_names

LARGEST_GROUP_BYTES = 1 << 30
"""Groups that would be larger are left out: whoever needs them can ask for a part."""

Groups = dict[str, dict[str, NDArray[Any]]]


def derived_groups(
    compiled: CompiledModel,
    schema: Schema,
    tree: xr.DataTree,
    seed: int,
    *,
    prior_draws: int = 500,
    predictive: bool = True,
) -> Groups:
    """Everything a finished result holds besides draws and their statistics, by group and name.

    Parameters
    ----------
    tree
        With the groups ``posterior`` and ``unconstrained_posterior``; arrays here have its chains and draws.
    seed
        The run's. Predictions do not depend on which chains or how many draws there are.
    prior_draws
        How many draws from the prior; 0 for none. A model with an improper prior has none.
    predictive
        Whether to simulate new data for each posterior draw.

    Notes
    -----
    Priors, predictions and data are those of the model as its user wrote it, whatever rewriting did.
    """
    source, groups = compiled.source, Groups()
    if _fits(schema, tree, "log_likelihood", "log_prior"):
        groups |= pointwise(*compiled.pointwise(), _positions(compiled, tree))
    if predictive and source.observations and _fits(schema, tree, "posterior_predictive"):
        groups["posterior_predictive"] = posterior_predictive(source, tree, seed, compiled.model)
    if prior_draws:
        drawn = prior_predictive(source, prior_draws, seed)
        groups |= {"prior": drawn.prior, "prior_predictive": drawn.prior_predictive}
    values = {name: data.values for name, data in source.data.items()}
    groups["observed_data"] = {o.name: np.asarray(evaluate(o.value, values)) for o in source.observations}
    groups["constant_data"] = {name: values[name] for name in constant_data_names(source)}
    return {group: arrays for group, arrays in groups.items() if arrays}


def _fits(schema: Schema, tree: xr.DataTree, *groups: str) -> bool:
    size = tree["posterior"].sizes
    per_draw = sum(v.bytes_per_draw for group in groups for v in schema.groups.get(group, ()))
    return bool(size["chain"] * size["draw"] * per_draw <= LARGEST_GROUP_BYTES)


def _positions(compiled: CompiledModel, tree: xr.DataTree) -> NDArray[np.float64]:
    """The draws on the unconstrained scale, shape (chain, draw, dimension)."""
    group = tree["unconstrained_posterior"].to_dataset()
    shape = group.sizes["chain"], group.sizes["draw"]
    return np.concatenate([group[e.name].values.reshape(*shape, e.size) for e in compiled.layout.entries], axis=2)
