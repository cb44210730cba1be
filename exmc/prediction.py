"""Posterior predictions for new data, from a result in memory or on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc.compile.sequential import loop_values
from exmc.derive import Groups
from exmc.errors import ModelError, StoreError, suggest
from exmc.inference import as_model, as_seed
from exmc.ir.builder import Builder
from exmc.ir.constants import constant_value
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.renew import predictable, with_new_data
from exmc.predictive.batch import Loops
from exmc.predictive.forecast import Forecast
from exmc.predictive.simulate import Samples
from exmc.sampling.options import SamplerOptions
from exmc.trace.dataset import build_datatree
from exmc.trace.kept import split_entries
from exmc.trace.schema import Schema, constant_data_names, predictions_schema
from exmc.trace.store import RunStore

_ELEMENTS_AT_ONCE = 1 << 20
_MOST_DRAWS = 500


class Part(NamedTuple):
    """What is predicted from successive draws of one chain: arrays (draws, ...) by group and name.

    `chain` is the chain's place among the others, `first` the place of its first draw.
    """

    chain: int
    first: int
    groups: Groups


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What is to be predicted, from which draws.

    Attributes
    ----------
    forecast
        How.
    names
        The variables.
    posterior
        The draws of the model's free variables, which may lie on disk.
    chains
        The labels of their chains.
    schema
        The arrays of the result.
    """

    forecast: Forecast
    names: tuple[str, ...]
    posterior: xr.Dataset
    chains: tuple[int, ...]
    schema: Schema

    @property
    def draws_at_once(self) -> int:
        """How many draws a part holds: as many as take some 8 MiB while they are computed, at most 500."""
        return int(np.clip(_ELEMENTS_AT_ONCE // max(self.forecast.elements, 1), 1, _MOST_DRAWS))

    def parts(self) -> Iterator[Part]:
        """The predictions, part by part: the values do not depend on how many draws a part holds."""
        step = self.draws_at_once
        # Draws on disk lie in chunks of hundreds, of which each is to be read once.
        block = step * -(-_MOST_DRAWS // step)
        for place, label in enumerate(self.chains):
            for start in range(0, self.schema.draws, block):
                held = self.posterior.isel(chain=place, draw=slice(start, start + block)).load()
                for first in range(0, held.sizes["draw"], step):
                    yield self._part(place, label, start + first, held.isel(draw=slice(first, first + step)))

    def _part(self, place: int, label: int, first: int, held: xr.Dataset) -> Part:
        count = held.sizes["draw"]
        samples = Samples(np.full(count, label, dtype=np.int64), np.arange(first, first + count))
        drawn = {str(name): array.transpose("draw", ...).values for name, array in held.data_vars.items()}
        values = self.forecast.values(samples, drawn)
        predicted = {name: values[name] for name in self.names}
        scores = self.forecast.log_likelihood(samples, values)
        groups = {"predictions": predicted} | ({"log_likelihood": scores} if scores else {})
        return Part(place, first, split_entries(self.forecast.renewed, groups))

    def data(self) -> Groups:
        """The groups without draws: the new data."""
        renewed = self.forecast.renewed
        groups = {
            "observed_data": {o.name: np.asarray(constant_value(o.value, renewed)) for o in renewed.observations},
            "predictions_constant_data": {n: renewed.data[n].values for n in constant_data_names(renewed)},
        }
        return split_entries(renewed, {group: arrays for group, arrays in groups.items() if arrays})

    def notes(self) -> list[str]:
        """What the user should know: which entries are drawn from their prior, what has no log likelihood."""
        new: dict[tuple[str, tuple[Any, ...]], list[str]] = {}
        for name, match in self.forecast.matches.items():
            for dim, labels in match.new.items():
                new.setdefault((dim, labels), []).append(name)
        found = [
            f"New along {dim!r}: {_listed(labels)}. There, {', '.join(names)} {'are' if len(names) > 1 else 'is'} drawn"
            " from the prior, given the other draws."
            for (dim, labels), names in new.items()
        ]
        unscored = self.forecast.unscored
        return found + [f"{name} has no log likelihood: it observes a deterministic." for name in unscored]


def _listed(labels: Sequence[Any], most: int = 5) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(map(str, labels[:most])) + more


def prepare(
    posterior: xr.Dataset,
    source: Model,
    data: Mapping[str, Any],
    coords: Mapping[str, Any],
    seed: int,
    variables: Sequence[str] | None = None,
    loops: Loops | None = loop_values,
) -> Prediction:
    """What `predict` predicts, before it does.

    Raises `ModelError` for data that do not fit `source`, and for a posterior that is not its own.
    """
    renewed = with_new_data(source, data, coords, variables)
    names = tuple(n.name for n in source.nodes if n.name in (variables or predictable(source)))
    if not names:
        raise ModelError("the model has nothing to predict: it observes nothing.", remedy="Name variables of it.")
    forecast = Forecast.of(source, renewed.model, seed, loops)
    own = _own_draws(posterior, source)
    chains = tuple(int(label) for label in own["chain"].values)
    schema = predictions_schema(renewed.model, names, forecast.scored, own.sizes["draw"], len(chains))
    return Prediction(forecast, names, own, chains, schema)


def predict(
    trace: xr.DataTree | str | os.PathLike[str],
    model: Model | Builder,
    data: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
    *,
    seed: int | None = None,
    variables: str | Sequence[str] | None = None,
) -> xr.DataTree:
    """Posterior predictions of `model` for new data.

    Parameters
    ----------
    trace
        What `sample` returned for `model`, or the directory of a finished run of it.
    data
        New values by the name of the data, or of the observation that they are values of; of other lengths too. Data
        that are not given stay as they are, and what is observed and not given is only simulated.
    coords
        New labels by dim. Draws are matched to them: entries of parameters that have a label of the run keep their
        draws, those of others, new groups, are drawn from their prior given the other draws.
    seed
        Decides every random number; None: that of `trace`.
    variables
        What to predict; None: observed variables, and the deterministics that the model keeps.

    Returns
    -------
    DataTree
        The groups ``predictions`` and ``predictions_constant_data``; where values of observed variables are given,
        also ``observed_data`` and their ``log_likelihood``, one an event.

    Raises
    ------
    ModelError
        For data that do not fit the model; the message says which.
    SamplingError
        For a seed that is none.
    StoreError
        If there is no finished run in a directory, or no posterior.
    """
    tree = trace if isinstance(trace, xr.DataTree) else _finished(trace)
    if "posterior" not in tree.children:
        raise StoreError("there is no group 'posterior'.", remedy=suggest("posterior", tree.children))
    used = SamplerOptions(seed=seed_of(tree.attrs) if seed is None else as_seed(seed)).seed
    variables = (variables,) if isinstance(variables, str) else variables
    plan = prepare(tree["posterior"].to_dataset(), as_model(model), data or {}, coords or {}, used, variables)
    parts: dict[str, dict[str, list[list[NDArray[Any]]]]] = {}
    for part in plan.parts():
        for group, arrays in part.groups.items():
            for name, array in arrays.items():
                chains = parts.setdefault(group, {}).setdefault(name, [[] for _ in plan.chains])
                chains[part.chain].append(array)
    groups = {
        g: {n: np.stack([np.concatenate(c) for c in cs]) for n, cs in found.items()} for g, found in parts.items()
    }
    return build_datatree(plan.schema, groups | plan.data(), {"seed": used, "notes": plan.notes()}, chains=plan.chains)


def seed_of(attributes: Mapping[Any, Any]) -> int:
    """The seed of the run with these attributes of the root, or one from the operating system."""
    found = attributes.get("seed", attributes.get("sampler", {}).get("seed"))
    return int(as_seed(found))


def _finished(directory: str | os.PathLike[str]) -> xr.DataTree:
    store = RunStore.open(directory)
    if not store.complete:
        raise StoreError("the run is unfinished.", where=(str(directory),), remedy="Finish it: exmc resume.")
    return store.read(loaded=False)


def _own_draws(posterior: xr.Dataset, source: Model) -> xr.Dataset:
    """The free variables of `source` in `posterior`."""
    types = infer_types(source)
    names = [v.name for v in source.free if v.name in posterior.data_vars]
    if not names:
        raise ModelError("the posterior holds no variable of this model.", remedy="Is it that of another one?")
    for name in names:
        shape = posterior[name].transpose("chain", "draw", ...).shape[2:]
        if shape != types[name].shape:
            raise ModelError(
                f"the posterior draws have shape (chain, draw, *{shape}), not (chain, draw, *{types[name].shape}).",
                where=("variables", name),
                remedy="Is the posterior that of another model?",
            )
    return posterior[names]
