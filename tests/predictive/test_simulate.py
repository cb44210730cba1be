from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from exmc.distributions import Mixture, Normal, Truncated
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.predictive import simulate as module
from exmc.predictive.simulate import Samples, simulate
from tests.distributions.rows import SCALAR


def regression(rows: int = 30) -> Model:
    rng = np.random.default_rng(0)
    return (
        Builder()
        .data("group", rng.integers(0, 4, rows))
        .data("X", rng.normal(size=(rows, 2)))
        .rv("mu", "Normal", mu=1.0, sigma=2.0)
        .rv("tau", "HalfNormal", sigma=1.0)
        .rv("a", "Normal", mu="mu", sigma="tau", shape=4)
        .rv("b", "Normal", mu=0.0, sigma=0.5, shape=2)
        .det("eta", "a[group] + X @ b")
        .rv("y", "Normal", mu="eta", sigma=0.5, observed=rng.normal(size=rows))
        .rv("k", "Poisson", mu="exp(0.1 * eta)", observed=rng.integers(0, 5, rows))
        .build()
    )


def test_simulated_moments_are_those_of_the_model() -> None:
    found = simulate(regression(), 3, "prior", Samples.grid([0], 20_000))
    # mean and variance by the laws of total expectation and variance; E[tau^2] = 1.
    cases: list[tuple[NDArray[np.float64], float, float]] = [
        (found["mu"], 1.0, 4.0),
        (found["a"][:, 2], 1.0, 4.0 + 1.0),
        (found["tau"], np.sqrt(2 / np.pi), 1 - 2 / np.pi),
        (found["y"][:, 3] - found["eta"][:, 3], 0.0, 0.25),
    ]
    for draws, mean, variance in cases:
        n = len(draws)
        assert abs(draws.mean() - mean) / np.sqrt(variance / n) < 4
        spread = (draws - mean) ** 2
        assert abs(spread.mean() - variance) / (spread.std() / np.sqrt(n)) < 4
    rate = np.exp(0.1 * found["eta"])
    surprise = (found["k"] - rate) / np.sqrt(rate)
    z = surprise.mean(axis=0) * np.sqrt(len(surprise))
    # 30 z-scores; the largest of so many normal ones is below 4.5 but once in 5000 times.
    assert np.abs(z).max() < 4.5
    assert found["k"].dtype == np.int64
    np.testing.assert_allclose(
        found["eta"][5],
        found["a"][5][regression().data["group"].values] + regression().data["X"].values @ found["b"][5],
    )


def test_a_sample_depends_on_seed_chain_and_draw_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = regression()
    whole = simulate(model, 3, "prior", Samples.grid([0, 1, 2], 20))
    part = simulate(model, 3, "prior", Samples(np.array([2, 0, 1]), np.array([7, 19, 0])))
    monkeypatch.setattr(module, "_ELEMENTS_AT_ONCE", 300)
    blocks = simulate(model, 3, "prior", Samples.grid([0, 1, 2], 20))
    for name, values in whole.items():
        np.testing.assert_array_equal(part[name], values[[47, 19, 20]])
        np.testing.assert_array_equal(blocks[name], values)


def test_random_numbers_differ_between_seeds_purposes_variables_chains_and_draws() -> None:
    model = Builder().rv("x", "Normal", mu=0.0, sigma=1.0).rv("y", "Normal", mu=0.0, sigma=1.0).build()
    draws = [
        simulate(model, seed, purpose, Samples.grid([0, 1], 3)) for seed in (1, 2) for purpose in ("prior", "posterior")
    ]
    numbers = np.concatenate([d[name] for d in draws for name in ("x", "y")])
    assert len(set(numbers.tolist())) == 2 * 2 * 2 * 6
    # What was added to a model leaves the draws of the others as they are.
    more = Builder().rv("w", "Normal", mu=0.0, sigma=1.0).rv("x", "Normal", mu=0.0, sigma=1.0).build()
    np.testing.assert_array_equal(simulate(more, 1, "prior", Samples.grid([0, 1], 3))["x"], draws[0]["x"])


def test_given_values_are_kept_and_the_rest_follows_them() -> None:
    model = regression()
    given = {"a": np.full((50, 4), 3.0), "b": np.zeros((50, 2))}
    found = simulate(model, 1, "posterior", Samples.grid([0], 50), given)
    assert (found["eta"] == 3.0).all()
    z = (found["y"].mean() - 3.0) / (0.5 / np.sqrt(found["y"].size))
    assert abs(z) < 4
    assert found["mu"].std() > 0


def test_an_observed_variable_is_simulated_with_its_observation() -> None:
    model = (
        Builder()
        .rv("mu", "Normal", mu=0.0, sigma=1.0)
        .rv("x", "Normal", mu="mu", sigma=1.0)
        .det("twice", "2 * x + mu")
        .obs("x_seen", "x", [1.0, 2.0])
        .build()
    )
    found = simulate(model, 1, "prior", Samples.grid([0], 5))
    assert found["x"].shape == (5, 2)
    np.testing.assert_array_equal(found["x"], found["x_seen"])
    np.testing.assert_array_equal(found["twice"], 2 * found["x"] + found["mu"][:, None])


def test_an_observed_expression_is_that_of_a_simulated_variable() -> None:
    model = Builder().rv("x", "Normal", mu=0.0, sigma=1.0).det("y", "3 * x + 1").obs("y_seen", "y", 4.0).build()
    found = simulate(model, 1, "prior", Samples.grid([0], 4000))
    np.testing.assert_array_equal(found["y_seen"], 3 * found["x"] + 1)
    assert abs(found["y_seen"].mean() - 1) / (3 / np.sqrt(4000)) < 4


