"""The contract of a method of inference beside NUTS: the rounds of its fit, and the draws that follow from it.

A fit goes in rounds. The parts of a round know the fit so far and nothing of each other, so that each can be a task
of its own; pooling their results gives the fit so far of the next round. Everything is a pure function of the seed,
the options and these arrays: a fit that is killed goes on from the results that were kept, with the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity
from exmc.errors import SamplingError
from exmc.sampling.options import SamplerOptions
from exmc.sampling.statistics import Statistic
from exmc.sampling.watchdog import Pulse

FloatArray = NDArray[np.float64]
Arrays: TypeAlias = Mapping[str, NDArray[Any]]


class Tempering(Protocol):
    """A posterior by its parts: prior draws, and the densities between the prior and it."""

    def density(self, temperature: float) -> LogDensity:
        """The log density prior + `temperature` * log likelihood, normalised if both are."""

    def draw_prior(self, chain: int, first: int, count: int) -> FloatArray:
        """Draws number `first` and on of the prior for `chain`, unconstrained, shape (count, dimension)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be fitted.

    Attributes
    ----------
    density
        The joint log density.
    options
        Seed, chains, draws; those of NUTS do not count.
    settings
        The method's own options, of the type that its row names.
    tempering
        For the methods that need it; computed at the call.
    pulse
        By which a watchdog sees that the work goes on.
    """

    density: LogDensity
    options: SamplerOptions
    settings: Any
    tempering: Callable[[], Tempering] | None = None
    pulse: Pulse | None = None

    def __call__(self, position: FloatArray) -> tuple[float, FloatArray]:
        """The log density and its gradient at `position`."""
        found = self.density(position)
        if self.pulse is not None:
            self.pulse.beat()
        return found


class Drawn(NamedTuple):
    """Consecutive draws of one chain: positions, shape (draws, dimension), and statistics, shape (draws,) each."""

    positions: FloatArray
    statistics: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """One row of `exmc.methods.METHODS`.

    Attributes
    ----------
    name
        As a config has it.
    approximation
        What its draws are instead of draws from the posterior, for people; empty if they are that.
    settings
        A frozen dataclass with a default for each option, which refuses what is out of range by `SamplingError`.
    statistics
        Those of each draw.
    parts
        ``parts(options, settings, fit)``: the numbers of the next round's parts, none once the fit is done; `fit` is
        None before the first round.
    work
        ``work(problem, fit, round, part)``: the result of one part. `SamplingError` says that it failed for good.
    pool
        ``pool(problem, fit, results)``: the next fit, of the results of those parts that did not fail, at least one.
    draw
        ``draw(problem, fit, chain, first, count)``: draws number `first` and on of a chain, the same however they are
        divided into calls. Raises `SamplingError` for a chain that failed.
    report
        ``report(fit)``: what is said of the fit, as JSON values; `pareto_k`, `log_evidence` and
        `log_evidence_error` have checks.
    progress
        ``progress(fit)``: how far the fit is, in a few words.
    fixed_draws
        Whether the number of draws decides each of them, so that a run cannot be extended.
    """

    name: str
    approximation: str
    settings: type
    statistics: tuple[Statistic, ...]
    parts: Callable[[SamplerOptions, Any, Arrays | None], tuple[int, ...]]
    work: Callable[[Problem, Arrays | None, int, int], Arrays]
    pool: Callable[[Problem, Arrays | None, Mapping[int, Arrays]], Arrays]
    draw: Callable[[Problem, Arrays, int, int, int], Drawn]
    report: Callable[[Arrays], dict[str, Any]]
    progress: Callable[[Arrays], str]
    fixed_draws: bool = False

    def describe(self, settings: Any, fit: Arrays | None = None) -> dict[str, Any]:
        """What a result says of the method: its name, what its draws are, its options and, of a `fit`, the report."""
        said = {} if fit is None else self.report(fit)
        return {"name": self.name, "approximation": self.approximation, "settings": asdict(settings)} | {
            key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in said.items()
        }


def pooled(
    method: Method, problem: Problem, fit: Arrays | None, results: Mapping[int, Arrays], failures: Mapping[int, str]
) -> Arrays:
    """The next fit, of whichever parts have results; raises `SamplingError` if none has."""
    if not results:
        part, why = min(failures.items())
        raise SamplingError(f"Every part of the fit failed; part {part}: {why}", where=(method.name,))
    return method.pool(problem, fit, results)
