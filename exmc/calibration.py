"""Simulation-based calibration, one replication at a time: parameters and data from the model, and their ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from exmc.chains import Limits
from exmc.compile.kernel import Engine
from exmc.diagnostics.summary import stacked, summarise
from exmc.errors import ExmcError, ModelError
from exmc.inference import sample_model
from exmc.ir.calls import form_of, law_at
from exmc.ir.declarations import expressions_of
from exmc.ir.expressions import Reference, names_in
from exmc.ir.infer import infer_types
from exmc.ir.missing import missing_in
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Data, Node, Observation, RandomVariable
from exmc.ir.operations import as_number, evaluate
from exmc.predictive.simulate import Samples, simulate
from exmc.sampling.options import SamplerOptions

if TYPE_CHECKING:
    import xarray as xr

RANKED_DRAWS = 99
"""How many of a replication's draws a true value is ranked among: 100 possible ranks, and room to thin."""

JOINT = "log_likelihood"
"""The name of the quantity that depends on parameters and data together: the log likelihood of all data."""

# A word that sets these random numbers apart from all others of the same seed.
_SEED_WORD = 0x736263

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Replication:
    """What one replication found.

    Attributes
    ----------
    number
        Which one.
    ranks
        For each variable, how many of `RANKED_DRAWS` posterior draws are below the value that the data were simulated
        from, by element; ties are broken at random.
    ess
        The smallest bulk effective sample size of its scalars, over all draws.
    r_hat
        The largest R-hat.
    divergences
        Over all chains, after warm-up.
    failure
        Why there are no ranks; empty if there are.
    """

    number: int
    ranks: Mapping[str, NDArray[np.int64]]
    ess: float = float("nan")
    r_hat: float = float("nan")
    divergences: int = 0
    failure: str = ""


def check_calibratable(source: Model, options: SamplerOptions) -> None:
    """Raise `ModelError` if data that are simulated from `source` could not be fitted by it."""
    if not source.observations:
        raise ModelError("it has no observed variable.", where=("variables",), remedy="Calibration simulates data.")
    if options.chains * options.draws < RANKED_DRAWS:
        raise ModelError(
            f"{options.chains * options.draws} draws are too few to rank among: {RANKED_DRAWS} are needed."
        )
    observed = {name for o in source.observations for name in names_in(o.value)}
    for observation in source.observations:
        where = ("variables", observation.name)
        if observation.weight is not None:
            remedy = "Calibrate the model without weight."
            message = "a weighted likelihood is none that data can be drawn from."
            raise ModelError(message, where=(*where, "weight"), remedy=remedy)
        if any(name not in source.data for name in names_in(observation.value)):
            raise ModelError("its observed values depend on variables of the model.", where=(*where, "observed"))
    for node in source.nodes:
        for key, expression in expressions_of(node).items():
            shared = observed & set(names_in(expression)) if key not in ("observed", "mask") else set()
            if shared:
                message = f"{min(shared)!r} is observed and used to predict at once: new values cannot be simulated."
                raise ModelError(message, where=("variables", node.name, key))


def replicate(source: Model, options: SamplerOptions, number: int, engine: Engine = "native") -> Replication:
    """Draw parameters and data from `source`, fit it to the data, and rank the parameters among the draws.

    If posterior draws are right, each rank is uniform on 0, 1, …, `RANKED_DRAWS` over replications (Talts et al. 2018,
    "Validating Bayesian inference algorithms with simulation-based calibration"). Besides the variables of the
    posterior, the log likelihood is ranked, which finds faults that no parameter shows (Modrák et al. 2023).

    The result depends on `source`, `options`, `engine` and `number` alone. What goes wrong with the model in it is
    told in its `failure`.
    """
    try:
        truth = {name: values[0] for name, values in simulate(source, options.seed, "sbc", Samples.one(number)).items()}
        model = with_observed(source, truth)
        chains = replace(options, seed=replication_seed(options.seed, number))
        tree = sample_model(model, chains, engine=engine, predictive=False, limits=Limits(min_chains=chains.chains))
        return _ranked(model, truth, tree, number, options.seed)
    except ExmcError as error:
        return Replication(number, {}, failure=str(error))


