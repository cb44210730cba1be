"""Prior and posterior predictive simulation, in the shapes of the results' groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exmc.errors import ModelError
from exmc.ir.declarations import parents
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic, RandomVariable
from exmc.predictive.batch import Loops
from exmc.predictive.simulate import Samples, simulate

Arrays = dict[str, NDArray[Any]]


class PriorPrediction(NamedTuple):
    """Draws from the prior, each array of shape (1, draws, ...); empty, with the reason, where there can be none."""

    prior: Arrays
    prior_predictive: Arrays
    skipped: str = ""


def prior_predictive(source: Model, draws: int, seed: int, loops: Loops | None = None) -> PriorPrediction:
    """Draw every variable of `source` from its prior, then data; `loops` as in `simulate`.

    A model with an improper prior, or one whose priors allow parameters that mean nothing, has no prior predictive
    distribution: `skipped` then says why.
    """
    try:
        values = simulate(source, seed, "prior", Samples.grid([0], draws), loops=loops)
    except ModelError as error:
        return PriorPrediction({}, {}, str(error))
    kept = [n.name for n in source.nodes if n in source.free or (isinstance(n, Deterministic) and n.keep)]
    return PriorPrediction(
        {name: values[name][None] for name in kept},
        {o.name: values[o.name][None] for o in source.observations},
    )


def posterior_predictive(
    source: Model,
    posterior: Mapping[str, ArrayLike],
    seed: int,
    rewritten: Model | None = None,
    loops: Loops | None = None,
    chains: Sequence[int] | None = None,
) -> Arrays:
    """New data for each posterior draw: an array of shape (chain, draw, ...) per observation of `source`.

    Parameters
    ----------
    posterior
        Constrained values: arrays of shape (chain, draw, ...) by name. Free variables of `source` that are missing are
        drawn given the others.
    seed
        The run's.
    rewritten
        What was sampled, if it is not `source`: variables which it solved for the data (lifted observations) are then
        drawn anew, even if the posterior has them.
    loops
        As in `simulate`.
    chains
        The labels of the chains, by default 0, 1, …: a chain's predictions do not depend on which others there are.

    Raises
    ------
    ModelError
        If a variable cannot be drawn or has the wrong shape.
    """
    arrays = _posterior_arrays(source, posterior)
    given = {name: values for name, values in arrays.items() if name not in lifted(source, rewritten)}
    if not arrays:
        raise ModelError("the posterior holds no variable of this model.", remedy="Is it that of another one?")
    count, draws = next(iter(arrays.values())).shape[:2]
    samples = Samples.grid(np.arange(count) if chains is None else chains, draws)
    flat = {name: values.reshape(len(samples), *values.shape[2:]) for name, values in given.items()}
    values = simulate(source, seed, "posterior", samples, flat, loops)
    return {o.name: values[o.name].reshape(count, draws, *values[o.name].shape[1:]) for o in source.observations}


def lifted(source: Model, rewritten: Model | None) -> frozenset[str]:
    """Free variables of `source` that `rewritten` no longer samples, but computes from data.

    A variable that it computes from an auxiliary one (non-centred) is a parameter still.
    """
    if rewritten is None:
        return frozenset()
    still = {v.name for v in rewritten.free}
    return frozenset(v.name for v in source.free if v.name not in still and not _from_auxiliary(v.name, rewritten))


def _from_auxiliary(name: str, model: Model) -> bool:
    seen: set[str] = set()
    pending = [name]
    while pending:
        current = pending.pop()
        if current in seen or current not in model:
            continue
        seen.add(current)
        node = model[current]
        if isinstance(node, RandomVariable) and node.auxiliary:
            return True
        # Parameters of a random variable do not compute it.
        if isinstance(node, Deterministic):
            pending.extend(parents(node))
    return False


def _posterior_arrays(source: Model, posterior: Mapping[str, ArrayLike]) -> Arrays:
    """The free variables of `source` as arrays (chain, draw, ...)."""
    types = infer_types(source)
    found: Arrays = {}
    for variable in source.free:
        if variable.name not in posterior:
            continue
        values = np.asarray(posterior[variable.name])
        shape = types[variable.name].shape
        if values.ndim != 2 + len(shape) or values.shape[2:] != shape:
            raise ModelError(
                f"the posterior draws have shape {values.shape}, not (chain, draw, *{shape}).",
                where=("variables", variable.name),
            )
        found[variable.name] = values
    return found
