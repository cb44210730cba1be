"""Sampling a model in this process, without a cluster or a run directory."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from traceback import format_exception
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from exmc.blame import explained
from exmc.compile.kernel import Engine
from exmc.compile.layout import layout_of
from exmc.compile.oracle import give_autograd_up
from exmc.compile.program import CompiledModel, compile_model
from exmc.compile.sequential import loop_values
from exmc.derive import Groups, derived_groups
from exmc.errors import ExmcError, ModelError, SamplingError, brief
from exmc.ir import serial
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.ir.notes import model_notes
from exmc.ir.proper import check_proper
from exmc.predictive.predict import prior_predictive as simulate_prior
from exmc.rewrite.run import rewrite
from exmc.sampling.chain import Block, advance, begin
from exmc.sampling.options import SamplerOptions
from exmc.sampling.watchdog import Pulse, StuckError, watched
from exmc.trace.dataset import build_datatree
from exmc.trace.kept import split_entries
from exmc.trace.schema import schema_of

WATCHDOG_SECONDS = 600.0
"""How long one gradient may take, unless the user says otherwise."""


def sample(
    model: Model | Builder,
    *,
    draws: int = 1000,
    warmup: int = 1000,
    chains: int = 4,
    seed: int | None = None,
    target_accept: float = 0.8,
    max_treedepth: int = 10,
    metric: str = "diagonal",
    engine: Engine = "native",
    predictive: bool = True,
    watchdog: float | None = WATCHDOG_SECONDS,
    min_chains: int | None = None,
) -> xr.DataTree:
    """Draw from the posterior of `model` by NUTS, chains in threads of this process.

    Parameters
    ----------
    model
        A `Builder` is built first.
    draws, warmup, chains
        Counts; `draws` and `warmup` are per chain.
    seed
        Decides every random number. None: drawn from the operating system, and stored in the attribute ``seed``.
    target_accept, max_treedepth, metric
        See `exmc.sampling.options.SamplerOptions`.
    engine
        "native" (machine code) or "autograd" (interpreted).
    predictive
        Whether to simulate prior and posterior predictive data too.
    watchdog
        A chain that spends so many seconds on one gradient is given up. None: nobody watches. The thread in which it is
        stuck cannot be ended; while it has autograd, whatever else needs that in this process is an error at once.
    min_chains
        How many chains must finish, by default two (or one, of one). Those that fail are left out, with a warning;
        the attribute ``failed_chains`` has the traceback of each.

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
    options = SamplerOptions(
        seed=as_seed(seed),
        draws=_plain(draws),
        warmup=_plain(warmup),
        chains=_plain(chains),
        target_accept=target_accept,
        max_treedepth=_plain(max_treedepth),
        metric=metric,
    )
    try:
        return sample_model(
            as_model(model), options, engine=engine, predictive=predictive, watchdog=watchdog, min_chains=min_chains
        )
    except MemoryError as error:
        raise SamplingError(
            f"the model and its draws do not fit in memory: {error}.",
            remedy="Check the shapes of the variables, draw less, or run a config, which keeps draws on disk.",
        ) from error


def sample_model(
    source: Model,
    options: SamplerOptions,
    *,
    engine: Engine = "native",
    predictive: bool = True,
    watchdog: float | None = WATCHDOG_SECONDS,
    min_chains: int | None = None,
) -> xr.DataTree:
    """What `sample` does, with all of the sampler's options."""
    least = _least(min_chains, watchdog, options)
    check_proper(source)
    compiled = compile_model(source, rewrite(source).model, engine=engine)
    if not compiled.layout.dimension:
        raise SamplingError("the model has no free variables, so there is nothing to sample.")
    _require_memory(compiled, options)
    schema = schema_of(source, compiled.model, compiled.layout, options.draws, options.warmup, options.chains)
    attributes = {"seed": options.seed, "model_digest": serial.digest(source), "engine": compiled.engine}
    finished, failed = _run_chains(compiled, options, watchdog)
    if len(finished) < least:
        raise _too_few(failed, least, options)
    for chain, error in failed.items():
        warnings.warn(f"chain {chain} failed and is left out: {_said(error)}", RuntimeWarning, stacklevel=3)
    attributes["failed_chains"] = [{"chain": c, "traceback": "".join(format_exception(e))} for c, e in failed.items()]
    groups, chains = _sampled_groups(compiled, list(finished.values())), list(finished)
    tree = build_datatree(schema, groups, attributes, chains=chains)
    prior_draws = 500 if predictive else 0
    derived = derived_groups(compiled, schema, tree, options.seed, prior_draws=prior_draws, predictive=predictive)
    notes = [str(note) for note in (*model_notes(source), *compiled.notes, *derived.notes)]
    attributes |= {"skipped_groups": derived.skipped, "notes": notes}
    return build_datatree(schema, groups | derived.groups, attributes, chains=chains)


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


