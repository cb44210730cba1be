"""Every method of inference, one row of METHODS each: right where the truth is known, and the same however divided."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import exmc
from exmc import Builder, HalfNormal, Normal
from exmc.errors import SamplingError
from exmc.methods import METHODS, described, method_of, options_of, settings_of
from exmc.methods.method import Method, pooled
from exmc.trace.records import decode_array, encode_array
from tests.methods.exact import drawn, fitted, independent, problem_for, z_over_chains

ROWS = [pytest.param(method, id=name) for name, method in METHODS.items()]


@pytest.mark.parametrize("method", ROWS)
def test_draws_are_those_of_an_exact_target(method: Method) -> None:
    """Coordinates do not know of each other, so that every approximation can be exact."""
    target = independent()
    problem = problem_for(target, method.settings(), chains=16, draws=250)
    draws = drawn(method, problem, fitted(method, problem))
    assert np.abs(z_over_chains(draws, target.mean)).max() < 4.5
    squares = (draws - target.mean) ** 2
    assert np.abs(z_over_chains(squares, np.diag(target.covariance))).max() < 4.5


@pytest.mark.parametrize("method", ROWS)
def test_nothing_depends_on_how_the_work_is_divided(method: Method) -> None:
    problem = problem_for(independent(), method.settings(), chains=2, draws=60)
    fit = fitted(method, problem)

    def reversed_map(function: Callable[[int], Any], parts: Iterable[int]) -> list[Any]:
        """By threads, the last part first."""
        order = list(parts)[::-1]
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(function, order))[::-1]

    again = fitted(method, problem, reversed_map)
    assert {name: a.tobytes() for name, a in fit.items()} == {name: a.tobytes() for name, a in again.items()}
    whole = method.draw(problem, fit, 1, 0, 60)
    parts = [method.draw(problem, fit, 1, first, count) for first, count in ((0, 1), (1, 42), (43, 17))]
    assert np.array_equal(whole.positions, np.concatenate([p.positions for p in parts]))
    for statistic in method.statistics:
        values = np.concatenate([p.statistics[statistic.name] for p in parts])
        assert np.array_equal(whole.statistics[statistic.name], values)
        assert values.dtype == statistic.dtype
    assert set(whole.statistics) == {s.name for s in method.statistics}


@pytest.mark.parametrize("method", ROWS)
def test_a_fit_is_arrays_that_records_can_hold(method: Method) -> None:
    problem = problem_for(independent(), method.settings(), chains=2, draws=60)
    fit = fitted(method, problem)
    kept = {name: decode_array(encode_array(a)) for name, a in fit.items()}
    one, other = method.draw(problem, fit, 0, 0, 20), method.draw(problem, kept, 0, 0, 20)
    assert np.array_equal(one.positions, other.positions)
    assert method.parts(problem.options, problem.settings, kept) == ()
    assert method.progress(kept)
    json.dumps(method.describe(problem.settings, kept), allow_nan=False)


@pytest.mark.parametrize("method", ROWS)
def test_approximations_report_how_near_they_are(method: Method) -> None:
    problem = problem_for(independent(), method.settings(), chains=2, draws=60)
    said = method.describe(problem.settings, fitted(method, problem))
    assert bool(said["approximation"]) == ("pareto_k" in said)
    assert said["name"] == method.name
    if said["approximation"]:
        assert said["pareto_k"] < 0.7


@pytest.mark.parametrize("method", ROWS)
def test_without_a_single_result_there_is_an_error(method: Method) -> None:
    problem = problem_for(independent(), method.settings())
    with pytest.raises(SamplingError, match="Every part of the fit failed; part 3: no luck"):
        pooled(method, problem, None, {}, {3: "no luck", 4: "either"})


@pytest.mark.parametrize("method", ROWS)
def test_options_out_of_range_are_refused_by_name(method: Method) -> None:
    for field in fields(method.settings):
        with pytest.raises(SamplingError) as caught:
            settings_of(method.name, {field.name: None})
        assert caught.value.where == (field.name,)


@pytest.mark.parametrize("method", ROWS)
def test_results_have_the_groups_of_any_result(method: Method) -> None:
    model = (
        Builder()
        .rv("mu", Normal, mu=0.0, sigma=5.0)
        .rv("sigma", HalfNormal, sigma=2.0)
        .rv("x", Normal, mu="mu", sigma="sigma")
        .obs("x_obs", "x", [2.1, 1.8, 2.5, 2.0, 1.9, 2.3, 2.2, 1.7, 2.4, 2.6])
    )
    tree = exmc.sample(model, method=method.name, chains=2, draws=50, seed=4)
    assert dict(tree["posterior"].sizes) == {"chain": 2, "draw": 50}
    assert (tree["posterior"]["sigma"].values > 0).all()
    assert set(tree["sample_stats"].data_vars) == {s.name for s in method.statistics}
    others = {
        "log_likelihood",
        "log_prior",
        "posterior_predictive",
        "prior",
        "observed_data",
        "unconstrained_posterior",
    }
    assert others <= set(tree.children)
    assert tree.attrs["method"]["name"] == method.name


def test_unknown_methods_and_options_are_named_with_the_nearest() -> None:
    with pytest.raises(SamplingError, match=r"no method 'pathfindr'. Did you mean 'pathfinder'"):
        method_of("pathfindr")
    with pytest.raises(SamplingError, match=r"'path' is no option of the method 'pathfinder'. Did you mean 'paths'"):
        settings_of("pathfinder", {"path": 3})
    assert "paths" in options_of("pathfinder")
    assert described("nuts", {}) == {}
