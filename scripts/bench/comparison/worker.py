"""Draws from one posterior by one library in this process, and says when what happened: a line of JSON.

    python worker.py '{"peer": "nutpie", "problem": "radon", "data": "data.npz", "out": "draws.npz", "seed": 1,
                       "chains": 4, "cores": 2, "warmup": 1000, "draws": 1000}'

Without `warmup`, `draws` or `target_accept` they are the library's own; `otherwise` takes exmc's model from `OTHERWISE`
if it is there. The line has `time.perf_counter()` at the first transition of the first chain, after the last transition
of the last one, and when the caller had the draws; the file `out` has the draws (`posterior.NAME`, shape (chain, draw,
...)), and `warmup_steps`, `steps` and `diverging` of shape (chain, draw): gradients of each transition.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

Request = dict[str, Any]
Numbers = dict[str, Any]


class Run(NamedTuple):
    """What a library gave, and when; arrays as in the module's docstring."""

    first_transition: float
    last_transition: float
    returned: float
    posterior: Numbers
    warmup_steps: Any
    steps: Any
    diverging: Any


def options(request: Request, **names: str) -> dict[str, Any]:
    """What was asked for of warmup, draws and target_accept, by the library's `names`; the rest is its own choice."""
    wanted = {"draws": "draws", "target_accept": "target_accept"} | names
    return {name: request[key] for key, name in wanted.items() if request.get(key) is not None}


