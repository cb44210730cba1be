"""The log likelihood of new values is that of the compiled model, and what depends on them depends on what was seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import exmc
from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.renew import with_new_data
from exmc.prediction import predict
from exmc.predictive.forecast import Forecast
from exmc.predictive.simulate import Samples


def masked() -> Builder:
    return (
        Builder()
        .data("v", [1.0, 2.0, -3.0, 0.5])
        .data("counts", [True, False, True, True])
        .data("w", [1.0, 1.0, 2.0, 0.0])
        .rv("mu", "Normal", mu=0, sigma=2)
        .rv("y", "Normal", mu="mu", sigma=1, observed="v", mask="counts", weight="w")
    )


def events() -> Builder:
    return (
        Builder()
        .data("v", [[1.0, 2.0], [0.0, 1.0], [2.0, 2.0]])
        .rv("mu", "Normal", mu=0, sigma=2, shape=2)
        .rv("y", "MvNormal", mu="mu", cov=[[1.0, 0.3], [0.3, 2.0]], observed="v")
    )


def wrapped() -> Builder:
    count = exmc.ZeroInflated(exmc.Poisson("exp(mu)"), zero=0.2)
    weeks = exmc.Censored(exmc.Exponential("exp(mu)"), upper=1.0)
    return (
        Builder()
        .rv("mu", "Normal", mu=0, sigma=1)
        .rv("y", count, observed=[0, 3, 1])
        .rv("z", weeks, observed=[0.2, 1.0])
    )


def chained() -> Builder:
    """What was seen of x is the mean of y."""
    return (
        Builder()
        .rv("mu", "Normal", mu=0, sigma=1)
        .rv("x", "Normal", mu="mu", sigma=1, shape=3)
        .obs("x_obs", "x", [1.0, 2.0, 3.0])
        .det("double", "2 * x")
        .rv("y", "Normal", mu="double", sigma=0.5, observed=[2.0, 4.5, 5.0])
    )


def scanned() -> Builder:
    return (
        Builder()
        .data("v", [0.3, -1.2, 0.8, 2.1])
        .rv("base", "HalfNormal", sigma=1)
        .scan(
            "s",
            carry={"s": 1.0},
            sequences={"last": "v[:-1]"},
            step={"s": "base + 0.2 * last ** 2 + 0.4 * s"},
            collect="all",
        )
        .rv("y", "Normal", mu=0, sigma="sqrt(s)", observed="v")
    )


def solved() -> Builder:
    return (
        Builder()
        .data("ts", [0.5, 1.0, 2.0], dims="time")
        .data("v", [0.6, 0.4, 0.1], dims="time")
        .rv("rate", "LogNormal", mu=0, sigma=0.3)
        .ode("level", state={"level": 1.0}, derivative={"level": "-rate * level"}, times="ts")
        .rv("y", "LogNormal", mu="log(level)", sigma=0.2, observed="v")
    )


CASES = [masked, events, wrapped, chained, scanned, solved]


def anew(source: Model) -> dict[str, np.ndarray]:
    return {name: data.values for name, data in source.data.items()}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_run_s_own_data_have_the_run_s_log_likelihood(make: Callable[[], Builder]) -> None:
    source = make().build()
    trace = exmc.sample(source, draws=40, warmup=60, chains=2, seed=3, predictive=False)
    found = predict(trace, source, anew(source), seed=1)
    for name, expected in trace["log_likelihood"].to_dataset().data_vars.items():
        array = found["log_likelihood"][name]
        xr.testing.assert_allclose(array, expected, rtol=1e-9)
        assert array.dims == expected.dims
    xr.testing.assert_identical(
        found["observed_data"].to_dataset().drop_attrs(), trace["observed_data"].to_dataset().drop_attrs()
    )
    # Predictions are whole, whatever counts.
    types = infer_types(source)
    for observation in source.observations:
        assert found["predictions"][observation.name].shape == (2, 40, *types[observation.name].shape)


def test_an_observed_deterministic_has_no_log_likelihood() -> None:
    source = Builder().rv("x", "Normal", mu=0, sigma=1, shape=2).det("d", "2 * x").obs("y", "d", [1.0, 2.0]).build()
    forecast = Forecast.of(source, with_new_data(source, {"y": [1.0, 3.0]}, {}).model, 1)
    assert (forecast.scored, forecast.unscored) == ((), ("y",))
    values = forecast.values(Samples.grid([0], 5), {})
    assert forecast.log_likelihood(Samples.grid([0], 5), values) == {}
    np.testing.assert_array_equal(values["y"], 2 * values["x"])
