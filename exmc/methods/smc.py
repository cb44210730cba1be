"""Sequential Monte Carlo from the prior to the posterior by tempering, and the evidence; every chain is a repeat.

Del Moral, Doucet & Jasra, "Sequential Monte Carlo samplers" (2006), with the next temperature chosen by the effective
sample size (Jasra et al. 2011), systematic resampling, and transitions of NUTS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.density import LogDensity
from exmc.errors import SamplingError
from exmc.methods.method import Arrays, Drawn, Method, Problem, Tempering
from exmc.methods.particles import Mover, tune
from exmc.methods.random import RESAMPLE, generator
from exmc.nuts.metric import METRICS
from exmc.nuts.outcome import Transition
from exmc.sampling.options import SamplerOptions, check_between, check_integer, check_one_of
from exmc.sampling.seeds import chain_key
from exmc.sampling.statistics import STATISTICS

FloatArray = NDArray[np.float64]


# Estimated of weighted particles.
_METRIC_NAMES = ("diagonal", "dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmcSettings:
    """The options of tempered SMC. Each chain has as many particles as it has draws.

    Attributes
    ----------
    block : int
        Particles that are moved by one task.
    moves : int
        Transitions of NUTS by which each particle is moved at each temperature.
    efficiency : float
        The next temperature is the one at which the effective sample size is this part of the particles.
    metric : str
        ``"diagonal"`` or ``"dense"``: of the particles' moments.
    target_accept, max_treedepth
        As of NUTS.
    max_rounds : int
        A chain that is not at temperature 1 by then fails.
    """

    block: int = 250
    moves: int = 2
    efficiency: float = 0.5
    metric: str = "diagonal"
    target_accept: float = 0.8
    max_treedepth: int = 8
    max_rounds: int = 1000

    def __post_init__(self) -> None:
        check_integer("block", self.block, 1)
        check_integer("moves", self.moves, 1)
        check_between("efficiency", self.efficiency, 0.0, 1.0)
        check_one_of("metric", self.metric, _METRIC_NAMES)
        check_between("target_accept", self.target_accept, 0.0, 1.0)
        check_integer("max_treedepth", self.max_treedepth, 1, 30)
        check_integer("max_rounds", self.max_rounds, 1)


# What a fit holds of each chain; the gradients are those of its transitions.
_CHAIN = (
    "positions", "log_densities", "statistics", "temperature", "log_evidence", "finished", "step_size",
    "inverse_mass_matrix", "rounds", "gradients",
)  # fmt: skip


def _blocks(options: SamplerOptions, settings: SmcSettings) -> int:
    return -(-options.draws // settings.block)


def _parts(options: SamplerOptions, settings: SmcSettings, fit: Arrays | None) -> tuple[int, ...]:
    count = _blocks(options, settings)
    chains = range(options.chains) if fit is None else fit["chains"][~fit["finished"]].tolist()
    return tuple(chain * count + block for chain in chains for block in range(count))


def _work(problem: Problem, fit: Arrays | None, round_number: int, part: int) -> Arrays:
    """One block of one chain's particles: drawn from the prior, or moved at the chain's temperature."""
    settings: SmcSettings = problem.settings
    chain, block = divmod(part, _blocks(problem.options, settings))
    first = block * settings.block
    count = min(settings.block, problem.options.draws - first)
    tempering = _tempering(problem)
    if fit is None:
        positions = tempering.draw_prior(chain, first, count)
        nothing = np.zeros((count, len(Transition._fields)))
        return _weighed(problem, tempering, positions) | {"statistics": nothing, "gradients": np.zeros(count)}
    row = fit["chains"].tolist().index(chain)
    if round_number > settings.max_rounds:
        raise SamplingError(
            f"Chain {chain} is at temperature {fit['temperature'][row]:.3g} after {round_number - 1} rounds.",
            where=("max_rounds",),
            remedy="Raise draws, which are the particles, or max_rounds.",
        )
    temperature = float(fit["temperature"][row])
    mover = _mover(problem, tempering.density(temperature), fit["inverse_mass_matrix"][row])
    positions = np.array(fit["positions"][row, first : first + count])
    statistics, gradients = np.empty((count, len(Transition._fields))), np.empty(count)
    for i in range(count):
        key = _particle_key(problem.options.seed, chain, first + i)
        moved = mover.move(
            key, positions[i], float(fit["step_size"][row]), round_number * settings.moves, settings.moves
        )
        positions[i], statistics[i], gradients[i] = moved.position, moved.statistics, moved.gradients
    return _weighed(problem, tempering, positions) | {"statistics": statistics, "gradients": gradients}


def _tempering(problem: Problem) -> Tempering:
    assert problem.tempering is not None
    return problem.tempering()


def _mover(problem: Problem, density: LogDensity, inverse_mass_matrix: FloatArray) -> Mover:
    settings: SmcSettings = problem.settings
    return Mover(
        density, settings.metric, inverse_mass_matrix, settings.target_accept, settings.max_treedepth, problem.pulse
    )  # fmt: skip


def _particle_key(seed: int, chain: int, particle: int) -> NDArray[np.uint64]:
    words = np.random.SeedSequence(seed, spawn_key=(chain, particle)).generate_state(2, np.uint64)
    return words.astype(np.uint64)


def _weighed(problem: Problem, tempering: Tempering, positions: FloatArray) -> dict[str, NDArray[Any]]:
    """`positions` with their log likelihoods, and joint log densities; -inf where there is none."""
    prior = tempering.density(0.0)
    count = len(positions)
    joint, likelihood = np.empty(count), np.empty(count)
    for i, position in enumerate(positions):
        value = problem(position)[0] if np.isfinite(position).all() else -math.inf
        below = prior(position)[0] if math.isfinite(value) else 0.0
        whole = math.isfinite(value) and math.isfinite(below)
        joint[i], likelihood[i] = (value, value - below) if whole else (-math.inf, -math.inf)
    return {"positions": positions, "log_likelihoods": likelihood, "log_densities": joint}


def _pool(problem: Problem, fit: Arrays | None, results: Mapping[int, Arrays]) -> Arrays:
    """Every chain whose blocks are all there, weighed and resampled at its next temperature."""
    settings: SmcSettings = problem.settings
    count = _blocks(problem.options, settings)
    chains: dict[int, dict[str, NDArray[Any]]] = {}
    failure = SamplingError("No chain has all of its particles.", where=("smc",))
    for chain in range(problem.options.chains):
        parts = [results.get(chain * count + block) for block in range(count)]
        present = [part for part in parts if part is not None]
        before = None if fit is None or chain not in fit["chains"] else _row(fit, chain)
        if before is not None and before["finished"]:
            chains[chain] = before
        elif len(present) == count and (fit is None or before is not None):
            joined = {name: np.concatenate([part[name] for part in present]) for name in present[0]}
            try:
                chains[chain] = _next(problem, chain, before, joined)
            except SamplingError as error:
                failure = error
    if not chains:
        raise failure
    labels = sorted(chains)
    stacked = {name: np.stack([np.asarray(chains[c][name]) for c in labels]) for name in _CHAIN}
    return stacked | {"chains": np.array(labels, dtype=np.int64)}


def _row(fit: Arrays, chain: int) -> dict[str, NDArray[Any]]:
    row = fit["chains"].tolist().index(chain)
    return {name: np.asarray(fit[name][row]) for name in _CHAIN}


def _next(problem: Problem, chain: int, before: Arrays | None, found: Arrays) -> dict[str, NDArray[Any]]:
    """The chain after a round that led to the particles `found`: finished, or at its next temperature."""
    settings: SmcSettings = problem.settings
    temperature = 0.0 if before is None else float(before["temperature"])
    evidence = 0.0 if before is None else float(before["log_evidence"])
    rounds = 0 if before is None else int(before["rounds"])
    step_size = 1.0 if before is None else float(before["step_size"])
    spent = int(found["gradients"].sum()) + (0 if before is None else int(before["gradients"]))
    chain_now = {
        "positions": found["positions"], "log_densities": found["log_densities"], "statistics": found["statistics"],
        "temperature": np.array(1.0), "log_evidence": np.array(evidence), "finished": np.array(True),
        "rounds": np.array(rounds), "gradients": np.array(spent), "step_size": np.array(step_size),
        "inverse_mass_matrix": METRICS[settings.metric].with_variances(np.ones(found["positions"].shape[1])),
    }  # fmt: skip
    if temperature == 1.0:
        return chain_now
    likelihoods = found["log_likelihoods"]
    if not np.isfinite(likelihoods).any():
        raise SamplingError(
            f"None of the {likelihoods.size} particles of chain {chain} has a finite log likelihood.",
            where=("initial",),
            remedy="The prior hardly allows for the data: check its scales, or raise draws.",
        )
    raised = next_temperature(likelihoods, temperature, settings.efficiency)
    weights, gain = _weights(likelihoods, raised - temperature)
    inverse_mass_matrix = moments(found["positions"], weights, settings.metric)
    uniform = generator(chain_key(problem.options.seed, chain), rounds, RESAMPLE).random()
    positions = found["positions"][resample(weights, uniform)]
    density = _tempering(problem).density(raised)
    mover = _mover(problem, density, inverse_mass_matrix)
    step_size = tune(mover, chain_key(problem.options.seed, chain), positions, step_size, rounds)
    return chain_now | {
        "positions": positions, "temperature": np.array(raised), "log_evidence": np.array(evidence + gain),
        "finished": np.array(False), "rounds": np.array(rounds + 1), "step_size": np.array(step_size),
        "inverse_mass_matrix": inverse_mass_matrix,
    }  # fmt: skip


def next_temperature(log_likelihoods: FloatArray, temperature: float, efficiency: float) -> float:
    """The highest temperature up to 1 at which the effective sample size is `efficiency` of the particles.

    Found by bisection, to the last bit. Where even the smallest step leaves fewer, as where most particles have no
    likelihood, the fraction is of those that have.
    """
    possible = int(np.isfinite(log_likelihoods).sum())

    def enough(raised: float) -> bool:
        weights, _ = _weights(log_likelihoods, raised - temperature)
        return bool(1.0 / np.sum(weights**2) >= efficiency * possible)

    if enough(1.0):
        return 1.0
    low, high = temperature, 1.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            # A temperature that no longer rises would never end: go on by rounding at least.
            return high if low == temperature else low
        low, high = (middle, high) if enough(middle) else (low, middle)


def _weights(log_likelihoods: FloatArray, step: float) -> tuple[FloatArray, float]:
    """Normalised weights of particles whose temperature rises by `step`, and the log of their mean before."""
    logs = step * log_likelihoods
    largest = float(logs.max())
    weights = np.exp(logs - largest)
    total = float(weights.sum())
    return weights / total, largest + math.log(total / logs.size)


def resample(weights: FloatArray, uniform: float) -> NDArray[np.int64]:
    """The particles that systematic resampling keeps, in order, by one uniform number (Kitagawa 1996)."""
    places = (np.arange(weights.size) + uniform) / weights.size
    cumulative = np.cumsum(weights)
    return np.minimum(np.searchsorted(cumulative / cumulative[-1], places, side="right"), weights.size - 1)


def moments(positions: FloatArray, weights: FloatArray, metric: str) -> FloatArray:
    """The inverse mass matrix of weighted particles, shrunk as Stan's by as many as they are worth."""
    worth = 1.0 / float(np.sum(weights**2))
    # Particles that weigh nothing may lie at infinity.
    held = weights > 0.0
    positions, weights = positions[held], weights[held]
    deviations = positions - np.einsum("n,nd->d", weights, positions)
    share, rest = worth / (worth + 5.0), 1e-3 * 5.0 / (worth + 5.0)
    if metric == "diagonal":
        return np.asarray(share * np.einsum("n,nd,nd->d", weights, deviations, deviations) + rest)
    weighted = weights[:, None] * deviations
    covariance = np.einsum("ni,nj->ij", weighted, deviations)
    return np.asarray(share * covariance + rest * np.eye(positions.shape[1]))