def test_masked_and_weighted_entries_are_simulated_too() -> None:
    model = (
        Builder()
        .rv("mu", "Normal", mu=0.0, sigma=1.0)
        .rv("y", "Normal", mu="mu", sigma=1.0, observed=[1.0, 2.0], mask=[True, False], weight=[0.0, 2.0])
        .build()
    )
    found = simulate(model, 1, "prior", Samples.grid([0], 100))
    assert np.unique(found["y"]).size == 200


@pytest.mark.parametrize("name", [n for n in SCALAR if n != "HalfFlat"])
def test_every_distribution_is_drawn_as_one_by_one(name: str) -> None:
    distribution = SCALAR[name]
    parameters = {p: 0.5 + 0.25 * i for i, p in enumerate(distribution.alternatives[0])}
    whole = [p for p in parameters if distribution.parameter(p).support.discrete]
    parameters |= {p: 0 if p == "lower" else 7 for p in whole}
    model = Builder().rv("x", name, observed=np.zeros(3) + 1.0, **parameters)
    if name in ("Uniform", "Beta"):
        model = Builder().rv("x", name, observed=np.zeros(3) + 0.6, **parameters)
    found = simulate(model.build(), 5, "prior", Samples.grid([2], 4))["x"]
    assert found.shape == (4, 3)
    key = np.random.SeedSequence(5, spawn_key=(0x70726564, *b"prior", 0, *b"x")).generate_state(2, np.uint64)
    for draw in range(4):
        generator = np.random.Generator(np.random.Philox(key=key, counter=[0, 0, draw, 2]))
        np.testing.assert_array_equal(found[draw], distribution.random(generator, (3,), **parameters))


def test_what_cannot_be_drawn_is_named() -> None:
    flat = Builder().rv("x", "Flat").build()
    with pytest.raises(ModelError, match=r"variables\.x: .*improper"):
        simulate(flat, 1, "prior", Samples.grid([0], 2))
    negative = Builder().rv("s", "Normal", mu=0.0, sigma=1.0).rv("x", "Normal", mu=0.0, sigma="s").build()
    with pytest.raises(ModelError, match=r"variables\.x.*sigma"):
        simulate(negative, 1, "prior", Samples.grid([0], 50))


def test_four_thousand_draws_of_a_thousand_rows_are_quick() -> None:
    model = regression(1000)
    simulate(model, 1, "prior", Samples.grid([0], 2))
    began = time.process_time()
    simulate(model, 1, "prior", Samples.grid([0], 4000))
    assert time.process_time() - began < 2.0


def test_restricted_vectors_are_drawn_within_their_restriction() -> None:
    model = Builder().rv("c", "Normal", mu=[0.0, 1.0, 0.5], sigma=2.0, shape=(4, 3), transform="ordered").build()
    found = simulate(model, 3, "prior", Samples.grid([0], 500))["c"]
    assert np.all(np.diff(found, axis=-1) > 0)
    # By rejection of whole vectors: the restriction's own mean, not that of sorted draws.
    generator = np.random.default_rng(9)
    draws = generator.normal([0.0, 1.0, 0.5], 2.0, size=(200_000, 3))
    kept = draws[np.all(np.diff(draws, axis=-1) > 0, axis=-1)]
    error = np.sqrt(kept.var(axis=0) * (1.0 / len(kept) + 1.0 / 2000))
    assert np.all(np.abs(found.reshape(-1, 3).mean(axis=0) - kept.mean(axis=0)) / error < 4.0)


def test_restricted_numbers_are_drawn_within_their_restriction() -> None:
    model = Builder().rv("x", "Normal", mu=-0.5, shape=4, transform="log").build()
    found = simulate(model, 3, "prior", Samples.grid([0], 2000))["x"]
    assert np.all(found > 0)
    assert stats.kstest(found.ravel(), stats.truncnorm(0.5, np.inf, loc=-0.5).cdf).pvalue > 1e-3


def test_a_restriction_without_probability_is_refused() -> None:
    model = Builder().rv("z", "Normal", shape=3, transform="sum_to_zero").build()
    with pytest.raises(ModelError, match=r"variables\.z: fewer than one in 1000 draws of Normal is a vector whose"):
        simulate(model, 1, "prior", Samples.grid([0], 2))


def test_components_of_a_wrapper_are_evaluated_for_each_sample() -> None:
    mixture = Mixture("w", [Normal("m", 0.1), Truncated(Normal("m + 10", 0.1), lower="m + 10")])
    model = Builder().rv("m", "Normal", sigma=5.0).rv("w", "Dirichlet", alpha=[1.0, 1.0]).rv("x", mixture).build()
    found = simulate(model, 3, "prior", Samples.grid([0], 400))
    away = found["x"] - found["m"]
    assert np.all((np.abs(away) < 0.6) | ((away >= 10.0) & (away < 10.6)))
    assert 100 < (away > 5).sum() < 300


def test_values_that_are_not_numbers_are_no_warnings() -> None:
    """Where it matters, as a parameter, the variable is named; else the results show it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = Builder().rv("a", "Normal").det("root", "sqrt(a)").build()
        roots = simulate(source, 1, "prior", Samples.grid([0], 50))["root"]
        assert np.isnan(roots).any()
        with pytest.raises(ModelError, match=r"variables\.y\.sigma: Normal needs a positive number"):
            simulate(
                Builder().rv("a", "Normal").rv("y", "Normal", mu=0.0, sigma="sqrt(a)", observed=[1.0]).build(),
                1, "prior", Samples.grid([0], 50),
            )  # fmt: skip
