"""The groups of a result that follow from its draws: pointwise densities, predictions, and the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.compile.program import CompiledModel
from exmc.errors import CompileError, ExmcError, ModelError
from exmc.ir.model import Model
from exmc.ir.operations import evaluate
from exmc.predictive.batch import Loops
from exmc.predictive.log_likelihood import pointwise
from exmc.predictive.predict import posterior_predictive, prior_predictive
from exmc.trace.draws import Draws
from exmc.trace.kept import LEFT_OUT, split_entries
from exmc.trace.schema import Schema, constant_data_names

LARGEST_GROUP_BYTES = 1 << 30
"""Groups that would be larger are left out: whoever needs them can ask for a part."""

Groups = dict[str, dict[str, NDArray[Any]]]


class Derived(NamedTuple):
    """Arrays by group and name, why some groups are left out, and what was computed by autograd, which is slow."""

    groups: Groups
    skipped: dict[str, str]
    notes: tuple[CompileError, ...]


def derived_groups(
    compiled: CompiledModel,
    draws: Draws,
    seed: int,
    *,
    prior_draws: int = 500,
    predictive: bool = True,
) -> Derived:
    """Everything a finished result holds besides draws and their statistics.

    A group that cannot be made is left out with the reason, and does not cost the draws: it can be made later.

    Parameters
    ----------
    draws
        With the groups ``posterior`` and ``unconstrained_posterior``; arrays here have their chains and draws.
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
    source, loops = compiled.source, compiled.loop_values
    predicted = ("posterior_predictive", LEFT_OUT) if predictive and source.observations else ()
    positions = _positions(compiled, draws.groups["unconstrained_posterior"])
    notes: list[CompileError] = []
    makers: dict[str, tuple[tuple[str, ...], Callable[[], Groups]]] = {
        "log_likelihood": (
            ("log_likelihood", "log_prior"),
            lambda: _pointwise(compiled, positions, notes),
        ),
        "posterior_predictive": (
            predicted,
            lambda: {
                "posterior_predictive": posterior_predictive(
                    source, draws.groups["posterior"], seed, compiled.model, loops, draws.chains
                )
            },
        ),
        "prior": (
            ("prior", "prior_predictive") if prior_draws else (),
            lambda: _prior(source, prior_draws, seed, loops),
        ),
    }
    groups: Groups = {}
    skipped: dict[str, str] = {}
    for name, (made, make) in makers.items():
        samples = prior_draws if name == "prior" else positions.shape[0] * positions.shape[1]
        size = _bytes_of(draws.schema, samples, made)
        try:
            if size > LARGEST_GROUP_BYTES:
                skipped[name] = f"it would take {size / (1 << 30):.1f} GiB."
            elif made:
                groups |= make()
        except ExmcError as error:
            skipped[name] = str(error)
    values = {name: data.values for name, data in source.data.items()}
    groups["observed_data"] = {o.name: np.asarray(evaluate(o.value, values)) for o in source.observations}
    groups["constant_data"] = {name: values[name] for name in constant_data_names(source)}
    groups = split_entries(source, groups)
    return Derived({group: arrays for group, arrays in groups.items() if arrays}, skipped, tuple(notes))


def _pointwise(compiled: CompiledModel, positions: NDArray[np.float64], notes: list[CompileError]) -> Groups:
    terms = compiled.pointwise()
    notes += [] if terms.note is None else [terms.note]
    return pointwise(terms.function, terms.likelihoods, terms.priors, positions)


def _prior(source: Model, draws: int, seed: int, loops: Loops) -> Groups:
    found = prior_predictive(source, draws, seed, loops)
    if found.skipped:
        raise ModelError(found.skipped)
    return {"prior": found.prior, "prior_predictive": found.prior_predictive}


def _bytes_of(schema: Schema, samples: int, groups: Sequence[str]) -> int:
    """What the arrays of `groups` would take in memory, which is little unless there are many data."""
    return samples * sum(v.bytes_per_draw for group in groups for v in schema.groups.get(group, ()))


def _positions(compiled: CompiledModel, group: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """The draws on the unconstrained scale, shape (chain, draw, dimension)."""
    parts = [(group[entry.name], entry.size) for entry in compiled.layout.entries]
    return np.concatenate([array.reshape(*array.shape[:2], size) for array, size in parts], axis=2)
