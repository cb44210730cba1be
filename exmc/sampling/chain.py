"""One chain: begun, and advanced by any number of iterations at a time with the same draws."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity
from exmc.errors import SamplingError
from exmc.nuts import pooling, warmup
from exmc.nuts import step_size as step_sizes
from exmc.nuts.hamiltonian import Physics
from exmc.nuts.kernel import Output, Progress, Task, transitions
from exmc.nuts.metric import CAUTIOUS, METRICS, Metric, code
from exmc.nuts.outcome import Transition
from exmc.nuts.pooling import Pooled
from exmc.nuts.schemes import SCHEMES
from exmc.nuts.stages import Ending, Stage, locate
from exmc.nuts.trajectory import memory_rows, workspace
from exmc.nuts.variance import Moments
from exmc.nuts.warmup import Adaptation
from exmc.sampling.initial import InitialPoint, draw_initial, use_initial
from exmc.sampling.options import AUTO, SamplerOptions
from exmc.sampling.pooling import MOST_POOLED, pooled_at, stages_of, waits
from exmc.sampling.seeds import chain_key
from exmc.sampling.state import ChainState
from exmc.sampling.statistics import columns
from exmc.sampling.watchdog import Pulse

FloatArray = NDArray[np.float64]

# Between two calls of the kernel Python looks whether to stop; this long a wait is not noticed, and a call costs 10 µs.
_SECONDS_PER_CALL = 0.03
# An iteration may take so many times as long as those before it did.
_GROWTH = 4
_DIVERGING = Transition._fields.index("diverging")
# Beyond, the draws of a window (its metric's memory, in every checkpoint) take more than some ten megabytes.
_MOST_FOR_LOW_RANK = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive draws of one chain, all of its warm-up or all after it.

    Attributes
    ----------
    first : int
        The number of the first draw, counted from the beginning of warm-up or of sampling.
    warmup : bool
    positions : ndarray, shape (draws, dimension)
        On the unconstrained scale.
    statistics : dict of str to ndarray, shape (draws,)
        One array per row of `exmc.sampling.statistics.STATISTICS`.
    """

    first: int
    warmup: bool
    positions: FloatArray
    statistics: dict[str, NDArray[np.generic]]


class Carried(NamedTuple):
    """What a chain takes over from one of an earlier run of the same model, perhaps with other data.

    Attributes
    ----------
    position : ndarray, shape (dimension,)
        On the unconstrained scale.
    step_size : float
    inverse_mass_matrix : ndarray
        As `exmc.nuts.warmup.Adaptation` has it, for the same metric.
    careful : bool
        Whether trajectories diverged often as that was learnt.
    """

    position: FloatArray
    step_size: float
    inverse_mass_matrix: FloatArray
    careful: bool


def begin(
    density: LogDensity,
    options: SamplerOptions,
    chain: int,
    initial: FloatArray | None = None,
    pulse: Pulse | None = None,
    variances: FloatArray | None = None,
    carried: Carried | None = None,
) -> ChainState:
    """Chain number `chain` before its first iteration: a starting point, a first metric, a first step size.

    Parameters
    ----------
    initial : ndarray, shape (dimension,), optional
        Where to start, on the unconstrained scale; drawn if not given.
    pulse
        By which a watchdog sees that the chain is alive.
    variances : ndarray, shape (dimension,), optional
        Of the coordinates, as far as they are known, for the first metric; without them it is the unit metric.
    carried
        Where it starts, and with which step size and metric, if that is known.

    Raises
    ------
    SamplingError
        If there is no valid starting point or step size.
    Exception
        Whatever a density written in Python raises.
    """
    if density.dimension < 1:
        raise SamplingError("The model has no free variables, so there is nothing to sample.")
    key = chain_key(options.seed, chain)
    if carried is not None:
        return _carried_state(key, use_initial(density, chain, carried.position), chain, carried, options)
    if initial is not None:
        point = use_initial(density, chain, initial)
    else:
        point = draw_initial(density, options, chain, key, pulse)
    state = _first_state(chain, key, point, options, variances)
    if options.step_size is not None:
        return state
    run = _Run(density, options, state, pulse)
    run.search_step_size()
    return run.state()


