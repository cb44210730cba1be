"""Prints what a start saves: a refit with 5 % new rows begun warm, and chains begun near a mode, against the usual.

    python scripts/bench/starting.py [--models logistic radon poisson] [--seeds 5] [--warmup 100]

Four chains each. What counts is a start's gradients, and processor seconds, until every scalar of the posterior has a
bulk ESS of 400 at R-hat under 1.01: warm-up in full, and draws, looked at every 50 a chain. "cold" warms up for 400
iterations from uniform points; "warm" for `--warmup` (the default of `exmc run --warm-start`) from the last positions,
step sizes and metrics of a fit of the first 95 % of the rows; "pathfinder" is cold from a draw of Pathfinder's best
approximation, whose gradients ("before") count. Medians over seeds, and of ratios to cold. Gradients do not depend on
the machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from comparison import exmc_models
from comparison.problems import PROBLEMS
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from exmc.compile.program import CompiledModel, compile_model
from exmc.diagnostics.convergence import ess_bulk, r_hat
from exmc.ir.builder import Builder
from exmc.rewrite.run import rewrite
from exmc.sampling.chain import Block, Carried, advance, begin
from exmc.sampling.options import SamplerOptions
from exmc.sampling.state import ChainState
from exmc.sampling.watchdog import Pulse
from exmc.starts import start_of

CHAINS, DRAWS, WARMUP, STEP = 4, 2000, 400, 50
# The iterations in which a chain comes down to the typical set.
SEARCH = 75
ESS, R_HAT = 400.0, 1.01
NEW_ROWS = 0.05
Arrays = Mapping[str, NDArray[Any]]


def poisson(data: Arrays) -> Builder:
    """Counts with an intercept a group."""
    return (
        Builder()
        .data("x", data["x"])
        .data("group", data["group"])
        .rv("mu", "Normal", mu=0, sigma=2)
        .rv("tau", "HalfNormal", sigma=1)
        .rv("a", "Normal", mu="mu", sigma="tau", shape=30)
        .rv("b", "Normal", mu=0, sigma=1, shape=4)
        .rv("y", "Poisson", mu="exp(a[group] + x @ b)", observed=data["y"])
    )


def counts() -> Arrays:
    """Two thousand rows in thirty groups."""
    random = np.random.default_rng(7)
    x, group = random.normal(size=(2000, 4)), random.integers(0, 30, size=2000)
    rate = np.exp(0.5 + 0.4 * random.normal(size=30)[group] + x @ np.array([0.3, -0.2, 0.1, 0.0]))
    return {"x": x, "group": group, "y": random.poisson(rate)}


# The rows of radon are in no order of time: houses of a county stand together, and the new ones are any.
CASES: dict[str, tuple[Callable[[Any], Builder], Callable[[], Arrays]]] = {
    "logistic": (exmc_models.logistic, PROBLEMS["logistic"].data),
    "radon": (exmc_models.radon, PROBLEMS["radon"].data),
    "poisson": (poisson, counts),
}


class Cost(NamedTuple):
    """What a start took until the draws were good, NaN if they were not at the end; of all chains, but for `draws`.

    Gradients in all, those before the first iteration, those of the search (`SEARCH` iterations) and of all of warm-up,
    processor seconds, and draws a chain.
    """

    gradients: float
    before: float
    search: float
    warming: float
    seconds: float
    draws: float


class Chain(NamedTuple):
    """One chain: the state it ended in, its blocks, gradients before the first iteration, seconds of both phases."""

    state: ChainState
    warm: Block
    drawn: Block
    before: int
    seconds: tuple[float, float]


def run_chain(compiled: CompiledModel, options: SamplerOptions, chain: int, carried: Carried | None) -> Chain:
    """Warm up and draw."""
    density, pulse, began = compiled.density(), Pulse(), time.process_time()
    if carried is None:
        start = start_of(compiled, options, chain, pulse)
        state, before = begin(density, options, chain, start.position, None, start.variances), pulse.sign()[0]
    else:
        state, before = begin(density, options, chain, carried=carried), 0
    state, warm = advance(density, options, state, options.warmup)
    between = time.process_time()
    state, drawn = advance(density, options, state, options.draws)
    return Chain(state, warm, drawn, before, (between - began, time.process_time() - between))


def cost(compiled: CompiledModel, chains: list[Chain]) -> Cost:
    """What `chains` took."""
    posterior = [compiled.constrain(chain.drawn.positions) for chain in chains]
    columns = [np.stack([p[name] for p in posterior]).reshape(CHAINS, DRAWS, -1) for name in posterior[0]]
    scalars = np.concatenate(columns, axis=2).transpose(2, 0, 1)
    scalars = scalars[scalars.std(axis=(1, 2)) > 0]
    before = sum(chain.before for chain in chains)
    search, warming = (
        sum(int(chain.warm.statistics["n_steps"][:count].sum()) for chain in chains) for count in (SEARCH, WARMUP)
    )
    for count in range(STEP, DRAWS + 1, STEP):
        seen = np.ascontiguousarray(scalars[:, :, :count])
        if ess_bulk(seen).min() >= ESS and r_hat(seen).max() < R_HAT:
            drawing = sum(int(chain.drawn.statistics["n_steps"][:count].sum()) for chain in chains)
            whole = sum(int(chain.drawn.statistics["n_steps"].sum()) for chain in chains)
            seconds = sum(chain.seconds[0] + chain.seconds[1] * drawing / whole for chain in chains)
            return Cost(before + warming + drawing, before, search, warming, seconds, count)
    return Cost(np.nan, before, search, warming, np.nan, np.nan)


def starts(name: str, seed: int, warmup: int) -> dict[str, Cost]:
    """Each start once, in turn."""
    build, read = CASES[name]
    data = read()
    rows = len(next(iter(data.values())))
    order = np.random.default_rng(seed).permutation(rows)
    first = np.sort(order[: round(rows / (1 + NEW_ROWS))])
    compiled, before = (
        compile_model(source, rewrite(source).model)
        for source in (build(data).build(), build({key: array[first] for key, array in data.items()}).build())
    )
    options = SamplerOptions(seed=seed, draws=DRAWS, warmup=WARMUP, chains=CHAINS)
    earlier = [run_chain(before, replace(options, seed=seed + 1000), chain, None).state for chain in range(CHAINS)]
    carried = [Carried(s.position, s.step_size, s.inverse_mass_matrix, s.adaptation.careful) for s in earlier]
    ways: dict[str, tuple[SamplerOptions, list[Carried | None]]] = {
        "cold": (options, [None] * CHAINS),
        "warm": (replace(options, warmup=warmup, warm_start="bench"), list(carried)),
        "pathfinder": (replace(options, init="pathfinder"), [None] * CHAINS),
    }
    return {
        way: cost(compiled, [run_chain(compiled, how, chain, taken[chain]) for chain in range(CHAINS)])
        for way, (how, taken) in ways.items()
    }


def bench(name: str, seeds: int, warmup: int) -> None:
    """Print the rows of one model."""
    found = [starts(name, seed, warmup) for seed in range(seeds)]
    for way in found[0]:
        row = Cost(*(statistics.median(column) for column in zip(*(run[way] for run in found), strict=True)))
        saved, faster = (
            statistics.median(getattr(run[way], field) / getattr(run["cold"], field) for run in found)
            for field in ("gradients", "seconds")
        )
        counts = f"{row.gradients:12,.0f} {row.before:10,.0f} {row.search:10,.0f} {row.warming:12,.0f} {row.draws:8.0f}"
        print(f"{name:10} {way:10} {counts} {row.seconds:10.2f} {saved:10.2f} {faster:10.2f}", flush=True)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=100)
    arguments = parser.parse_args()
    heads = {"gradients": 12, "before": 10, "search": 10, "warm-up": 12, "draws": 8, "seconds": 10}
    columns = heads | {"/ cold": 10, "s / cold": 10}
    print(f"{'':21} " + " ".join(f"{name:>{width}}" for name, width in columns.items()))
    with threadpool_limits(1):
        for name in arguments.models:
            bench(name, arguments.seeds, arguments.warmup)


if __name__ == "__main__":
    main()
