"""Prints what a gradient costs as machine code, by peers, and interpreted; and what compiling costs.

    python scripts/bench/density.py [--large] [--only WORD ...] [--no-peers]

Each figure is the median of turns of one process on one core, the libraries taking turns, in processor time, which
does not count what other programs take; all are called in compiled loops, and each must give the same density and
gradient as autograd. Compile times include recording, verification and loading; "cached" finds the object on disk. The
peers, nutpie and JAX, come with `pip install exmc[bench]`. Ratios say how many times as long as exmc they take.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import models
import numpy as np
import peers
from threadpoolctl import threadpool_limits

from exmc.compile.kernel import Kernel, compile_density
from exmc.compile.oracle import autograd_value_and_gradient

TURNS = 15
TURN_SECONDS = 0.01


def chosen(large: bool) -> list[models.Model]:
    """The models of the table, in order; those of a million rows only if asked for."""
    counts = (100, 10_000, 1_000_000) if large else (100, 10_000)
    return [
        models.eight_schools(),
        *(models.varying_intercepts(n) for n in counts),
        *(models.logistic(n) for n in counts),
        *(models.poisson(n) for n in counts),
        *(models.mixture(n) for n in (100, 10_000)),
        *(models.stochastic_volatility(n) for n in (100, 3000)),
        models.item_response(500, 20),
        *(models.gaussian_process(n) for n in (11, 100, 500)),
        models.garch(1000),
        models.arma(1000),
        models.hidden_markov(1000),
        models.predators(),
    ]


def time_compile(model: models.Model, directory: Path) -> tuple[Kernel, float]:
    """A kernel, and the seconds it took to compile and load."""
    start = time.perf_counter()
    kernel = compile_density(model.function, model.dimension, cache=directory)
    seconds = time.perf_counter() - start
    if not isinstance(kernel, Kernel):
        raise TypeError(f"expected a kernel, not {type(kernel).__name__}")
    return kernel, seconds


def kernel_loop(kernel: Kernel, position: Any) -> Callable[[int], object]:
    """Work that evaluates a kernel a number of times."""
    positions = np.tile(position, (4096, 1))

    def work(calls: int) -> None:
        for start in range(0, calls, len(positions)):
            kernel.evaluate_batch(positions[: min(len(positions), calls - start)], kernel.dimension)

    return work


def seconds_per_call(work: Callable[[int], object], calls: int) -> float:
    """The processor time of one call in a turn of several."""
    start = time.process_time()
    work(calls)
    return (time.process_time() - start) / calls


def in_turn(works: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """The median seconds of a call of each, the libraries taking turns."""
    calls = {}
    for name, work in works.items():
        work(1)
        once = min(seconds_per_call(work, 1) for _ in range(3))
        calls[name] = max(1, min(100_000, int(TURN_SECONDS / once)))
        # Small calls are dwarfed by the cost of entering the loop.
        calls[name] = max(1, min(100_000, int(TURN_SECONDS / seconds_per_call(work, calls[name]))))
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(TURNS):
        for name, work in works.items():
            found[name].append(seconds_per_call(work, calls[name]))
    return {name: statistics.median(turns) for name, turns in found.items()}


def bench(model: models.Model, makers: dict[str, Callable[[models.Model], peers.Peer]]) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as name:
        kernel, cold = time_compile(model, Path(name))
        cached = statistics.median(time_compile(model, Path(name))[1] for _ in range(3))
    position = np.random.default_rng(3).uniform(-0.5, 0.5, model.dimension)
    expected = autograd_value_and_gradient(model.function, position)
    works: dict[str, Callable[[int], object]] = {"exmc": kernel_loop(kernel, position)}
    compiling = {}
    for peer_name in (name for name in makers if name in model.peers):
        peer = makers[peer_name](model)
        value, gradient = peer.evaluate(position, 1)
        np.testing.assert_allclose(value, expected[0], rtol=model.agreement)
        slack = 100.0 * model.agreement
        np.testing.assert_allclose(gradient, expected[1], rtol=slack, atol=slack * np.max(np.abs(expected[1])))
        works[peer_name] = partial(peer.evaluate, position)
        compiling[peer_name] = peer.compile_seconds

    def by_autograd(_: int) -> None:
        autograd_value_and_gradient(model.function, position)

    interpreted = min(seconds_per_call(by_autograd, 1) for _ in range(5))
    took = in_turn(works)
    columns = [f"{model.name:30}{1e6 * took['exmc']:11.2f}{interpreted / took['exmc']:8.0f}x"]
    for p in makers:
        known = (
            f"{1e6 * took[p]:12.2f} {took[p] / took['exmc']:6.1f}x {compiling[p]:6.1f}" if p in took else f"{'-':>27}"
        )
        columns.append(known)
    return "".join([*columns, f"{1e3 * cold:9.0f}{1e3 * cached:8.0f}"])


def main() -> None:
    """Print one line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="a million rows, too")
    parser.add_argument("--only", nargs="*", default=[], help="models whose names hold one of these words")
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    makers = {} if arguments.no_peers else peers.available()
    for name in ("nutpie", "jax"):
        if name not in makers and not arguments.no_peers:
            print(f"{name} is not installed: pip install exmc[bench]")
    heads = [f"{'us a gradient':30}{'exmc':>11}{'autograd':>9}"]
    heads += [f"{name:>12} {'ratio':>7} {'s cold':>6}" for name in makers]
    print("".join([*heads, f"{'ms cold':>9}{'cached':>8}"]))
    for model in chosen(arguments.large):
        if not arguments.only or any(word in model.name for word in arguments.only):
            print(bench(model, makers), flush=True)


if __name__ == "__main__":
    # Products of other libraries would otherwise use every core, and the machine code one.
    with threadpool_limits(1):
        main()
