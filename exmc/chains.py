"""The chains of a model in threads of this process: each is watched, and one that fails fails alone."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from traceback import format_exception
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from exmc.blame import explained
from exmc.compile.oracle import give_autograd_up
from exmc.compile.program import CompiledModel
from exmc.density import LogDensity
from exmc.errors import ExmcError, SamplingError, brief
from exmc.nuts.pooling import Pooled
from exmc.sampling.chain import Block, advance, begin, pool
from exmc.sampling.options import SamplerOptions
from exmc.sampling.pooling import pooled_at, waits
from exmc.sampling.state import ChainState
from exmc.sampling.watchdog import Pulse, StuckError, watched
from exmc.starts import start_of

T = TypeVar("T")
WATCHDOG_SECONDS = 600.0
"""How long one gradient may take, unless the user says otherwise."""
# For so long chains have the processors and Python's lock to themselves: short ones take two to four times as long
# beside an import, which is then no sooner done.
_SECONDS_ALONE = 0.3


@dataclass(frozen=True, slots=True)
class Limits:
    """When a chain is given up, and how many must finish: `watchdog` seconds a gradient, `min_chains` (two, or one)."""

    watchdog: float | None = WATCHDOG_SECONDS
    min_chains: int | None = None

    def least(self, chains: int) -> int:
        """How many of `chains` must finish; raises `SamplingError` for limits that mean nothing."""
        least = min(2, chains) if self.min_chains is None else self.min_chains
        if not isinstance(least, int) or isinstance(least, bool) or not 1 <= least <= chains:
            remedy = f"Give a whole number from 1 to {chains}, the number of chains."
            raise SamplingError(
                f"{brief(self.min_chains)} is no number of chains.", where=("min_chains",), remedy=remedy
            )
        if self.watchdog is not None and not (isinstance(self.watchdog, int | float) and self.watchdog > 0):
            remedy = "Give a positive number, or None."
            raise SamplingError(f"{brief(self.watchdog)} is no number of seconds.", where=("watchdog",), remedy=remedy)
        return least


class Chain(NamedTuple):
    """A chain of NUTS so far: its draws, the state it goes on from, and its seconds, warm-up included and without.

    Of a chain that waits for others they are draws of warm-up.
    """

    block: Block
    state: ChainState
    seconds: float
    sampling: float


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """What each chain that finished came to, by its number, and what each of the others failed of."""

    finished: Mapping[int, T]
    failed: Mapping[int, BaseException] = field(default_factory=dict)

    def documents(self) -> list[dict[str, Any]]:
        """The failed chains as the attribute ``failed_chains`` of a result has them."""
        return [{"chain": chain, "traceback": "".join(format_exception(e))} for chain, e in self.failed.items()]


@contextlib.contextmanager
def threads(most: int) -> Iterator[tuple[Executor, threading.Event]]:
    """Threads for `most` pieces of work, as many as there are processors, and what is set if nobody wants it any more.

    That is when the caller leaves by an exception, such as Ctrl-C: what has not begun is then not begun.
    """
    # Kernels give the GIL up while they take long, so threads are enough; more threads in BLAS would change last bits
    # and gain nothing.
    workers, stop = min(most, os.cpu_count() or 1), threading.Event()
    with threadpool_limits(1), ThreadPoolExecutor(workers, thread_name_prefix="exmc-chain") as pool:
        try:
            yield pool, stop
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_each(
    work: Callable[[int, Pulse], T],
    chains: Mapping[int, BaseException | None],
    limits: Limits,
    meanwhile: Callable[[], object] | None = None,
) -> Ended[T]:
    """What `work` returns for each of `chains`, with a warning for each that fails and is left out.

    Parameters
    ----------
    chains
        By number what a chain failed of before, which it then did: there is nothing to do for it.
    meanwhile
        Called by the caller's thread while the others work, once they have had a moment for themselves.

    Raises
    ------
    SamplingError
        If fewer finish than must.
    BaseException
        What the first chain raised, if all failed.
    KeyboardInterrupt
        At Ctrl-C, once the chains have stopped, which they do between calls of machine code.
    """
    least = limits.least(len(chains))
    alive = [chain for chain, error in chains.items() if error is None]
    with threads(len(alive)) as (workers, stop):
        tries = [workers.submit(_try_chain, work, limits.watchdog, stop, chain) for chain in alive]
        if meanwhile is not None:
            wait(tries, _SECONDS_ALONE)
            meanwhile()
        found = {chain: ended.result() for chain, ended in zip(alive, tries, strict=True)}
    finished = {chain: what for chain, what in found.items() if not isinstance(what, _Failure)}
    failed = {chain: what.error for chain, what in found.items() if isinstance(what, _Failure)}
    result = Ended(finished, failed | {chain: error for chain, error in chains.items() if error is not None})
    if len(finished) < least:
        raise _too_few(result, least, len(chains))
    for chain, error in failed.items():
        warnings.warn(f"chain {chain} failed and is left out: {_said(error)}", RuntimeWarning, stacklevel=5)
    return result


def run_chains(
    compiled: CompiledModel, options: SamplerOptions, limits: Limits, meanwhile: Callable[[], object] | None = None
) -> Ended[Chain]:
    """Warm up and sample every chain by NUTS, from one pool of what they learn to the next; otherwise as `run_each`."""
    work = partial(_run_chain, compiled, options)
    ended = run_each(work, dict.fromkeys(range(options.chains)), limits, meanwhile)
    for _ in pooled_at(options):
        with threadpool_limits(1):
            pooled = pool(options, [chain.state for chain in ended.finished.values()])
        chains = {chain: ended.failed.get(chain) for chain in range(options.chains)}
        ended = run_each(partial(_go_on_together, compiled, options, ended.finished, pooled), chains, limits)
    return ended


def draw_on(compiled: CompiledModel, options: SamplerOptions, limits: Limits, drawn: Ended[Chain]) -> Ended[Chain]:
    """The chains of `drawn` with ``options.draws`` draws each, those that they have included; as `run_each`."""
    chains = {chain: drawn.failed.get(chain) for chain in range(options.chains)}
    return run_each(lambda chain, pulse: _go_on(compiled, options, drawn.finished[chain], pulse), chains, limits)


def stacked(chains: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """One array per name, chains along its first axis."""
    parts = list(chains)
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def _too_few(ended: Ended[Any], least: int, chains: int) -> BaseException:
    chain, error = min(ended.failed.items())
    if not ended.finished:
        return error
    message = f"{len(ended.failed)} of {chains} chains failed, and {least} must finish"
    found = SamplingError(f"{message}; chain {chain}: {_said(error)}", where=("min_chains",))
    found.__cause__ = error
    return found


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, ExmcError) else f"{type(error).__name__}: {error}"


class _Failure(NamedTuple):
    error: BaseException


def _try_chain(
    work: Callable[[int, Pulse], T], watchdog: float | None, stop: threading.Event, chain: int
) -> T | _Failure:
    try:
        return watched(partial(work, chain), watchdog, stop)
    except MemoryError:
        raise
    except StuckError as error:
        give_autograd_up()
        return _Failure(error)
    except (Exception, SystemExit) as error:
        return _Failure(error)


def _run_chain(compiled: CompiledModel, options: SamplerOptions, chain: int, pulse: Pulse) -> Chain:
    began, density = time.perf_counter(), compiled.density()
    try:
        start = start_of(compiled, options, chain, pulse)
        state = begin(density, options, chain, start.position, pulse, start.variances)
    except SamplingError as error:
        raise explained(error, compiled) from None
    return _advanced(density, options, state, None, began, pulse)


def _go_on_together(
    compiled: CompiledModel,
    options: SamplerOptions,
    waiting: Mapping[int, Chain],
    pooled: Pooled,
    chain: int,
    pulse: Pulse,
) -> Chain:
    before = waiting[chain]
    return _advanced(compiled.density(), options, before.state, pooled, time.perf_counter() - before.seconds, pulse)


def _advanced(
    density: LogDensity,
    options: SamplerOptions,
    state: ChainState,
    pooled: Pooled | None,
    began: float,
    pulse: Pulse,
) -> Chain:
    """The chain that goes on from `state` to its next pool or, where there is none, with all of its draws."""
    state, block = advance(density, options, state, options.warmup, lambda: pulse.abandoned, pulse=pulse, pooled=pooled)
    warm = time.perf_counter()
    if waits(options, state):
        return Chain(block, state, warm - began, 0.0)
    state, block = advance(density, options, state, options.draws, lambda: pulse.abandoned, pulse=pulse)
    return Chain(block, state, time.perf_counter() - began, time.perf_counter() - warm)


def _go_on(compiled: CompiledModel, options: SamplerOptions, chain: Chain, pulse: Pulse) -> Chain:
    began, before = time.perf_counter(), chain.block
    more = options.draws - len(before.positions)
    state, block = advance(compiled.density(), options, chain.state, more, lambda: pulse.abandoned, pulse=pulse)
    whole = Block(
        before.first,
        before.warmup,
        np.concatenate([before.positions, block.positions]),
        {name: np.concatenate([before.statistics[name], block.statistics[name]]) for name in before.statistics},
    )
    took = time.perf_counter() - began
    return Chain(whole, state, chain.seconds + took, chain.sampling + took)
