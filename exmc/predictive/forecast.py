"""Predictions for new data, part by part of the draws: what memory they take does not depend on how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import ModelError
from exmc.ir.calls import batch_of, form_of, law_of
from exmc.ir.constants import constant_value
from exmc.ir.declarations import parents
from exmc.ir.expressions import Reference
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.ir.operations import as_number
from exmc.predictive.batch import Batch, Loops, evaluate, take
from exmc.predictive.matching import Match, match_draws
from exmc.predictive.simulate import Samples, simulate

Arrays = dict[str, NDArray[Any]]
PURPOSE = "predictions"


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """How to predict from draws of `source`.

    Attributes
    ----------
    renewed
        `source` with the new data: `exmc.ir.renew.with_new_data`.
    matches
        How draws fit its variables, by name.
    seed
        Decides what is drawn.
    loops
        As in `simulate`.
    """

    source: Model
    renewed: Model
    matches: Mapping[str, Match]
    seed: int
    loops: Loops | None

    @classmethod
    def of(cls, source: Model, renewed: Model, seed: int, loops: Loops | None = None) -> Forecast:
        """Raises `ModelError` as `match_draws` does."""
        return cls(source, renewed, match_draws(source, renewed), seed, loops)

    @property
    def elements(self) -> int:
        """How many numbers one draw takes while it is computed."""
        types = infer_types(self.renewed)
        return sum(types[node.name].size for node in self.renewed.nodes)

    @property
    def scored(self) -> tuple[str, ...]:
        """The observations that have a log likelihood: those with values, unless they observe a deterministic."""
        return tuple(o.name for o in self.renewed.observations if _call_of(o, self.renewed) is not None)

    def values(self, samples: Samples, posterior: Mapping[str, NDArray[Any]]) -> Arrays:
        """Every variable of `renewed` for each of `samples`, shape (samples, ...).

        `posterior` holds the draws of the free variables of `source`, in their old shapes; a variable that is not
        there is drawn given the others, and so is one of an entry that is new.
        """
        given = {name: self.matches[name].take(draws) for name, draws in posterior.items() if name in self.matches}
        known = {name: mask for name in given if (mask := self.matches[name].known) is not None}
        return simulate(self.renewed, self.seed, PURPOSE, samples, given, self.loops, known)

    def log_likelihood(self, samples: Samples, values: Arrays) -> Arrays:
        """Log likelihoods of the new values seen, shape (samples, ...): one an event, without weights, 0 where masked.

        `values` are those of the variables, as `values` gives them.
        """
        if not self.scored:
            return {}
        seen = self._seen()
        if any(set(parents(node)) & seen.keys() for node in self.renewed.nodes if not isinstance(node, Observation)):
            # Others depend on what was seen, and not on what was simulated in its place.
            free = {v.name: values[v.name] for v in self.renewed.free}
            spread = {n: np.broadcast_to(v, (len(samples), *np.shape(v))) for n, v in seen.items()}
            values = simulate(self.renewed, self.seed, PURPOSE, samples, free | spread, self.loops)
        data = {name: datum.values for name, datum in self.renewed.data.items()}
        known = data | {name: Batch(array) for name, array in values.items()}
        with np.errstate(all="ignore"):
            return {
                o.name: _pointwise(o, self.renewed, known, len(samples), seen[o.name])
                for o in self.renewed.observations
                if o.name in self.scored
            }

    def _seen(self) -> Arrays:
        """The values seen, by the names of the observations and of the random variables that they observe."""
        found: Arrays = {}
        for node in self.renewed.observations:
            found[node.name] = np.asarray(as_number(constant_value(node.value, self.renewed)))
            if isinstance(node.target, Reference) and isinstance(self.renewed[node.target.name], RandomVariable):
                found[node.target.name] = found[node.name]
        return found

    @property
    def unscored(self) -> tuple[str, ...]:
        """The observations that have values, but no log likelihood, since what they observe has no distribution."""
        return tuple(o.name for o in self.renewed.observations if o.name not in self.scored)


def _call_of(node: Observation, model: Model) -> Call | None:
    if isinstance(node.target, Call):
        return node.target
    target = model[node.target.name]
    return None if isinstance(target, Deterministic | Observation) else target.call


def _pointwise(
    node: Observation, model: Model, values: Mapping[str, Any], count: int, seen: NDArray[Any]
) -> NDArray[np.float64]:
    call = _call_of(node, model)
    assert call is not None
    shape = batch_of(infer_types(model)[node.name], form_of(call)).shape
    laws = law_of(call, lambda e: evaluate(e, values, count))
    kept: Any = True if node.mask is None else np.asarray(constant_value(node.mask, model), dtype=bool)
    found = np.empty((count, *shape))
    try:
        for i in range(count):
            law = laws.map(lambda value, i=i: as_number(take(value, i)))  # type: ignore[misc]
            found[i] = np.where(kept, law.log_density(seen), 0.0)
    except ModelError as error:
        raise error.within("variables", node.name) from None
    return found
