"""The same densities by other libraries, called from compiled loops; libraries that are not installed are left out."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from models import Model


class Peer(NamedTuple):
    """A density in another library: `evaluate(position, calls)` runs a compiled loop and gives value and gradient."""

    evaluate: Callable[[Any, int], tuple[float, Any]]
    compile_seconds: float


def available() -> dict[str, Callable[[Model], Peer]]:
    """Makers of peers by name, for what is installed."""
    makers = {"jax": (("jax",), jax_peer), "nutpie": (("nutpie", "pymc"), nutpie_peer)}
    return {name: maker for name, (needs, maker) in makers.items() if all(find_spec(n) for n in needs)}


def jax_peer(model: Model) -> Peer:
    """Value and gradient by JAX, jitted, in double precision, inside `fori_loop`."""
    # One core for everyone; read when JAX first computes.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = importlib.import_module("jax.numpy")
    odeint = importlib.import_module("jax.experimental.ode").odeint
    names = ("exp", "log", "log1p", "sqrt", "tanh", "sum", "max", "dot", "concatenate", "reshape")

    def scan(step: Any, init: Any, xs: Any, params: Any) -> Any:
        return jax.lax.scan(lambda carry, x: step(carry, x, *params), init, xs)

    def ode(slope: Any, init: Any, times: Any, params: Any) -> Any:
        whole = jnp.concatenate([jnp.zeros(1), times])
        return odeint(lambda y, t, *p: slope(t, y, *p), init, whole, *params, rtol=1e-6, atol=1e-6)[1:]

    def normal_form(covariance: Any, y: Any) -> Any:
        lower = jnp.linalg.cholesky(covariance)
        scaled = jax.scipy.linalg.solve_triangular(lower, y, lower=True)
        return 0.5 * jnp.sum(scaled**2) + jnp.sum(jnp.log(jnp.diag(lower)))

    functions = {n: getattr(jnp, n) for n in names}
    ops = SimpleNamespace(**functions, softplus=jax.nn.softplus, scan=scan, ode=ode, normal_form=normal_form)
    data = tuple(jnp.asarray(array) for array in model.data)
    slope = jax.value_and_grad(lambda x, data: model.density(ops, x, *data))

    def repeat(x: Any, calls: Any, data: Any) -> Any:
        def body(_: Any, state: Any) -> Any:
            x, _value, _gradient = state
            value, gradient = slope(x, data)
            # Each call must depend on the one before, or XLA would hoist it.
            return x + 0.0 * gradient, value, gradient

        return jax.lax.fori_loop(0, calls, body, (x, jnp.zeros(()), jnp.zeros_like(x)))

    compiled = jax.jit(repeat)

    def evaluate(position: Any, calls: int) -> tuple[float, Any]:
        _, value, gradient = compiled(jnp.asarray(position), calls, data)
        return float(value), np.asarray(gradient)

    started = time.perf_counter()
    evaluate(np.zeros(model.dimension), 1)
    return Peer(evaluate, time.perf_counter() - started)


def _pytensor_scan(step: Any, init: Any, xs: Any, params: Any) -> Any:
    """A scan in PyTensor's form, whose step takes and gives flat lists."""
    pytensor = importlib.import_module("pytensor")
    given = len(xs) if isinstance(xs, tuple) else None
    sequences = list(xs) if given else [xs]

    def flat(*arguments: Any) -> list[Any]:
        inputs = arguments[: len(sequences)]
        carry, *shared = arguments[len(sequences) :]
        after, output = step(carry, inputs if given else inputs[0], *shared)
        return [after] if output is None else [after, output]

    outputs = len(flat(*(s[0] for s in sequences), init, *params))
    results = pytensor.scan(
        flat,
        sequences=sequences,
        outputs_info=[init, *[None] * (outputs - 1)],
        non_sequences=list(params),
        return_updates=False,
    )
    if outputs == 1:
        return results[-1], None
    carries, terms = results
    return carries[-1], terms


def nutpie_peer(model: Model) -> Peer:
    """Value and gradient by nutpie's numba density of a PyMC model, through its C function pointer."""
    nutpie, pymc, numba = (importlib.import_module(n) for n in ("nutpie", "pymc", "numba"))
    pt = importlib.import_module("pytensor.tensor")
    names = ("exp", "log", "log1p", "sqrt", "tanh", "sum", "max", "dot", "softplus")
    slinalg = importlib.import_module("pytensor.tensor.slinalg")

    def normal_form(covariance: Any, y: Any) -> Any:
        lower = slinalg.cholesky(covariance)
        scaled = slinalg.solve_triangular(lower, y, lower=True)
        return 0.5 * pt.sum(scaled**2) + pt.sum(pt.log(pt.diag(lower)))

    ops = SimpleNamespace(**{n: getattr(pt, n) for n in names}, normal_form=normal_form, scan=_pytensor_scan)
    started = time.perf_counter()
    with pymc.Model() as pymc_model:
        data = [pymc.Data(f"data{n}", array) for n, array in enumerate(model.data)]
        x = pymc.Flat("x", shape=model.dimension, initval=np.zeros(model.dimension))
        pymc.Potential("density", model.density(ops, x, *data))
    compiled = nutpie.compile_pymc_model(pymc_model)
    function = compiled.compiled_logp_func.ctypes

    @numba.njit  # type: ignore[untyped-decorator]
    def repeat(size: int, position: Any, gradient: Any, value: Any, user_data: int, calls: int) -> None:
        for _ in range(calls):
            function(size, position.ctypes, gradient.ctypes, value.ctypes, user_data)

    def evaluate(position: Any, calls: int) -> tuple[float, Any]:
        gradient, value = np.zeros(model.dimension), np.zeros(1)
        address = compiled.user_data.ctypes.data
        repeat(model.dimension, np.array(position, dtype=float), gradient, value, address, calls)
        return float(value[0]), gradient

    evaluate(np.zeros(model.dimension), 1)
    return Peer(evaluate, time.perf_counter() - started)
