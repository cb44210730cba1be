"""Prints what a gradient costs: interpreted by autograd, and as machine code; and what compiling costs.

Run as `python scripts/bench/density.py`. Each figure is the median of repeated turns of one process on one core, the
machine code called in a compiled loop. Compile times include recording, verification and loading; "cached" finds the
object on disk.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from threadpoolctl import threadpool_limits

from exmc import special
from exmc.compile.kernel import Kernel, compile_density
from exmc.compile.record import autograd_value_and_gradient

TURNS = 9


class Benchmark(NamedTuple):
    """A density to time, and how many evaluations make one turn."""

    name: str
    dimension: int
    density: Callable[[Any], Any]
    calls: int


def eight_schools() -> Benchmark:
    """Eight schools, non-centred: the overhead of a small model."""
    effect = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    error = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

    def density(x: Any) -> Any:
        mu, log_tau, z = x[0], x[1], x[2:]
        tau = anp.exp(log_tau)
        prior = -0.5 * (mu / 5.0) ** 2 - anp.log1p((tau / 5.0) ** 2) + log_tau - 0.5 * anp.sum(z**2)
        return prior - 0.5 * anp.sum(((effect - mu - tau * z) / error) ** 2)

    return Benchmark("eight schools, non-centred (d=10)", 10, density, 100_000)


def logistic(rows: int, columns: int) -> Benchmark:
    """A logistic regression: products with a matrix, and transcendental functions."""
    generator = np.random.default_rng(1)
    design = generator.normal(size=(rows, columns))
    outcome = (generator.uniform(size=rows) < special.expit(design @ generator.normal(size=columns) * 0.5)) * 1

    def density(x: Any) -> Any:
        linear = anp.dot(design, x)
        return anp.sum(outcome * linear - special.softplus(linear)) - 0.5 * anp.sum(x**2)

    return Benchmark(f"logistic regression (n={rows}, d={columns})", columns, density, max(10, 1_000_000 // rows))


def varying_intercepts(rows: int, groups: int) -> Benchmark:
    """A hierarchical normal model with a gather."""
    generator = np.random.default_rng(2)
    group = generator.integers(0, groups, rows)
    floor = generator.integers(0, 2, rows)
    outcome = generator.normal(size=rows)

    def density(x: Any) -> Any:
        intercepts, slope, mu, log_tau, log_sigma = x[:groups], x[groups], x[groups + 1], x[groups + 2], x[groups + 3]
        residual = (outcome - intercepts[group] - slope * floor) / anp.exp(log_sigma)
        likelihood = -0.5 * anp.sum(residual**2) - rows * log_sigma
        prior = -0.5 * anp.sum(((intercepts - mu) / anp.exp(log_tau)) ** 2) - groups * log_tau
        return likelihood + prior - 0.5 * (slope**2 + mu**2 + log_tau**2 + log_sigma**2)

    return Benchmark(f"varying intercepts (n={rows}, d={groups + 4})", groups + 4, density, max(10, 3_000_000 // rows))


def median_seconds(work: Callable[[], object], turns: int = TURNS) -> float:
    """The median time of one turn, after one that is not counted."""
    work()
    seconds = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def time_compile(benchmark: Benchmark, directory: Path) -> tuple[Kernel, float]:
    """A kernel, and the seconds it took to compile and load."""
    start = time.perf_counter()
    kernel = compile_density(benchmark.density, benchmark.dimension, cache=directory)
    seconds = time.perf_counter() - start
    if not isinstance(kernel, Kernel):
        raise TypeError(f"expected a kernel, not {type(kernel).__name__}")
    return kernel, seconds


def main() -> None:
    """Print one line a benchmark."""
    print(f"{'':44}{'autograd us':>12}{'kernel us':>11}{'ratio':>7}{'cold ms':>9}{'cached ms':>11}")
    benchmarks = [
        eight_schools(),
        logistic(500, 21),
        logistic(10_000, 25),
        varying_intercepts(919, 85),
        varying_intercepts(10_000, 175),
    ]
    for benchmark in benchmarks:
        with tempfile.TemporaryDirectory() as name:
            kernel, cold = time_compile(benchmark, Path(name))
            cached = statistics.median(time_compile(benchmark, Path(name))[1] for _ in range(3))
        position = np.random.default_rng(3).uniform(-0.5, 0.5, benchmark.dimension)
        positions = np.tile(position, (benchmark.calls, 1))
        native = median_seconds(lambda k=kernel, p=positions: k.evaluate_batch(p, p.shape[1])) / benchmark.calls
        interpreted = median_seconds(lambda b=benchmark, p=position: autograd_value_and_gradient(b.density, p), 21)
        print(
            f"{benchmark.name:44}{1e6 * interpreted:12.0f}{1e6 * native:11.3f}{interpreted / native:7.0f}"
            f"{1e3 * cold:9.0f}{1e3 * cached:11.1f}"
        )


if __name__ == "__main__":
    # autograd's products would otherwise use every core, and the machine code one.
    with threadpool_limits(1):
        main()
