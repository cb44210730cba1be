"""A fit of a compiled model by a method beside NUTS, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from exmc.blame import explained
from exmc.compile.oracle import give_autograd_up
from exmc.compile.program import CompiledModel
from exmc.errors import SamplingError
from exmc.methods.method import Arrays, Method, Problem, pooled
from exmc.sampling.options import SamplerOptions
from exmc.sampling.watchdog import Pulse, StuckError, watched
from exmc.tempering import CompiledTempering

Map = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]


def problem_of(compiled: CompiledModel, options: SamplerOptions, settings: Any, pulse: Pulse | None = None) -> Problem:
    """The posterior of `compiled` as a method sees it."""
    if compiled.layout.dimension < 1:
        raise SamplingError("the model has no free variables, so there is nothing to fit.")
    tempering = partial(CompiledTempering, compiled, options.seed)
    return Problem(compiled.density(), options, settings, tempering, pulse)


def work_on(
    method: Method, compiled: CompiledModel, problem: Problem, fit: Arrays | None, round_number: int, part: int
) -> Arrays:
    """The result of one part; an error says which variables are to blame."""
    try:
        return method.work(problem, fit, round_number, part)
    except SamplingError as error:
        raise explained(error, compiled) from None


def fit_model(
    method: Method, compiled: CompiledModel, problem: Problem, map_parts: Map = map, watchdog: float | None = None,
    stop: threading.Event | None = None,
) -> Arrays:  # fmt: skip
    """The finished fit, the parts of each round done by `map_parts`; raises `SamplingError` if it fails.

    A part that spends `watchdog` seconds on one gradient is given up, and fails. All end soon once `stop` is set.
    """
    fit: Arrays | None = None
    round_number, watch = 0, partial(watched, seconds=watchdog, stop=stop)
    while parts := method.parts(problem.options, problem.settings, fit):
        work = partial(_attempt, method, compiled, problem, watch, fit, round_number)
        found = dict(zip(parts, map_parts(work, parts), strict=True))
        results = {part: what for part, what in found.items() if not isinstance(what, SamplingError)}
        failures = {part: str(what) for part, what in found.items() if isinstance(what, SamplingError)}
        fit = pooled(method, problem, fit, results, failures)
        round_number += 1
    assert fit is not None
    return fit


def _attempt(
    method: Method, compiled: CompiledModel, problem: Problem, watch: Callable[[Callable[[Pulse], Arrays]], Arrays],
    fit: Arrays | None, round_number: int, part: int,
) -> Arrays | SamplingError:  # fmt: skip
    def work(pulse: Pulse) -> Arrays:
        return work_on(method, compiled, replace(problem, pulse=pulse), fit, round_number, part)

    try:
        return watch(work)
    except StuckError as error:
        give_autograd_up()
        return error
    except SamplingError as error:
        return error
