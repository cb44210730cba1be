"""Prints how many gradients an effective draw costs, by scheme of adaptation, metric and length of warm-up.

    python scripts/bench/adaptation.py [--models WORD ...] [--schemes fisher/low_rank/400 ...] [--seeds 5]

A scheme is written adaptation/metric/warmup, or adaptation/metric/warmup/pooled if chains learn together. Four chains
of 1000 draws each; schemes take turns within each seed, and figures are medians over seeds: the smallest bulk ESS of
all coordinates for 1000 gradients, of sampling alone ("draws") and of warm-up and sampling ("whole"); gradients a
warm-up iteration and a draw; the largest R-hat; divergences; the processor's milliseconds of a chain's warm-up and of
its draws. Nothing but gradients is counted in the first four: they do not depend on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import models
import numpy as np
from models import Model
from threadpoolctl import threadpool_limits

from exmc.compile.kernel import compile_density
from exmc.density import LogDensity
from exmc.diagnostics.convergence import ess_bulk, r_hat
from exmc.sampling.chain import Block, advance, begin, pool
from exmc.sampling.options import SamplerOptions
from exmc.sampling.pooling import waits
from exmc.sampling.state import ChainState

CHAINS, DRAWS = 4, 1000
SCHEMES = (
    *(f"stan/diagonal/{warmup}" for warmup in (500, 1000)),
    *(f"fisher/diagonal/{warmup}" for warmup in (200, 300, 400, 1000)),
    *(f"fisher/auto/{warmup}" for warmup in (200, 300, 400, 1000)),
    "stan/dense/1000",
    "fisher/dense/400",
    "fisher/auto/200/pooled",
)


def varying_slopes(rows: int = 919, groups: int = 85) -> Model:
    """Intercepts and slopes that vary over counties, non-centred, as of the radon data."""

    def density(ops: Any, x: Any, outcome: Any, group: Any, floor: Any) -> Any:
        log_scales, means, a, b = x[:3], x[3:5], x[5 : 5 + groups], x[5 + groups :]
        scales = ops.exp(log_scales)
        intercepts, slopes = means[0] + scales[1] * a, means[1] + scales[2] * b
        residual = (outcome - intercepts[group] - floor * slopes[group]) / scales[0]
        prior = ops.sum(log_scales - 0.5 * scales**2) - 0.5 * ops.sum((means / 10.0) ** 2)
        prior = prior - 0.5 * ops.sum(a**2) - 0.5 * ops.sum(b**2)
        return prior - 0.5 * ops.sum(residual**2) - rows * log_scales[0]

    random = np.random.default_rng(1)
    # A few counties have most houses, and most have few.
    group = np.sort(random.choice(groups, size=rows, p=random.dirichlet(np.full(groups, 0.6))))
    floor = (random.uniform(size=rows) < 0.17).astype(np.float64)
    intercepts, slopes = random.normal(1.5, 0.3, groups), random.normal(-0.6, 0.3, groups)
    outcome = intercepts[group] + floor * slopes[group] + 0.7 * random.normal(size=rows)
    return Model("varying slopes, d=175", 5 + 2 * groups, density, (outcome, group, floor))


def random_walk(steps: int = 100) -> Model:
    """Stochastic volatility as a centred random walk, heavy-tailed returns."""

    def density(ops: Any, x: Any, returns: Any) -> Any:
        log_sigma, s = x[0], x[1:]
        sigma = ops.exp(log_sigma)
        walk = -0.5 * (s[0] / sigma) ** 2 - 0.5 * ops.sum(((s[1:] - s[:-1]) / sigma) ** 2) - steps * log_sigma
        terms = -ops.sum(s) - 4.5 * ops.sum(ops.log1p((returns * ops.exp(-s)) ** 2 / 8.0))
        return walk + terms - 50.0 * sigma + log_sigma

    random = np.random.default_rng(2)
    returns = np.exp(np.cumsum(0.05 * random.normal(size=steps))) * random.standard_t(8, size=steps)
    return Model(f"stochastic volatility, T={steps}", steps + 1, density, (returns,))


def normal(name: str, covariance: np.ndarray) -> Model:
    """A normal density with mean 0."""

    def density(ops: Any, x: Any, precision: Any) -> Any:
        return -0.5 * ops.dot(x, ops.dot(precision, x))

    return Model(name, len(covariance), density, (np.linalg.inv(covariance),))


def scales(dimension: int = 100) -> Model:
    """Independent normals with standard deviations from 1e-3 to 1e3."""

    def density(ops: Any, x: Any, precisions: Any) -> Any:
        return -0.5 * ops.sum(precisions * x**2)

    return Model("normal, scales 1e-3...1e3", dimension, density, (10.0 ** np.linspace(6.0, -6.0, dimension),))


def rotated(dimension: int = 50) -> Model:
    """A normal whose axes of lengths 0.18 to 5.6 lie anywhere."""
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(dimension, dimension)))
    return normal("normal, rotated, d=50", axes @ np.diag(10.0 ** np.linspace(-1.5, 1.5, dimension)) @ axes.T)


def equicorrelated(dimension: int = 100) -> Model:
    """A normal with correlations of 0.95 throughout and scales from 0.01 to 100."""
    lengths = 10.0 ** np.random.default_rng(1).uniform(-2.0, 2.0, dimension)
    correlation = 0.95 + 0.05 * np.eye(dimension)
    return normal("normal, correlations 0.95", correlation * np.outer(lengths, lengths))


def funnel(dimension: int = 10) -> Model:
    """Neal's: no metric fits."""

    def density(ops: Any, x: Any, unit: Any) -> Any:
        return -0.5 * (x[0] / 3.0) ** 2 - 0.5 * ops.sum(unit * x[1:] ** 2) * ops.exp(-x[0]) - 4.5 * x[0]

    return Model("funnel, d=10", dimension, density, (np.ones(dimension - 1),))


