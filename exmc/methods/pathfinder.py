"""Pathfinder: normal approximations along the paths of an optimiser, the best of each, and draws from all of them.

Zhang, Carpenter, Gelman & Vehtari, "Pathfinder: parallel quasi-Newton variational inference" (2022), but for the
weights of the draws, which are against the mixture of all paths' approximations: against its own, a path that found
too narrow an approximation has weights without bounds, and a mode counts as often as paths led to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.errors import SamplingError
from exmc.methods import normal
from exmc.methods.ascent import Path, Step, ascend, step_between
from exmc.methods.method import Arrays, Drawn, Method, Problem
from exmc.methods.normal import Normal
from exmc.methods.psis import smooth
from exmc.methods.random import CANDIDATE, ELBO, RESAMPLE, generator, generators
from exmc.sampling.initial import InitialPoint, draw_initial
from exmc.sampling.options import SamplerOptions, check_integer
from exmc.sampling.seeds import chain_key
from exmc.sampling.statistics import Statistic

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathfinderSettings:
    """The options of Pathfinder.

    Attributes
    ----------
    paths : int
        Optimisations, each from a starting point of its own.
    iterations : int
        At most so many a path.
    history : int
        Steps from which the optimiser, and the approximations, know the curvature.
    elbo_draws : int
        Draws by which the approximations along a path are compared.
    candidates : int
        Draws of each path's best approximation from which those of the run are chosen.
    """

    paths: int = 8
    iterations: int = 1000
    history: int = 6
    elbo_draws: int = 25
    candidates: int = 1000

    def __post_init__(self) -> None:
        check_integer("paths", self.paths, 1, 10_000)
        check_integer("iterations", self.iterations, 1)
        check_integer("history", self.history, 1, 100)
        check_integer("elbo_draws", self.elbo_draws, 1)
        check_integer("candidates", self.candidates, 1)


class Found(NamedTuple):
    """The best approximation along a path, its ELBO, and the gradients that it took to find it."""

    normal: Normal
    elbo: float
    gradients: int


def run_path(problem: Problem, path: int, settings: PathfinderSettings) -> Found:
    """The best approximation along path number `path` (algorithm 1).

    Raises `SamplingError` if there is no starting point, or no approximation that is a distribution.
    """
    key = chain_key(problem.options.seed, path)
    start = draw_initial(problem.density, problem.options, path, key, problem.pulse)
    climbed = ascend(problem, start, settings.iterations, settings.history)
    best: tuple[float, Normal] | None = None
    tried = 0
    for iterate, found in _approximations(climbed, settings.history):
        tried += 1
        elbo = _elbo(problem, found, key, iterate, settings.elbo_draws)
        if math.isfinite(elbo) and (best is None or elbo > best[0]):
            best = elbo, found
    if best is None:
        raise SamplingError(
            f"Path {path} met no normal approximation with a finite ELBO in {len(climbed.positions) - 1} iterations.",
            where=("method",),
            remedy="The posterior may be flat, improper, or defined on a small part of the space; try nuts.",
        )
    return Found(best[1], best[0], climbed.evaluations + tried * settings.elbo_draws)


def _approximations(path: Path, history: int) -> list[tuple[int, Normal]]:
    """Those of the iterates where the curvature seen so far makes a distribution (algorithms 3 and 4)."""
    points = [InitialPoint(*point) for point in zip(path.positions, path.log_densities, path.gradients, strict=True)]
    variances = np.ones(path.positions.shape[1])
    steps: list[Step] = []
    found: list[tuple[int, Normal]] = []
    for iterate in range(1, len(points)):
        step = step_between(points[iterate - 1], points[iterate])
        if step.informs:
            variances = _diagonal(variances, step)
            steps = [*steps, step][-history:]
        if not steps:
            continue
        try:
            found.append((iterate, _normal(points[iterate], variances, steps)))
        except SamplingError:
            # Rounding has left no positive definite matrix.
            continue
    return found


def _diagonal(variances: FloatArray, step: Step) -> FloatArray:
    """The diagonal from which the low-rank update starts (algorithm 3; Gilbert & Lemaréchal 1989)."""
    move, fall = step
    through, along = float(np.sum(fall * variances * fall)), float(np.sum(move * fall))
    length = float(np.sum(move * move / variances))
    precisions = through / (along * variances) + fall**2 / along - through * (move / variances) ** 2 / (along * length)
    return np.asarray(1.0 / precisions)


def _normal(point: InitialPoint, variances: FloatArray, steps: list[Step]) -> Normal:
    """The approximation at `point`: the inverse Hessian in its compact form (Byrd et al. 1994), Newton's step as mean.

    Raises `SamplingError` if that is no distribution.
    """
    moves, falls = np.stack([s.move for s in steps], axis=1), np.stack([s.fall for s in steps], axis=1)
    products = np.einsum("di,dj->ij", moves, falls)
    upper, scaled = np.triu(products), variances[:, None] * falls
    inverse = _upper_inverse(upper)
    middle = np.diag(np.diagonal(products)) + np.einsum("di,dj->ij", falls, scaled)
    corner = np.einsum("ji,jk,kl->il", inverse, middle, inverse)
    inner = np.block([[np.zeros_like(inverse), -inverse], [-inverse.T, corner]])
    columns = np.concatenate([scaled, moves], axis=1)
    along = np.einsum("dr,d->r", columns, point.gradient)
    newton = variances * point.gradient + np.einsum("dr,rs,s->d", columns, inner, along)
    mean = point.position + newton
    if not (np.isfinite(mean).all() and np.isfinite(inner).all() and (variances > 0).all()):
        raise SamplingError("This is no distribution.")
    return normal.low_rank(mean, variances, columns, inner)


def _upper_inverse(upper: FloatArray) -> FloatArray:
    """The inverse of a small upper triangular matrix, by back substitution."""
    size = len(upper)
    inverse = np.zeros_like(upper)
    for i in reversed(range(size)):
        rest = np.eye(size)[i] - np.einsum("k,kj->j", upper[i, i + 1 :], inverse[i + 1 :])
        inverse[i] = rest / upper[i, i]
    return inverse


def _elbo(problem: Problem, found: Normal, key: NDArray[np.uint64], iterate: int, draws: int) -> float:
    _, posterior, approximation = normal.compare(problem, found, key, draws, ELBO, iterate * draws)
    return float(np.mean(posterior - approximation))


def _parts(options: SamplerOptions, settings: PathfinderSettings, fit: Arrays | None) -> tuple[int, ...]:
    del options
    return tuple(range(settings.paths)) if fit is None else ()


def _work(problem: Problem, fit: Arrays | None, round_number: int, part: int) -> Arrays:
    del fit, round_number
    settings: PathfinderSettings = problem.settings
    found = run_path(problem, part, settings)
    key = chain_key(problem.options.seed, part)
    _, posterior, _ = normal.compare(problem, found.normal, key, settings.candidates, CANDIDATE)
    return normal.to_arrays(_padded(found.normal, 2 * settings.history)) | {
        "posterior": posterior,
        "elbo": np.array(found.elbo),
        "gradients": np.array(found.gradients + settings.candidates),
    }


def _padded(found: Normal, rank: int) -> Normal:
    """The same distribution with `rank` columns, so that those of all paths can be stacked."""
    missing = rank - len(found.core)
    core = np.eye(rank)
    core[: len(found.core), : len(found.core)] = found.core
    return found._replace(basis=np.pad(found.basis, ((0, 0), (0, missing))), core=core)


def _pool(problem: Problem, fit: Arrays | None, results: Mapping[int, Arrays]) -> Arrays:
    """Every candidate of every path, weighted against the mixture of all approximations.

    Multiple importance sampling by the deterministic mixture (Veach & Guibas 1995; Elvira et al. 2019, section 4).
    """
    del fit
    paths = sorted(results)
    names = (*Normal._fields, "posterior", "elbo", "gradients")
    stacked = {name: np.stack([np.asarray(results[p][name]) for p in paths]) for name in names}
    normals = [normal.from_arrays(results[path]) for path in paths]
    mixture = np.empty_like(stacked["posterior"])
    for row, path in enumerate(paths):
        key, candidates = chain_key(problem.options.seed, path), mixture.shape[1]
        found = zip(range(candidates), generators(key, 0, CANDIDATE), strict=False)
        positions = np.stack([_candidate(normals[row], source) for _, source in found])
        terms = np.stack([normal.log_densities(other, positions) for other in normals])
        mixture[row] = np.logaddexp.reduce(terms, axis=0) - math.log(len(normals))
    smoothed = smooth((stacked["posterior"] - mixture).ravel())
    return stacked | {
        "mixture": mixture,
        "paths": np.array(paths, dtype=np.int64),
        "weights": np.cumsum(smoothed.weights),
        "pareto_k": np.array(smoothed.pareto_k),
    }


def _draw(problem: Problem, fit: Arrays, chain: int, first: int, count: int) -> Drawn:
    """Candidates chosen by their weights, made again from their numbers."""
    seed, candidates = problem.options.seed, fit["posterior"].shape[1]
    cumulative = fit["weights"]
    positions = np.empty((count, fit["mean"].shape[1]))
    rows, numbers = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    for i in range(count):
        chosen = generator(chain_key(seed, chain), first + i, RESAMPLE).random() * cumulative[-1]
        place = min(int(np.searchsorted(cumulative, chosen, side="right")), cumulative.size - 1)
        rows[i], numbers[i] = divmod(place, candidates)
        found = normal.from_arrays({name: fit[name][rows[i]] for name in Normal._fields})
        key = chain_key(seed, int(fit["paths"][rows[i]]))
        positions[i] = _candidate(found, generator(key, int(numbers[i]), CANDIDATE))
    statistics = {
        "lp": fit["posterior"][rows, numbers],
        "log_approximation": fit["mixture"][rows, numbers],
        "path": fit["paths"][rows],
    }
    return Drawn(positions, statistics)


def _candidate(found: Normal, source: np.random.Generator) -> FloatArray:
    """A candidate again: the position that `exmc.methods.normal.compare` drew from the same generator."""
    return found.place(source.standard_normal(found.mean.size))


def _report(fit: Arrays) -> dict[str, Any]:
    return {
        "pareto_k": float(fit["pareto_k"]),
        "elbo": [float(value) for value in fit["elbo"]],
        "paths": [int(path) for path in fit["paths"]],
        "gradients": int(fit["gradients"].sum()),
    }


PATHFINDER = Method(
    name="pathfinder",
    approximation="draws from normal distributions fitted along an optimiser's paths, chosen by importance",
    settings=PathfinderSettings,
    statistics=(
        *normal.STATISTICS,
        Statistic("path", "int64", "Number of the path whose approximation was drawn from"),
    ),
    parts=_parts,
    work=_work,
    pool=_pool,
    draw=_draw,
    report=_report,
    progress=lambda fit: f"{len(fit['paths'])} paths, Pareto k {float(fit['pareto_k']):.2f}",
)
