"""Prints how many gradients an effective draw costs centred, non-centred and as chosen from the data.

    python scripts/bench/centering.py [--models WORD ...] [--seeds 5]

Four chains of 1000 draws after 400 iterations of warm-up each; the parameterisations take turns within each seed, and
figures are medians over seeds: the smallest bulk and tail ESS of all scalars on their natural scale for 1000 gradients
of sampling, the same of bulk ESS with warm-up's gradients counted ("whole"), gradients a draw, divergences and the
largest R-hat. The last column is the bulk ESS of each over that of the better of the two: the goal is 0.8 at least for
"auto". Nothing depends on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from exmc import Builder
from exmc.compile.program import CompiledModel, compile_model
from exmc.diagnostics.convergence import ess_bulk, ess_tail, r_hat
from exmc.ir.nodes import Centering
from exmc.rewrite.run import rewrite
from exmc.sampling.chain import advance, begin
from exmc.sampling.options import SamplerOptions

CHAINS, DRAWS, WARMUP = 4, 1000, 400
WAYS: tuple[Centering, ...] = ("centered", "noncentered", "auto")
RADON = Path(__file__).parent / "comparison" / "data" / "radon.json"
EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
Make = Callable[[Centering], Builder]


def schools(factor: float, centering: Centering) -> Builder:
    """Eight schools with the effects times `factor` at the same errors; the priors are as wide, and no narrower."""
    wide = 5.0 * max(factor, 1.0)
    return (
        Builder()
        .data("error", ERROR)
        .rv("mu", "Normal", mu=0.0, sigma=wide)
        .rv("tau", "HalfCauchy", beta=wide)
        .rv("theta", "Normal", mu="mu", sigma="tau", shape=8, centering=centering)
        .rv("y", "Normal", mu="theta", sigma="error", observed=factor * EFFECT)
    )


def radon(slopes: bool, centering: Centering) -> Builder:
    """Radon in 919 homes of 85 counties, with intercepts, or intercepts and slopes, that vary over counties."""
    data = {name: np.asarray(values) for name, values in json.loads(RADON.read_text()).items() if name[0] != "_"}
    counties = int(data["county_idx"].max()) + 1
    build = (
        Builder()
        .data("county", data["county_idx"])
        .data("floor", data["floor_measure"].astype(float))
        .rv("sigma_y", "HalfNormal", sigma=1.0)
        .rv("mu_alpha", "Normal", mu=0.0, sigma=10.0)
        .rv("sigma_alpha", "HalfNormal", sigma=1.0)
        .rv("alpha", "Normal", mu="mu_alpha", sigma="sigma_alpha", shape=counties, centering=centering)
        .rv("mu_beta", "Normal", mu=0.0, sigma=10.0)
    )
    slope = "mu_beta"
    if slopes:
        build.rv("sigma_beta", "HalfNormal", sigma=1.0)
        build.rv("beta", "Normal", mu="mu_beta", sigma="sigma_beta", shape=counties, centering=centering)
        slope = "beta[county]"
    return build.rv("y", "Normal", mu=f"alpha[county] + floor * {slope}", sigma="sigma_y", observed=data["log_radon"])


def logistic(groups: int, fewest: int, most: int, spread: float, centering: Centering) -> Builder:
    """Two levels: `groups` intercepts that spread by `spread`, of `fewest` to `most` rows each, and a slope."""
    random = np.random.default_rng(groups + most)
    sizes = np.exp(random.uniform(np.log(fewest), np.log(most), groups)).astype(int)
    group = np.repeat(np.arange(groups), sizes)
    x = random.normal(size=group.size)
    logit = 0.5 + (spread * random.normal(size=groups))[group] + 0.7 * x
    return (
        Builder()
        .data("group", group)
        .data("x", x)
        .rv("mu", "Normal", mu=0.0, sigma=5.0)
        .rv("tau", "HalfNormal", sigma=2.0)
        .rv("slope", "Normal", mu=0.0, sigma=2.0)
        .rv("alpha", "Normal", mu="mu", sigma="tau", shape=groups, centering=centering)
        .rv("y", "Bernoulli", logit="alpha[group] + slope * x", observed=random.uniform(size=x.size) < expit(logit))
    )


def crossed(persons: int, items: int, centering: Centering) -> Builder:
    """Persons who each answer every item: abilities and difficulties in the same rows."""
    random = np.random.default_rng(persons)
    person, item = (axis.ravel() for axis in np.mgrid[:persons, :items])
    logit = random.normal(size=persons)[person] - 0.7 * random.normal(size=items)[item]
    return (
        Builder()
        .data("person", person)
        .data("item", item)
        .rv("level", "Normal", mu=0.0, sigma=2.0)
        .rv("sigma_a", "HalfNormal", sigma=2.0)
        .rv("sigma_b", "HalfNormal", sigma=2.0)
        .rv("a", "Normal", mu=0.0, sigma="sigma_a", shape=persons, centering=centering)
        .rv("b", "Normal", mu="level", sigma="sigma_b", shape=items, centering=centering)
        .rv("y", "Bernoulli", logit="a[person] - b[item]", observed=random.uniform(size=logit.size) < expit(logit))
    )


def expit(logit: Any) -> Any:
    """The probability with this logit."""
    return 1.0 / (1.0 + np.exp(-logit))


MODELS: dict[str, Make] = {
    **{f"eight schools x{factor:g}": partial(schools, factor) for factor in (0.1, 1.0, 2.0, 3.0, 10.0)},
    "radon, intercepts": partial(radon, False),
    "radon, intercepts and slopes": partial(radon, True),
    "logistic, 2 to 15 rows": partial(logistic, 40, 2, 15, 0.6),
    "logistic, 10 to 60 rows": partial(logistic, 40, 10, 60, 0.5),
    "logistic, 2 to 300 rows": partial(logistic, 40, 2, 300, 1.0),
    "logistic, 60 to 300 rows": partial(logistic, 40, 60, 300, 1.0),
    "logistic, 8 groups": partial(logistic, 8, 5, 60, 0.6),
    "persons and items": partial(crossed, 60, 12),
}


class Found(NamedTuple):
    """One run's figures, in the order of the table's columns."""

    bulk: float
    whole: float
    tail: float
    draw_gradients: float
    divergences: float
    r_hat: float


def measured(compiled: CompiledModel, seed: int) -> Found:
    """One run of all chains."""
    options = SamplerOptions(seed=seed, draws=DRAWS, warmup=WARMUP, chains=CHAINS)
    density = compiled.density()
    spent, used, divergences = 0, 0, 0
    chains = []
    for chain in range(CHAINS):
        state, warm = advance(density, options, begin(density, options, chain), WARMUP)
        _, drawn = advance(density, options, state, DRAWS)
        spent += int(warm.statistics["n_steps"].sum())
        used += int(drawn.statistics["n_steps"].sum())
        divergences += int(drawn.statistics["diverging"].sum())
        values = compiled.constrain(drawn.positions)
        chains.append(np.concatenate([v.reshape(DRAWS, -1) for v in values.values()], axis=1))
    scalars = np.stack(chains).transpose(2, 0, 1)
    bulk, tail = float(ess_bulk(scalars).min()), float(ess_tail(scalars).min())
    return Found(
        1000.0 * bulk / used,
        1000.0 * bulk / (used + spent),
        1000.0 * tail / used,
        used / (CHAINS * DRAWS),
        divergences,
        float(r_hat(scalars).max()),
    )


def bench(name: str, make: Make, seeds: int) -> None:
    """Print the rows of one model."""
    sources = {way: make(way).build() for way in WAYS}
    compiled = {way: compile_model(source, rewrite(source).model) for way, source in sources.items()}
    found: dict[Centering, list[Found]] = {way: [] for way in WAYS}
    for seed in range(seeds):
        for way in WAYS:
            found[way].append(measured(compiled[way], seed))
    rows = {
        way: Found(*(statistics.median(column) for column in zip(*runs, strict=True))) for way, runs in found.items()
    }
    better = max(rows["centered"].bulk, rows["noncentered"].bulk)
    print(f"\n{name:31}" + "".join(f"{head:>12}" for head in HEADS))
    for way, row in rows.items():
        print(
            f"  {way:29}{row.bulk:12.1f}{row.whole:12.1f}{row.tail:12.1f}{row.draw_gradients:12.1f}"
            f"{row.divergences:12.0f}{row.r_hat:12.3f}{row.bulk / better:12.2f}",
            flush=True,
        )


HEADS = ("bulk", "whole", "tail", "grads/draw", "diverging", "R-hat", "of better")


def main() -> None:
    """Print one table a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=[], help="models whose names hold one of these words")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    # BLAS with more threads has other bits, and gains nothing on matrices this small.
    with threadpool_limits(1):
        for name, make in MODELS.items():
            if not arguments.models or any(word in name for word in arguments.models):
                bench(name, make, arguments.seeds)


if __name__ == "__main__":
    main()