def _draw(problem: Problem, fit: Arrays, chain: int, first: int, count: int) -> Drawn:
    """The particles themselves, in order."""
    if chain not in fit["chains"]:
        raise SamplingError(f"Chain {chain} failed in its fit.", remedy="Its notes say why.")
    row = fit["chains"].tolist().index(chain)
    these = slice(first, first + count)
    table = fit["statistics"][row, these]
    statistics: dict[str, NDArray[Any]] = {
        row.name: table[:, Transition._fields.index(row.name)].astype(row.dtype) for row in SMC_STATISTICS
    }
    return Drawn(np.array(fit["positions"][row, these]), statistics | {"lp": fit["log_densities"][row, these]})


def combined(log_evidences: FloatArray) -> tuple[float, float | None]:
    """The log of the mean of independent estimates of the evidence, which are unbiased, and its standard error.

    The error is that of the mean over it (the delta method); None of a single estimate.
    """
    largest = float(log_evidences.max())
    relative = np.exp(log_evidences - largest)
    mean = float(relative.mean())
    error = None if relative.size < 2 else float(relative.std(ddof=1)) / math.sqrt(relative.size) / mean
    return largest + math.log(mean), error


def _report(fit: Arrays) -> dict[str, Any]:
    evidence, error = combined(fit["log_evidence"])
    said = {"log_evidence": evidence, "log_evidences": [float(value) for value in fit["log_evidence"]]}
    said |= {} if error is None else {"log_evidence_error": error}
    return said | {"temperatures": [int(n) for n in fit["rounds"]], "gradients": int(fit["gradients"].sum())}


def _progress(fit: Arrays) -> str:
    if fit["finished"].all():
        evidence, error = combined(fit["log_evidence"])
        return f"log evidence {evidence:.4g}" + ("" if error is None else f" ± {error:.2g}")
    return f"temperature {fit['temperature'].min():.3g}"


SMC_STATISTICS = tuple(
    row for row in STATISTICS if row.name in ("lp", "acceptance_rate", "step_size", "tree_depth", "n_steps")
)
"""Those of the last transition of each particle."""

SMC = Method(
    name="smc",
    approximation="",
    settings=SmcSettings,
    statistics=SMC_STATISTICS,
    parts=_parts,
    work=_work,
    pool=_pool,
    draw=_draw,
    report=_report,
    progress=_progress,
    fixed_draws=True,
)