def _least(min_chains: int | None, watchdog: float | None, options: SamplerOptions) -> int:
    least = min(2, options.chains) if min_chains is None else _plain(min_chains)
    if not isinstance(least, int) or isinstance(least, bool) or not 1 <= least <= options.chains:
        remedy = f"Give a whole number from 1 to {options.chains}, the number of chains."
        raise SamplingError(f"{brief(min_chains)} is no number of chains.", where=("min_chains",), remedy=remedy)
    if watchdog is not None and not (isinstance(watchdog, int | float) and watchdog > 0):
        remedy = "Give a positive number, or None."
        raise SamplingError(f"{brief(watchdog)} is no number of seconds.", where=("watchdog",), remedy=remedy)
    return least


def _require_memory(compiled: CompiledModel, options: SamplerOptions) -> None:
    """Raise `MemoryError` at once, not chain by chain, if the positions of all draws would not fit."""
    shape = options.chains, options.draws, compiled.layout.dimension
    try:
        np.empty(shape)
    except ValueError as error:
        raise MemoryError(f"an array of shape {shape} is larger than any can be") from error


def _too_few(failed: Mapping[int, BaseException], least: int, options: SamplerOptions) -> BaseException:
    chain, error = min(failed.items())
    if len(failed) == options.chains:
        return error
    found = SamplingError(
        f"{len(failed)} of {options.chains} chains failed, and {least} must finish; chain {chain}: {_said(error)}",
        where=("min_chains",),
    )
    found.__cause__ = error
    return found


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, ExmcError) else f"{type(error).__name__}: {error}"


def _run_chains(
    compiled: CompiledModel, options: SamplerOptions, watchdog: float | None
) -> tuple[dict[int, Block], dict[int, BaseException]]:
    """The draws of each chain that finished, and what each of the others failed of."""
    # Kernels hold no GIL, so threads are enough; more threads in BLAS would change last bits and gain nothing.
    workers = min(options.chains, os.cpu_count() or 1)
    with threadpool_limits(1), ThreadPoolExecutor(workers, thread_name_prefix="exmc-chain") as pool:
        ended = list(pool.map(partial(_try_chain, compiled, options, watchdog), range(options.chains)))
    finished = {chain: block for chain, block in enumerate(ended) if isinstance(block, Block)}
    return finished, {chain: error for chain, error in enumerate(ended) if isinstance(error, BaseException)}


def _try_chain(
    compiled: CompiledModel, options: SamplerOptions, watchdog: float | None, chain: int
) -> Block | BaseException:
    try:
        return watched(partial(_run_chain, compiled, options, chain), watchdog)
    except MemoryError:
        raise
    except StuckError as error:
        give_autograd_up()
        return error
    except (Exception, SystemExit) as error:
        return error


def _run_chain(compiled: CompiledModel, options: SamplerOptions, chain: int, pulse: Pulse) -> Block:
    density, given_up = compiled.density(), lambda: pulse.abandoned
    try:
        state = begin(density, options, chain, pulse=pulse)
    except SamplingError as error:
        raise explained(error, compiled) from None
    state, _ = advance(density, options, state, options.warmup, given_up, pulse=pulse)
    _, block = advance(density, options, state, options.draws, given_up, pulse=pulse)
    return block


def _sampled_groups(compiled: CompiledModel, blocks: list[Block]) -> Groups:
    layout = compiled.layout
    return {
        "posterior": _stacked([compiled.constrain(b.positions) for b in blocks]),
        "sample_stats": _stacked([b.statistics for b in blocks]),
        "unconstrained_posterior": _stacked([layout.columns(b.positions) for b in blocks]),
    }


def _stacked(chains: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """One array per name, chains along its first axis."""
    return {name: np.stack([chain[name] for chain in chains]) for name in chains[0]}