MODELS: tuple[Callable[[], Model], ...] = (
    models.eight_schools,
    varying_slopes,
    lambda: models.logistic(500, 21),
    scales,
    rotated,
    equicorrelated,
    random_walk,
    lambda: models.item_response(100, 20),
    funnel,
)


class Scheme(NamedTuple):
    """What is compared: an adaptation, a metric, a number of warm-up iterations, and whether chains learn together."""

    adaptation: str
    metric: str
    warmup: int
    pooled: bool

    @classmethod
    def parsed(cls, text: str) -> Scheme:
        """What ``adaptation/metric/warmup`` says, with ``/pooled`` or without."""
        adaptation, metric, warmup, *rest = text.split("/")
        if rest not in ([], ["pooled"]):
            raise SystemExit(f"{text!r} is no adaptation/metric/warmup, nor one with /pooled.")
        return cls(adaptation, metric, int(warmup), bool(rest))

    def __str__(self) -> str:
        return " ".join(map(str, self[:3])) + " pooled" * self.pooled


class Found(NamedTuple):
    """One run's figures, in the order of the table's columns."""

    draws: float
    whole: float
    warmup_gradients: float
    draw_gradients: float
    r_hat: float
    divergences: float
    warmup_ms: float
    draws_ms: float


def measured(density: LogDensity, scheme: Scheme, seed: int) -> Found:
    """One run of all chains."""
    options = SamplerOptions(
        seed=seed, draws=DRAWS, warmup=scheme.warmup, chains=CHAINS, metric=scheme.metric, adaptation=scheme.adaptation,
        pool_metric=scheme.pooled,
    )  # fmt: skip
    started = time.process_time()
    states, warm = warmed_up(density, options)
    between = time.process_time()
    drawn = [advance(density, options, state, DRAWS)[1] for state in states]
    seconds = np.array([between - started, time.process_time() - between])
    by_coordinate = np.stack([block.positions for block in drawn]).transpose(2, 0, 1)
    ess = float(ess_bulk(by_coordinate).min())
    spent, used = gradients(warm), gradients(drawn)
    return Found(
        1000.0 * ess / used,
        1000.0 * ess / (used + spent),
        spent / (CHAINS * max(scheme.warmup, 1)),
        used / (CHAINS * DRAWS),
        float(r_hat(by_coordinate).max()),
        float(sum(block.statistics["diverging"].sum() for block in drawn)),
        *(1000.0 * seconds / CHAINS),
    )


def warmed_up(density: LogDensity, options: SamplerOptions) -> tuple[list[ChainState], list[Block]]:
    """All chains at the end of warm-up, and its draws."""
    states = [begin(density, options, chain) for chain in range(CHAINS)]
    blocks: list[Block] = []
    while states[0].iteration < options.warmup:
        pooled = pool(options, states) if waits(options, states[0]) else None
        done = [advance(density, options, state, options.warmup, pooled=pooled) for state in states]
        states, blocks = [state for state, _ in done], blocks + [block for _, block in done]
    return states, blocks


def gradients(blocks: Iterable[Block]) -> int:
    """How many the draws of `blocks` took."""
    return sum(int(block.statistics["n_steps"].sum()) for block in blocks)


def bench(model: Model, schemes: list[Scheme], seeds: int) -> None:
    """Print the rows of one model."""
    density = compile_density(model.function, model.dimension).load()
    found: dict[Scheme, list[Found]] = {scheme: [] for scheme in schemes}
    for seed in range(seeds):
        for scheme in schemes:
            found[scheme].append(measured(density, scheme, seed))
    print(f"\n{model.name:31}" + "".join(f"{name:>12}" for name in ("draws", "whole", *HEADS)))
    for scheme, runs in found.items():
        row = Found(*(statistics.median(column) for column in zip(*runs, strict=True)))
        print(
            f"  {scheme!s:29}{row.draws:12.2f}{row.whole:12.2f}{row.warmup_gradients:12.1f}{row.draw_gradients:12.1f}"
            f"{row.r_hat:12.3f}{row.divergences:12.0f}{row.warmup_ms:12.1f}{row.draws_ms:12.1f}",
            flush=True,
        )


HEADS = ("grads/warm", "grads/draw", "R-hat", "diverging", "ms warm", "ms draws")


def main() -> None:
    """Print one table a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=[], help="models whose names hold one of these words")
    parser.add_argument("--schemes", nargs="*", default=list(SCHEMES))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    schemes = [Scheme.parsed(text) for text in arguments.schemes]
    # BLAS with more threads has other bits, and gains nothing on matrices this small.
    with threadpool_limits(1):
        for make in MODELS:
            model = make()
            if not arguments.models or any(word in model.name for word in arguments.models):
                bench(model, schemes, arguments.seeds)


if __name__ == "__main__":
    main()