def advance(
    density: LogDensity,
    options: SamplerOptions,
    state: ChainState,
    iterations: int,
    should_stop: Callable[[], bool] | None = None,
    on_progress: Callable[[Block], None] | None = None,
    pulse: Pulse | None = None,
    pooled: Pooled | None = None,
) -> tuple[ChainState, Block]:
    """Run up to `iterations` more iterations, and not beyond the end of warm-up, of sampling, or before the next pool.

    Draws do not depend on how a chain's iterations are divided into calls. `state` is not changed.

    Parameters
    ----------
    should_stop
        Asked about thirty times a second, never within an iteration; once it says yes, no further iteration is begun.
    on_progress
        Called as often with the iterations just finished, whose arrays it must not keep or change.
    pulse
        By which a watchdog sees that the chain is alive.
    pooled
        What chains have learnt together (`pool`), if this one waits for that (`waits`).

    Returns
    -------
    The new state, and the draws, fewer than `iterations` if stopped or at an end (possibly none).

    Raises
    ------
    SamplingError
        If the state belongs to another model or other options, waits for a pool that is not given, or adaptation finds
        no step size or metric.
    Exception
        Whatever a density written in Python raises.
    """
    _check(density, options, state, iterations, pooled)
    in_warmup = state.iteration < options.warmup
    end = options.warmup if in_warmup else options.warmup + options.draws
    end = min((border for border in pooled_at(options) if border > state.iteration), default=end)
    count = max(0, min(iterations, end - state.iteration))
    first = state.iteration - (0 if in_warmup else options.warmup)
    positions = np.empty((count, density.dimension))
    table = np.empty((count, len(Transition._fields)))
    gradients = np.empty((count if in_warmup else 0, density.dimension))
    run, done = _Run(density, options, state, pulse), 0
    batch = max(1, density.pace.fitting(_SECONDS_PER_CALL) // _GROWTH)
    if pooled is not None and waits(options, state) and count:
        run.adopt(pooled)
    while done < count and not (should_stop is not None and should_stop()):
        started = time.perf_counter()
        size = run.iterate(Output(positions[done:], table[done:], gradients[done:]), min(batch, count - done))
        # The size of a batch changes when Python looks up, never what is drawn.
        seconds = max(time.perf_counter() - started, 1e-9)
        batch = max(1, min(_GROWTH * size, int(_SECONDS_PER_CALL * size / seconds)))
        if on_progress is not None:
            new = slice(done, done + size)
            on_progress(Block(first + done, in_warmup, positions[new], columns(table[new])))
        done += size
    # A state that has adopted a metric and not moved would seem to wait for it still.
    return run.state() if done else state, Block(first, in_warmup, positions[:done], columns(table[:done]))


def pool(options: SamplerOptions, states: Sequence[ChainState]) -> Pooled:
    """What chains have learnt together that wait at the same iteration; a pure function of them, in any order."""
    first = sorted(states, key=lambda state: state.chain)[:MOST_POOLED]
    metric = metric_of(options, states[0].position.size)
    return pooling.pool(metric, SCHEMES[options.adaptation], {state.chain: state.adaptation for state in first})


def _first_state(
    chain: int, key: NDArray[np.uint64], point: InitialPoint, options: SamplerOptions, variances: FloatArray | None
) -> ChainState:
    step_size = 1.0 if options.step_size is None else float(options.step_size)
    dimension = point.position.size
    known = np.ones(dimension) if variances is None else variances
    adaptation = warmup.init(metric_of(options, dimension), known, step_size)
    return ChainState(
        chain=chain,
        key=key,
        iteration=0,
        position=point.position,
        log_density=point.log_density,
        gradient=point.gradient,
        adaptation=adaptation,
    )


def _carried_state(
    key: NDArray[np.uint64], point: InitialPoint, chain: int, carried: Carried, options: SamplerOptions
) -> ChainState:
    fresh = _first_state(chain, key, point, options, None)
    metric = carried.inverse_mass_matrix.copy()
    tuned = fresh.adaptation._replace(inverse_mass_matrix=metric, careful=carried.careful)
    return replace(fresh, adaptation=warmup.restart_averaging(tuned, carried.step_size))


def _check(
    density: LogDensity, options: SamplerOptions, state: ChainState, iterations: int, pooled: Pooled | None
) -> None:
    if iterations < 0:
        raise SamplingError(f"A chain cannot be advanced by {iterations} iterations.", where=("iterations",))
    metric = metric_of(options, density.dimension)
    if state.position.shape != (density.dimension,) or not metric.fits(state.inverse_mass_matrix, density.dimension):
        raise SamplingError(
            f"The state of chain {state.chain} has {state.position.size} coordinates and an inverse mass matrix of "
            f"shape {state.inverse_mass_matrix.shape}; the model has {density.dimension}, and the metric is "
            f"{metric.name!r}.",
            remedy="Go on with the model and the metric that the chain was begun with.",
        )
    if not np.array_equal(state.key, chain_key(options.seed, state.chain)):
        raise SamplingError(
            f"The state of chain {state.chain} was begun with another seed than {options.seed}.",
            where=("seed",),
            remedy="Go on with the seed that the chain was begun with.",
        )
    if iterations and waits(options, state) and pooled is None:
        raise SamplingError(
            f"Chain {state.chain} waits at iteration {state.iteration} for what it learns with the others.",
            where=("pool_metric",),
            remedy="Pool the states of all chains that got there.",
        )


class _Run:
    """A chain while it is being advanced: the kernel's memory, and the state in the form the kernel changes."""

    def __init__(self, density: LogDensity, options: SamplerOptions, state: ChainState, pulse: Pulse | None) -> None:
        self._density, self._options, self._begun = density, options, state
        self._scheme, self._metric = SCHEMES[options.adaptation], metric_of(options, density.dimension)
        self._stages, self._pooled_at = stages_of(options), pooled_at(options)
        self._iteration, self._log_density = state.iteration, state.log_density
        self._adaptation = _writable(state.adaptation)
        self._key = state.key.copy()
        self._memory = np.zeros((memory_rows(options.max_treedepth), density.dimension))
        if pulse is not None:
            pulse.watch(self._memory)
        self._sample = workspace(self._memory).sample
        self._sample[0], self._sample[1] = state.position, state.gradient
        self._scratch = np.zeros(max(density.workspace_size, 1))
        self._pointers = np.array(density.pointers, dtype=np.int64)
        self._physics = self._make_physics()

    def state(self) -> ChainState:
        """A copy of where the chain stands."""
        return ChainState(
            chain=self._begun.chain,
            key=self._key.copy(),
            iteration=self._iteration,
            position=self._sample[0].copy(),
            log_density=self._log_density,
            gradient=self._sample[1].copy(),
            adaptation=_writable(self._adaptation),
        )

    def iterate(self, output: Output, most: int) -> int:
        """Run `most` iterations, or those to the end of the warm-up stage if fewer; returns how many."""
        place = locate(self._stages, self._iteration)
        stage, left = place if place is not None else (None, most)
        count = min(most, left)
        self._call(output, stage=stage, count=count)
        self._iteration += count
        if stage is not None and count == left:
            if self._iteration not in self._pooled_at and warmup.replaces_metric(stage, self._adaptation):
                self._use(warmup.replace_metric(self._metric, self._scheme, self._adaptation, stage.ending), stage)
            if self._iteration == self._options.warmup:
                self._adaptation = warmup.final(self._adaptation)
        return count

    def search_step_size(self) -> None:
        """Replace the step size by one of about the right magnitude, and begin to average anew."""
        nothing = np.empty((0, self._density.dimension))
        self._call(Output(nothing, np.empty((0, len(Transition._fields))), nothing), search=True)
        step_size = self._adaptation.step_size
        if not step_sizes.SMALLEST <= step_size <= step_sizes.LARGEST:
            raise _no_step_size(self._begun.chain, step_size)
        self._adaptation = warmup.restart_averaging(self._adaptation, step_size)

    def adopt(self, pooled: Pooled) -> None:
        """End the stage that is over as chains do that learn together."""
        place = locate(self._stages, self._iteration - 1)
        assert place is not None
        stage = place[0]
        self._use(warmup.adopt_metric(self._adaptation, pooled.inverse_mass_matrix.copy(), stage.ending), stage)

    def _use(self, adaptation: Adaptation, stage: Stage) -> None:
        """Go on with the metric of `adaptation`, with which `stage` has ended."""
        target_accept = self._target_accept(stage)
        self._adaptation = adaptation
        try:
            self._physics = self._make_physics()
        except SamplingError as error:
            raise error.within(f"chain {self._begun.chain}") from None
        if stage.ending is Ending.RESTART:
            self.search_step_size()
        following = locate(self._stages, self._iteration)
        if following is not None and self._target_accept(following[0]) != target_accept:
            self._adaptation = warmup.restart_averaging(self._adaptation, self._adaptation.step_size)

    def _target_accept(self, stage: Stage) -> float:
        asked = self._options.target_accept
        return warmup.target_accept(None if asked == AUTO else float(asked), stage, self._adaptation.careful)

    def _make_physics(self) -> Physics:
        metric, density = self._metric, self._density
        factor = metric.factorise(self._adaptation.inverse_mass_matrix)
        return Physics(density.address, self._pointers, self._scratch, code(metric.name), factor)

    def _call(self, output: Output, stage: Stage | None = None, count: int = 0, *, search: bool = False) -> None:
        """`count` iterations of `stage`, after a search for the step size if `search`."""
        options, tuning = self._options, self._adaptation
        learns = stage is not None and stage.adapt_metric
        task = Task(
            first=self._iteration,
            iterations=count,
            search=search,
            adapt_step_size=stage is not None,
            symmetric=stage is not None and stage.symmetric,
            adapt_metric=learns,
            target_accept=0.0 if stage is None else self._target_accept(stage),
            max_treedepth=options.max_treedepth,
            spread=1.0 if stage is None else stage.spread(self._density.dimension),
        )
        window = tuning.window
        before = Progress(self._log_density, tuning.step_size, tuning.averaging, window.newer.draws)
        after = transitions(
            self._physics, self._key, task, before, window.newer.rows, self._memory, output, self._density.pace
        )
        self._density.raise_failure()
        self._log_density = after.log_density
        if learns:
            divergences = window.newer.divergences + int(output.statistics[:count, _DIVERGING].sum())
            window = window._replace(newer=Moments(after.window_draws, divergences, window.newer.rows))
            if self._metric.needs_draws:
                window = window.with_draws(output.positions[:count], output.gradients[:count])
        self._adaptation = tuning._replace(step_size=after.step_size, averaging=after.averaging, window=window)


def metric_of(options: SamplerOptions, dimension: int) -> Metric:
    """The metric of a density of `dimension` coordinates."""
    if options.metric != AUTO:
        return METRICS[options.metric]
    return CAUTIOUS if dimension <= _MOST_FOR_LOW_RANK else METRICS["diagonal"]


def _writable(adaptation: Adaptation) -> Adaptation:
    """A copy whose arrays the kernel may change."""
    return adaptation._replace(
        inverse_mass_matrix=adaptation.inverse_mass_matrix.copy(), window=adaptation.window.copy()
    )


def _no_step_size(chain: int, step_size: float) -> SamplingError:
    if step_size > step_sizes.LARGEST:
        found = f"even a step size of {step_sizes.LARGEST:g} is always accepted: the posterior is flat or improper"
        remedy = "Check that every parameter has a proper prior and that the data enter the model."
    else:
        found = f"no step size down to {step_sizes.SMALLEST:g} is accepted: the density or its gradient is undefined "
        found += "or discontinuous next to the chain's position"
        remedy = "Check the gradient of any function of your own, and the supports of the distributions. "
        remedy += "If chains start where the density is all but 0, start them nearer to the origin: initial_radius."
    return SamplingError(f"Chain {chain} found no step size; {found}.", where=("step_size",), remedy=remedy)
