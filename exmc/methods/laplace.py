"""Laplace's approximation: a normal distribution with the mode as its mean and the curvature there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import SamplingError
from exmc.methods import normal
from exmc.methods.ascent import ascend
from exmc.methods.method import Arrays, Method, Problem
from exmc.methods.random import ASSESS
from exmc.nuts.metric import METRICS
from exmc.sampling.initial import draw_initial
from exmc.sampling.options import SamplerOptions, check_integer
from exmc.sampling.seeds import chain_key

FloatArray = NDArray[np.float64]

_HISTORY = 10
# Fractions of a coordinate's scale: of the first look at the curvature, and of the stencil, whose error is their
# fourth power, beside that of rounding over their first.
_LOOK, _STENCIL = 1e-4, 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class LaplaceSettings:
    """The options of Laplace's approximation.

    Attributes
    ----------
    starts : int
        Optimisations, each from a starting point of its own; the highest mode counts.
    iterations : int
        At most so many of each.
    """

    starts: int = 4
    iterations: int = 10_000

    def __post_init__(self) -> None:
        check_integer("starts", self.starts, 1, 10_000)
        check_integer("iterations", self.iterations, 1)


def curvature(problem: Problem, mode: FloatArray) -> FloatArray:
    """Minus the Hessian of the log density at `mode`, by differences of gradients of the fourth order.

    Steps are taken in units of each coordinate's own scale there. Raises `SamplingError` where it has none.
    """
    dimension = mode.size
    found = np.empty((dimension, dimension))
    for i in range(dimension):
        look = _LOOK * max(1.0, abs(float(mode[i])))
        second = float((_gradient(problem, mode, i, -look) - _gradient(problem, mode, i, look))[i]) / (2.0 * look)
        if not second > 0.0:
            raise SamplingError(
                f"The log density does not curve down at its mode in coordinate {i}: its second derivative there is "
                f"{-second:g}.",
                where=("method",),
                remedy="The posterior is flat there, or its mode is at infinity; try nuts.",
            )
        step = _STENCIL / np.sqrt(second)
        near = _gradient(problem, mode, i, -step) - _gradient(problem, mode, i, step)
        far = _gradient(problem, mode, i, -2.0 * step) - _gradient(problem, mode, i, 2.0 * step)
        found[i] = (8.0 * near - far) / (12.0 * step)
    return 0.5 * (found + found.T)


def _gradient(problem: Problem, mode: FloatArray, coordinate: int, step: float) -> FloatArray:
    position = mode.copy()
    position[coordinate] += step
    return problem(position)[1]


def _parts(options: SamplerOptions, settings: LaplaceSettings, fit: Arrays | None) -> tuple[int, ...]:
    del options
    return tuple(range(settings.starts)) if fit is None else ()


def _work(problem: Problem, fit: Arrays | None, round_number: int, part: int) -> Arrays:
    """The mode that the start number `part` leads to."""
    del fit, round_number
    key = chain_key(problem.options.seed, part)
    start = draw_initial(problem.density, problem.options, part, key, problem.pulse)
    path = ascend(problem, start, problem.settings.iterations, _HISTORY)
    if not path.converged:
        raise SamplingError(
            f"Start {part} led to no mode in {len(path.positions) - 1} iterations; the log density there is "
            f"{path.log_densities[-1]:g}.",
            where=("method",),
            remedy="The density may grow without bounds, as where a scale goes to zero. Non-centre, or try nuts.",
        )
    return {"mode": path.positions[-1], "log_density": path.log_densities[-1:], "gradients": np.array(path.evaluations)}


def _pool(problem: Problem, fit: Arrays | None, results: Mapping[int, Arrays]) -> Arrays:
    """The approximation at the highest mode."""
    del fit
    highest = max(results, key=lambda part: (float(results[part]["log_density"][0]), -part))
    mode = np.asarray(results[highest]["mode"])
    try:
        inverse = normal.solve_lower(METRICS["dense"].factorise(curvature(problem, mode)), np.eye(mode.size))
        covariance = np.einsum("ki,kj->ij", inverse, inverse)
        found = normal.dense(mode, METRICS["dense"].factorise(covariance))
    except SamplingError as error:
        if error.where:
            raise
        message = "The log density does not curve down in every direction at its mode: a ridge, or a saddle."
        raise SamplingError(
            message, where=("method",), remedy="Laplace's approximation does not fit; try nuts."
        ) from None
    pareto_k = normal.assess(problem, found, chain_key(problem.options.seed, 0), ASSESS).pareto_k
    spent = sum(int(results[part]["gradients"]) for part in results) + 6 * mode.size + normal.ASSESSED
    return normal.to_arrays(found) | {
        "log_densities": np.concatenate([results[part]["log_density"] for part in sorted(results)]),
        "pareto_k": np.array(pareto_k),
        "gradients": np.array(spent),
    }


def _report(fit: Arrays) -> dict[str, Any]:
    return {
        "pareto_k": float(fit["pareto_k"]),
        "modes": [float(value) for value in fit["log_densities"]],
        "gradients": int(fit["gradients"]),
    }


LAPLACE = Method(
    name="laplace",
    approximation="draws from the normal distribution that has the posterior's mode and curvature",
    settings=LaplaceSettings,
    statistics=normal.STATISTICS,
    parts=_parts,
    work=_work,
    pool=_pool,
    draw=normal.draw_normal,
    report=_report,
    progress=lambda fit: f"mode at log density {fit['log_densities'].max():.6g}, Pareto k {float(fit['pareto_k']):.2f}",
)