def by_exmc(request: Request, data: Numbers) -> Run:
    """`exmc.sample`, which computes the pointwise log likelihood too; its calls of `advance` are timed."""
    written = import_module("comparison.exmc_models")
    otherwise = written.OTHERWISE if request.get("otherwise") else {}
    model = otherwise.get(request["problem"], getattr(written, request["problem"]))
    spans: list[tuple[float, float]] = []
    warmup: list[list[int]] = [[] for _ in range(request["chains"])]
    # As its user would import it.
    sample = import_module("exmc").sample
    chains: Any = import_module("exmc.chains")
    advance = chains.advance

    def timed(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        state, block = advance(*given, **named)
        spans.append((began, time.perf_counter()))
        if block.warmup:
            warmup[state.chain] += block.statistics["n_steps"].tolist()
        return state, block

    chains.advance = timed
    tree = sample(
        model(data),
        chains=request["chains"],
        seed=request["seed"],
        predictive=False,
        **options(request, warmup="warmup"),
    )
    returned = time.perf_counter()
    statistics = tree["sample_stats"]
    return Run(
        first_transition=min(began for began, _ in spans),
        last_transition=max(ended for _, ended in spans),
        returned=returned,
        posterior={str(name): array.values for name, array in tree["posterior"].items()},
        warmup_steps=warmup,
        steps=statistics["n_steps"].values,
        diverging=statistics["diverging"].values,
    )


def by_pymc(request: Request, data: Numbers) -> Run:
    """`pymc.sample`, its own sampler: two processes."""
    pymc = import_module("pymc")
    model = import_module("comparison.pymc_models").build(request["problem"], data)
    with model:
        tree = pymc.sample(
            chains=request["chains"],
            cores=request["cores"],
            random_seed=request["seed"],
            progressbar=False,
            discard_tuned_samples=False,
            **options(request, warmup="tune"),
        )
    returned = time.perf_counter()
    before, after = tree.warmup_sample_stats, tree.sample_stats
    # Starts of transitions by the same clock as here; the last one's end is a few transitions' time beyond.
    return Run(
        first_transition=float(before["perf_counter_start"].min()),
        last_transition=float((after["perf_counter_start"] + after["perf_counter_diff"]).max()),
        returned=returned,
        posterior={str(name): array.values for name, array in tree.posterior.items()},
        warmup_steps=before["n_steps"].values,
        steps=after["n_steps"].values,
        diverging=after["diverging"].values,
    )


def by_nutpie(request: Request, data: Numbers) -> Run:
    """`nutpie.sample` of a PyMC model compiled by numba, its default."""
    nutpie = import_module("nutpie")
    model = import_module("comparison.pymc_models").build(request["problem"], data)
    compiled = nutpie.compile_pymc_model(model)
    began = time.perf_counter()
    sampler = nutpie.sample(
        compiled,
        chains=request["chains"],
        cores=request["cores"],
        seed=request["seed"],
        progress_bar=False,
        blocking=False,
        **options(request, warmup="tune"),
    )
    ended: list[float] = []
    extract = sampler._extract

    def timed(results: Any) -> Any:
        ended.append(time.perf_counter())
        return extract(results)

    # What follows the last transition: the public way to wait does both.
    sampler._extract = timed
    tree = sampler.wait()
    returned = time.perf_counter()
    return Run(
        first_transition=began,
        last_transition=ended[0],
        returned=returned,
        # Beside the variables it has their unconstrained values, as `sigma_log__`.
        posterior={str(name): array.values for name, array in tree.posterior.items() if not name.endswith("__")},
        warmup_steps=tree.warmup_sample_stats["n_steps"].values,
        steps=tree.sample_stats["n_steps"].values,
        diverging=tree.sample_stats["diverging"].values,
    )


def by_numpyro(request: Request, data: Numbers) -> Run:
    """`numpyro.infer.NUTS` in double precision, one host device a chain: its documented way on CPUs.

    It has no defaults for the numbers of transitions: 1000 and 1000 are taken for them.
    """
    # `set_host_device_count` does the same, but keeps no other flags; JAX reads them when it is imported.
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={request['chains']}"
    jax, numpyro = import_module("jax"), import_module("numpyro")
    numpyro.enable_x64()
    compiled: list[tuple[float, float]] = []

    def heard(event: str, seconds: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append((seconds, time.perf_counter()))

    jax.monitoring.register_event_duration_secs_listener(heard)
    model = getattr(import_module("comparison.numpyro_models"), request["problem"])
    infer = import_module("numpyro.infer")
    warmup, draws = request.get("warmup", 1000), request.get("draws", 1000)
    chains = infer.MCMC(
        infer.NUTS(model, target_accept_prob=request.get("target_accept", 0.8)),
        num_warmup=warmup,
        num_samples=draws,
        num_chains=request["chains"],
        chain_method="parallel",
        progress_bar=False,
    )
    # Keeps the transitions of warm-up, too; the public way, `warmup` and then `run`, would compile twice.
    chains._set_collection_params(0, warmup + draws, warmup + draws)
    chains.run(jax.random.PRNGKey(request["seed"]), data, extra_fields=("num_steps", "diverging"))
    fields = jax.block_until_ready(chains.get_extra_fields(group_by_chain=True))
    ended = time.perf_counter()
    numpy = import_module("numpy")
    posterior = {k: numpy.asarray(v)[:, warmup:] for k, v in chains.get_samples(group_by_chain=True).items()}
    steps, diverging = (numpy.asarray(fields[name]) for name in ("num_steps", "diverging"))
    returned = time.perf_counter()
    return Run(
        # The program that holds the sampler takes by far the longest to compile, or to load.
        first_transition=max(compiled)[1],
        last_transition=ended,
        returned=returned,
        posterior=posterior,
        warmup_steps=steps[:, :warmup],
        steps=steps[:, warmup:],
        diverging=diverging[:, warmup:],
    )


PEERS: dict[str, Callable[[Request, Numbers], Run]] = {
    "exmc": by_exmc,
    "pymc": by_pymc,
    "nutpie": by_nutpie,
    "numpyro": by_numpyro,
    "numpyro-cached": by_numpyro,
}


def main() -> None:
    """Run the request, write the draws, print the line."""
    request = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        # Libraries that count cores find as many as they may use.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: request["cores"]])
    import numpy

    with numpy.load(request["data"]) as file:
        data = {name: file[name] for name in file.files}
    run = PEERS[request["peer"]](request, data)
    arrays = {f"posterior.{name}": values for name, values in run.posterior.items()}
    numpy.savez(request["out"], warmup_steps=run.warmup_steps, steps=run.steps, diverging=run.diverging, **arrays)
    stamps = {name: getattr(run, name) for name in ("first_transition", "last_transition", "returned")}
    print(json.dumps(stamps | {"version": version(request["peer"].partition("-")[0])}))


# Libraries that start processes import this module again.
if __name__ == "__main__":
    main()