def replication_seed(seed: int, number: int) -> int:
    """The seed of the chains of replication `number`."""
    words = np.random.SeedSequence(seed, spawn_key=(_SEED_WORD, number)).generate_state(2, np.uint32)
    return int(words[0]) << 31 | int(words[1]) >> 1


def with_observed(source: Model, values: Mapping[str, NDArray[Any]]) -> Model:
    """`source` with the values of its observations replaced by those in `values`, by name of the observation.

    What is missing stays missing.
    """
    data = {name: d for name, d in source.data.items() if d.kind != "float" or not np.isnan(d.values).any()}
    nodes: list[Node] = []
    types, gaps = infer_types(source), missing_in(source)
    for node in source.nodes:
        if isinstance(node, Observation):
            name, seen = f"{node.name}_simulated", values[node.name]
            seen = np.where(gaps[node.name].elements, np.nan, seen) if node.name in gaps else seen
            data[name] = Data(name, seen, types[node.name].dims)
            node = replace(node, value=Reference(name))
        nodes.append(node)
    return replace(source, nodes=tuple(nodes), data=data)


def log_likelihood(source: Model, values: Mapping[str, Any]) -> float | None:
    """The log likelihood of all observations of `source`, its variables having `values`.

    None if a deterministic is observed: its values have no distribution of their own.
    """
    everything = {name: data.values for name, data in source.data.items()} | dict(values)
    total, gaps = 0.0, missing_in(source)
    for observation in source.observations:
        target = observation.target if isinstance(observation.target, Call) else source[observation.target.name]
        if not isinstance(target, Call | RandomVariable):
            return None
        call = target if isinstance(target, Call) else target.call
        seen = evaluate(observation.value, everything)
        pointwise = np.asarray(law_at(call, everything).log_density(as_number(seen)))
        mask = True if observation.mask is None else np.asarray(evaluate(observation.mask, everything), dtype=bool)
        seen_whole = ~gaps[observation.name].entries if observation.name in gaps else True
        total += float(np.sum(np.where(mask & seen_whole, pointwise, 0.0)))
    return total


def _ranked(model: Model, truth: Arrays, tree: xr.DataTree, number: int, seed: int) -> Replication:
    posterior = tree["posterior"].to_dataset()
    draws = {str(name): np.asarray(array.values) for name, array in posterior.data_vars.items()}
    gaps = {m.variable: truth[m.name][m.places] for m in missing_in(model).values()}
    # Probabilities of variables that are summed out have no true value, nor has the sum over these variables.
    draws = {name: values for name, values in draws.items() if name in gaps or name in truth}
    true = {name: gaps[name] if name in gaps else truth[name] for name in draws}
    summed = any(form_of(v.call).discrete for v in model.free)
    joint = None if summed else log_likelihood(model, truth)
    if joint is not None and "log_likelihood" in tree.children and JOINT not in draws:
        pointwise = stacked(list(tree["log_likelihood"].to_dataset().data_vars.values()))
        draws[JOINT], true[JOINT] = np.nansum(pointwise, axis=0), np.asarray(joint)
    generator = np.random.default_rng([seed, _SEED_WORD, number])
    table = summarise(tree)
    moving = ~table["constant"].values
    return Replication(
        number,
        {name: _rank(true[name], draws[name], generator) for name in draws},
        ess=float(np.min(table["ess_bulk"].values[moving], initial=np.inf)),
        r_hat=float(np.max(table["r_hat"].values[moving], initial=0.0)),
        divergences=int(tree["sample_stats"]["diverging"].sum()),
    )


def _rank(true: NDArray[Any], draws: NDArray[Any], generator: np.random.Generator) -> NDArray[np.int64]:
    """The rank of each element of `true`, shape S, among `RANKED_DRAWS` of `draws`, shape (chain, draw, *S)."""
    pooled = draws.reshape(-1, *draws.shape[2:])
    kept = pooled[np.linspace(0, len(pooled) - 1, RANKED_DRAWS).round().astype(int)]
    below, equal = (kept < true).sum(axis=0), (kept == true).sum(axis=0)
    return np.asarray(below + generator.integers(0, equal + 1), dtype=np.int64)
