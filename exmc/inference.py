"""Sampling a model in this process, without a cluster or a run directory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from exmc.chains import WATCHDOG_SECONDS, Chain, Ended, Limits, run_chains, run_each, stacked, threads
from exmc.compile.kernel import Engine
from exmc.compile.layout import layout_of
from exmc.compile.program import CompiledModel, compile_model
from exmc.compile.sequential import loop_values
from exmc.derive import Groups, derived_groups
from exmc.diagnostics.until import Until, until_of
from exmc.errors import ModelError, SamplingError, brief
from exmc.fitting import fit_model, problem_of
from exmc.ir import serial
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.ir.notes import model_notes
from exmc.ir.proper import check_proper
from exmc.late import imported
from exmc.lengthening import run_until
from exmc.methods import NUTS, described, method_of, settings_of, statistics_of
from exmc.methods.chain import FittedState, advance_fitted
from exmc.predictive.predict import prior_predictive as simulate_prior
from exmc.rewrite.run import rewrite
from exmc.sampling.chain import Block
from exmc.sampling.options import ADAPTATION, SamplerOptions, TargetAccept, defaults_of
from exmc.sampling.watchdog import Pulse
from exmc.trace.dataset import build_datatree
from exmc.trace.draws import Draws
from exmc.trace.kept import split_entries
from exmc.trace.schema import schema_of

if TYPE_CHECKING:
    import xarray as xr


def sample(
    model: Model | Builder,
    *,
    draws: int = 1000,
    warmup: int | None = None,
    chains: int = 4,
    seed: int | None = None,
    target_accept: TargetAccept | None = None,
    max_treedepth: int = 10,
    metric: str | None = None,
    adaptation: str = ADAPTATION,
    pool_metric: bool = False,
    engine: Engine = "native",
    predictive: bool = True,
    watchdog: float | None = WATCHDOG_SECONDS,
    min_chains: int | None = None,
    init: str | Mapping[str, Any] = "uniform",
    method: str = NUTS,
    settings: Mapping[str, Any] | None = None,
    until: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Draw from the posterior of `model`, by NUTS if nothing else is asked for, chains in threads of this process.

    Parameters
    ----------
    model
        A `Builder` is built first.
    draws, warmup, chains
        Counts; `draws` and `warmup` are per chain. A chain warms up for 400 iterations, or, with the adaptation "stan",
        1000.
    seed
        Decides every random number. None: drawn from the operating system, and stored in the attribute ``seed``.
    target_accept, max_treedepth, metric, adaptation, pool_metric, init
        See `exmc.sampling.options.SamplerOptions`. The metric and the target are "auto", or, with the
        adaptation "stan", "diagonal" and 0.8.
    engine
        "native" (machine code) or "autograd" (interpreted).
    predictive
        Whether to simulate prior and posterior predictive data too.
    watchdog
        A chain, or a part of another method's fit, that spends so many seconds on one gradient is given up. None:
        nobody watches. The thread in which it is stuck cannot be ended; while it has autograd, whatever else needs that
        here is an error at once.
    min_chains
        How many chains must finish, by default two (or one, of one). Those that fail are left out, with a warning;
        the attribute ``failed_chains`` has the traceback of each.
    method, settings
        "nuts", or one of `exmc.methods.METHODS` and its own options; `warmup`, `target_accept`, `max_treedepth`,
        `metric` and `init` are those of NUTS alone. The attribute ``method`` of the result says what its draws are.
    until
        What chains of NUTS shall reach: `draws` is then how many they begin with, and they go on until every scalar
        has it, such as ``{"ess": 400, "rhat": 1.01}``, at most for ``max_draws`` (20,000) or ``max_seconds``; see
        `exmc.diagnostics.until.Until`. The attribute ``until`` says whether it was reached.

    Returns
    -------
    DataTree
        The groups of the ArviZ schema that a finished run directory has too.

    Raises
    ------
    ExmcError
        For a model that means nothing, options out of range, and too many chains that cannot be sampled.
    Exception
        What a function of one's own raised, if all chains failed.
    """
    usual = defaults_of(adaptation)
    options = SamplerOptions(
        seed=as_seed(seed),
        draws=_plain(draws),
        warmup=_plain(usual.warmup if warmup is None else warmup) if method == NUTS else 0,
        chains=_plain(chains),
        target_accept=usual.target_accept if target_accept is None else target_accept,
        max_treedepth=_plain(max_treedepth),
        metric=usual.metric if metric is None else metric,
        adaptation=adaptation,
        pool_metric=pool_metric,
        init=init,
    )
    aim = None if until is None else until_of(until, options.draws)
    try:
        return sample_model(
            as_model(model), options, engine=engine, predictive=predictive, method=method, settings=settings,
            limits=Limits(watchdog, _plain(min_chains)), until=aim,
        )  # fmt: skip
    except MemoryError as error:
        raise SamplingError(
            f"the model and its draws do not fit in memory: {error}.",
            remedy="Check the shapes of the variables, draw less, or run a config, which keeps draws on disk.",
        ) from error


