"""ADVI: the normal distribution of a family that has the highest ELBO, found by stochastic gradients.

Kucukelbir, Tran, Ranganath, Gelman & Blei, "Automatic differentiation variational inference" (2017), with Adam
(Kingma & Ba 2015), the gradient of Roeder, Wu & Duvenaud, "Sticking the landing" (2017), which has no noise where the
approximation is exact, and a start by Pathfinder, whose scales are the unit of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import SamplingError, suggest
from exmc.methods import normal
from exmc.methods.method import Arrays, Method, Problem
from exmc.methods.normal import Normal
from exmc.methods.pathfinder import PathfinderSettings, run_path
from exmc.methods.random import ASSESS, OPTIMISE, generators
from exmc.sampling.initial import draw_initial
from exmc.sampling.options import SamplerOptions, check_between, check_integer
from exmc.sampling.seeds import chain_key

FloatArray = NDArray[np.float64]

FAMILIES = ("mean_field", "full_rank")
_FIRST, _SECOND, _FLOOR = 0.9, 0.999, 1e-8
# The step is divided by it as often as `_DECAYS` says, each time the ELBO no longer rises.
_DECAY, _DECAYS = 4.0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviSettings:
    """The options of ADVI.

    Attributes
    ----------
    family : str
        ``"mean_field"``: independent coordinates; ``"full_rank"``: any covariance.
    restarts : int
        Optimisations, each from a start of its own; the highest ELBO counts.
    iterations : int
        Steps of each in one round, over which the ELBO is averaged.
    gradient_draws : int
        Draws by which the ELBO and its gradient are estimated in each step.
    step : float
        Adam's first step, in units of the scales at the start.
    tolerance : float
        A round that raises the ELBO by less than this, or than two standard errors, does not raise it. After the
        fourth such round, with a smaller step each, an optimisation is done.
    max_rounds : int
        An optimisation that is not done by then fails.
    """

    family: str = "mean_field"
    restarts: int = 4
    iterations: int = 250
    gradient_draws: int = 8
    step: float = 0.05
    tolerance: float = 1e-3
    max_rounds: int = 200

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            message = f"There is no family {self.family!r} of approximations."
            raise SamplingError(message, where=("family",), remedy=suggest(str(self.family), FAMILIES))
        check_integer("restarts", self.restarts, 1, 10_000)
        check_integer("iterations", self.iterations, 2)
        check_integer("gradient_draws", self.gradient_draws, 1)
        check_between("step", self.step, 0.0, math.inf)
        check_between("tolerance", self.tolerance, 0.0, math.inf, lower_allowed=True)
        check_integer("max_rounds", self.max_rounds, 1)


# The state of one optimisation, in units of `unit` around its `origin`: mean, and the factor of the covariance as
# the logarithms of its diagonal and, in the full family, what is below it.
_STATE = ("origin", "unit", "parameters", "first", "second", "average", "elbo", "error", "counts")


class _Family:
    """Where the numbers of a flat vector of parameters belong."""

    def __init__(self, dimension: int, full: bool) -> None:
        self.dimension = dimension
        self.below = np.tril_indices(dimension, -1) if full else None

    @property
    def size(self) -> int:
        return 2 * self.dimension + (0 if self.below is None else self.below[0].size)

    def factor(self, parameters: FloatArray) -> FloatArray:
        """The diagonal of the factor, or all of it in the full family."""
        d = self.dimension
        diagonal = np.exp(parameters[d : 2 * d])
        if self.below is None:
            return diagonal
        factor = np.diag(diagonal)
        factor[self.below] = parameters[2 * d :]
        return factor

    def gradient(self, factor: FloatArray, slopes: FloatArray, standard: FloatArray) -> FloatArray:
        """Of a function with these `slopes` where the `standard` draws lead, both of shape (draws, dimension)."""
        count = len(slopes)
        if self.below is None:
            along = np.einsum("nd,nd->d", slopes, standard) / count
            return np.concatenate([slopes.mean(axis=0), along * factor])
        outer = np.einsum("ni,nj->ij", slopes, standard) / count
        return np.concatenate([slopes.mean(axis=0), np.diagonal(outer) * np.diagonal(factor), outer[self.below]])

    def spread(self, factor: FloatArray, standard: FloatArray) -> FloatArray:
        """Standard normal vectors, (draws, dimension), as deviations from the mean."""
        return standard * factor if self.below is None else np.einsum("ij,nj->ni", factor, standard)

    def score(self, factor: FloatArray, standard: FloatArray) -> FloatArray:
        """The slope of minus the log density of the approximation there: the inverse transposed factor times them."""
        if self.below is None:
            return standard / factor
        # Reversed, an upper triangular system is a lower one.
        return normal.solve_lower(factor.T[::-1, ::-1], standard.T[::-1])[::-1].T

    def normal(self, state: Arrays) -> Normal:
        """The approximation that the averaged parameters stand for."""
        average, unit = np.asarray(state["average"]), np.asarray(state["unit"])
        mean, factor = state["origin"] + unit * average[: self.dimension], self.factor(average)
        if self.below is None:
            return normal.independent(mean, unit * factor)
        return normal.dense(mean, unit[:, None] * factor)


def _start(problem: Problem, restart: int, family: _Family) -> dict[str, NDArray[Any]]:
    options = problem.options
    try:
        found = run_path(problem, restart, PathfinderSettings()).normal
        origin, unit = found.mean, found.deviations()
    except SamplingError:
        key = chain_key(options.seed, restart)
        origin = draw_initial(problem.density, options, restart, key, problem.pulse).position
        unit = np.ones(family.dimension)
    zeros = np.zeros(family.size)
    return {
        "origin": origin, "unit": unit, "parameters": zeros, "first": zeros, "second": zeros, "average": zeros,
        "elbo": np.array(-np.inf), "error": np.array(0.0), "counts": np.zeros(3, dtype=np.int64),
    }  # fmt: skip


def _advance(problem: Problem, restart: int, state: Arrays, family: _Family) -> dict[str, NDArray[Any]]:
    """One round of steps; `counts` are steps done, times the ELBO did not rise, and gradients."""
    settings: AdviSettings = problem.settings
    done, flat, gradients = (int(count) for count in state["counts"])
    parameters, first, second = (np.array(state[name]) for name in ("parameters", "first", "second"))
    rate, total = settings.step / _DECAY**flat, np.zeros(family.size)
    elbos = np.empty(settings.iterations)
    sources = generators(chain_key(problem.options.seed, restart), done, OPTIMISE)
    for i, source in zip(range(settings.iterations), sources, strict=False):
        standard = source.standard_normal((settings.gradient_draws, family.dimension))
        elbos[i], gradient = _estimate(problem, state, parameters, standard, family)
        first = _FIRST * first + (1.0 - _FIRST) * gradient
        second = _SECOND * second + (1.0 - _SECOND) * gradient**2
        step = done + i + 1
        scaled = np.sqrt(second / (1.0 - _SECOND**step)) + _FLOOR
        parameters = parameters + rate * (first / (1.0 - _FIRST**step)) / scaled
        total += parameters
    elbo, error = float(elbos.mean()), float(elbos.std(ddof=1)) / math.sqrt(elbos.size)
    rise = elbo - float(state["elbo"])
    rises = rise >= max(settings.tolerance, 2.0 * math.hypot(error, float(state["error"])))
    counts = (done + settings.iterations, flat + (not rises), gradients + settings.iterations * settings.gradient_draws)
    return {
        "origin": state["origin"], "unit": state["unit"], "parameters": parameters, "first": first, "second": second,
        "average": total / settings.iterations, "elbo": np.array(elbo), "error": np.array(error),
        "counts": np.array(counts, dtype=np.int64),
    }  # fmt: skip


def _estimate(
    problem: Problem, state: Arrays, parameters: FloatArray, standard: FloatArray, family: _Family
) -> tuple[float, FloatArray]:
    """The ELBO and its gradient with respect to the parameters, from draws; those without a density do not count."""
    factor, unit = family.factor(parameters), np.asarray(state["unit"])
    moved = parameters[: family.dimension] + family.spread(factor, standard)
    values, slopes = np.empty(len(standard)), np.empty_like(standard)
    for i, position in enumerate(state["origin"] + unit * moved):
        values[i], slopes[i] = problem(position)
    whole = np.isfinite(values) & np.isfinite(slopes).all(axis=1)
    if not whole.any():
        raise SamplingError(
            f"The log density is not finite at any of {len(values)} draws of an approximation.",
            where=("method",),
            remedy="Raise gradient_draws, lower step, or try nuts.",
        )
    standard, values, slopes = standard[whole], values[whole], slopes[whole]
    log_scale = float(np.log(unit).sum() + parameters[family.dimension : 2 * family.dimension].sum())
    constant = 0.5 * family.dimension * math.log(2.0 * math.pi) + log_scale
    elbo = float(np.mean(values + 0.5 * np.einsum("nd,nd->n", standard, standard))) + constant
    return elbo, family.gradient(factor, unit * slopes + family.score(factor, standard), standard)


def _finished(state: Arrays) -> bool:
    return int(state["counts"][1]) > _DECAYS


def _family(problem: Problem) -> _Family:
    return _Family(problem.density.dimension, problem.settings.family == "full_rank")


def _row(fit: Arrays, restart: int) -> dict[str, NDArray[Any]]:
    row = fit["restarts"].tolist().index(restart)
    return {name: np.asarray(fit[name][row]) for name in _STATE}


def _parts(options: SamplerOptions, settings: AdviSettings, fit: Arrays | None) -> tuple[int, ...]:
    del options
    if fit is None:
        return tuple(range(settings.restarts))
    return tuple(int(r) for r in fit["restarts"] if not _finished(_row(fit, int(r))))


def _work(problem: Problem, fit: Arrays | None, round_number: int, part: int) -> Arrays:
    family = _family(problem)
    if round_number >= problem.settings.max_rounds:
        raise SamplingError(
            f"Restart {part} still raises its ELBO after {round_number} rounds.",
            where=("max_rounds",),
            remedy="Raise max_rounds, step or tolerance.",
        )
    state = _start(problem, part, family) if fit is None else _row(fit, part)
    return _advance(problem, part, state, family)


def _pool(problem: Problem, fit: Arrays | None, results: Mapping[int, Arrays]) -> Arrays:
    """The states of all optimisations that have not failed; once all are done, the best one's approximation."""
    before: dict[int, Arrays] = {} if fit is None else {int(r): _row(fit, int(r)) for r in fit["restarts"]}
    states = {restart: state for restart, state in before.items() if _finished(state)} | dict(results)
    restarts = sorted(states)
    pooled: dict[str, NDArray[Any]] = {
        name: np.stack([np.asarray(states[r][name]) for r in restarts]) for name in _STATE
    } | {"restarts": np.array(restarts, dtype=np.int64)}
    if not all(_finished(states[r]) for r in restarts):
        return pooled
    best = max(restarts, key=lambda r: (float(states[r]["elbo"]), -r))
    found = _family(problem).normal(states[best])
    pareto_k = normal.assess(problem, found, chain_key(problem.options.seed, best), ASSESS).pareto_k
    return pooled | normal.to_arrays(found) | {"pareto_k": np.array(pareto_k)}


def _report(fit: Arrays) -> dict[str, Any]:
    return {
        "pareto_k": float(fit["pareto_k"]),
        "elbo": [float(value) for value in fit["elbo"]],
        "elbo_error": [float(value) for value in fit["error"]],
        "gradients": int(fit["counts"][:, 2].sum()),
    }


def _progress(fit: Arrays) -> str:
    if "pareto_k" in fit:
        return f"ELBO {fit['elbo'].max():.6g}, Pareto k {float(fit['pareto_k']):.2f}"
    return f"ELBO {fit['elbo'].max():.6g}, {int((fit['counts'][:, 1] > _DECAYS).sum())} of {len(fit['elbo'])} done"


ADVI = Method(
    name="advi",
    approximation="draws from the normal distribution of its family with the highest ELBO",
    settings=AdviSettings,
    statistics=normal.STATISTICS,
    parts=_parts,
    work=_work,
    pool=_pool,
    draw=normal.draw_normal,
    report=_report,
    progress=_progress,
)