def sample_model(
    source: Model, options: SamplerOptions, *, engine: Engine = "native", predictive: bool = True, method: str = NUTS,
    settings: Mapping[str, Any] | None = None, limits: Limits | None = None, until: Until | None = None,
) -> xr.DataTree:  # fmt: skip
    """What `sample` does, with all of the sampler's options."""
    limits = limits or Limits()
    limits.least(options.chains)
    check_proper(source)
    said = described(method, settings or {})
    if until is not None and method != NUTS:
        raise SamplingError(f"the method {method} draws no further than it is asked to.", where=("until",))
    compiled = compile_model(source, rewrite(source).model, engine=engine)
    if not compiled.layout.dimension:
        raise SamplingError("the model has no free variables, so there is nothing to sample.")
    _require_memory(compiled, options)
    schema = schema_of(
        source, compiled.model, compiled.layout, options.draws, options.warmup, options.chains,
        statistics=statistics_of(method),
    )  # fmt: skip
    attributes: dict[str, Any] = {
        "seed": options.seed,
        "model_digest": serial.digest(source),
        "engine": compiled.engine,
    } | said
    if method != NUTS:
        drawn, attributes["method"] = _fit_and_draw(compiled, options, method, settings or {}, limits)
    elif until is not None:
        chains, verdict = run_until(compiled, options, limits, schema, until)
        drawn = _blocks(chains)
        attributes["until"] = asdict(until) | {"reached": verdict.reached, "reason": verdict.reason}
    else:
        drawn = _blocks(run_chains(compiled, options, limits, meanwhile=_import_xarray))
    attributes["failed_chains"] = drawn.documents()
    groups, labels = _sampled_groups(compiled, list(drawn.finished.values())), list(drawn.finished)
    held = Draws(schema, groups, tuple(labels), attributes)
    prior_draws = 500 if predictive else 0
    derived = derived_groups(compiled, held, options.seed, prior_draws=prior_draws, predictive=predictive)
    notes = [str(note) for note in (*model_notes(source), *compiled.notes, *derived.notes)]
    attributes |= {"skipped_groups": derived.skipped, "notes": notes}
    return build_datatree(schema, groups | derived.groups, attributes, chains=labels)


def prior_predictive(model: Model | Builder, draws: int = 500, seed: int | None = None) -> xr.DataTree:
    """Draws of `model` before it has seen data: the groups ``prior`` and ``prior_predictive``.

    Raises `SamplingError` for a model with an improper prior, which cannot be drawn from.
    """
    options = SamplerOptions(seed=as_seed(seed), draws=_plain(draws))
    source = as_model(model)
    rewritten = rewrite(source).model
    drawn = simulate_prior(source, options.draws, options.seed, loop_values)
    if drawn.skipped:
        raise SamplingError(f"there are no draws from the prior: {drawn.skipped}")
    schema = schema_of(source, rewritten, layout_of(rewritten), options.draws, 0, 1)
    groups = split_entries(source, {"prior": drawn.prior, "prior_predictive": drawn.prior_predictive})
    return build_datatree(schema, groups)


def as_model(model: Model | Builder) -> Model:
    """`model`, built if it is a builder; raises `ModelError` for anything else."""
    if isinstance(model, Builder):
        return model.build()
    if not isinstance(model, Model):
        raise ModelError(f"{brief(model)} is no model.", remedy="Give an exmc.Builder or what its build() returns.")
    return model


def as_seed(seed: int | None) -> Any:
    """`seed`, or one from the operating system."""
    return secrets.randbits(32) if seed is None else _plain(seed)


def _plain(count: Any) -> Any:
    """`count`, as a Python integer if it is one of numpy's; the options refuse what is none."""
    return int(count) if isinstance(count, np.integer) else count


def _require_memory(compiled: CompiledModel, options: SamplerOptions) -> None:
    """Raise `MemoryError` at once, not chain by chain, if the positions of all draws would not fit."""
    shape = options.chains, options.draws, compiled.layout.dimension
    try:
        np.empty(shape)
    except ValueError as error:
        raise MemoryError(f"an array of shape {shape} is larger than any can be") from error


def _blocks(ended: Ended[Chain]) -> Ended[Block]:
    return Ended({number: chain.block for number, chain in ended.finished.items()}, ended.failed)


def _import_xarray() -> None:
    """Import what the result is made of: a third of a second, which chains that draw need not wait for."""
    imported("xarray")


def _fit_and_draw(
    compiled: CompiledModel, options: SamplerOptions, name: str, given: Mapping[str, Any], limits: Limits
) -> tuple[Ended[Block], dict[str, Any]]:
    """The draws of each chain by a method beside NUTS, and what is said of its fit."""
    method, settings = method_of(name), settings_of(name, given)
    problem = problem_of(compiled, options, settings)
    with threads(os.cpu_count() or 1) as (pool, stop):
        fit = fit_model(method, compiled, problem, pool.map, limits.watchdog, stop)

    def draw(chain: int, pulse: Pulse) -> Block:
        return advance_fitted(method, replace(problem, pulse=pulse), fit, FittedState(chain, 0), options.draws)[1]

    return run_each(draw, dict.fromkeys(range(options.chains)), limits), method.describe(settings, fit)


def _sampled_groups(compiled: CompiledModel, blocks: list[Block]) -> Groups:
    layout = compiled.layout
    return {
        "posterior": stacked(compiled.constrain(b.positions) for b in blocks),
        "sample_stats": stacked(b.statistics for b in blocks),
        "unconstrained_posterior": stacked(layout.columns(b.positions) for b in blocks),
    }
