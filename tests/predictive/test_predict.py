from __future__ import annotations

import numpy as np
import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import Apply, Constant, Reference
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.predictive.predict import lifted, posterior_predictive, prior_predictive


def hierarchy() -> Model:
    return (
        Builder()
        .rv("mu", "Normal", mu=1.0, sigma=1.0)
        .rv("tau", "HalfNormal", sigma=1.0)
        .rv("theta", "Normal", mu="mu", sigma="tau", shape=3)
        .det("gap", "theta - mu")
        .det("hidden", "2 * mu", keep=False)
        .rv("y", "Normal", mu="theta", sigma=0.5, observed=[1.0, 2.0, 3.0])
        .build()
    )


def noncentred() -> Model:
    """What non-centring makes of `hierarchy`, as a model that a user might have written."""
    return (
        Builder()
        .rv("mu", "Normal", mu=1.0, sigma=1.0)
        .rv("tau", "HalfNormal", sigma=1.0)
        .rv("raw", "Normal", mu=0.0, sigma=1.0, shape=3)
        .det("theta", "mu + tau * raw")
        .rv("y", "Normal", mu="theta", sigma=0.5, observed=[1.0, 2.0, 3.0])
        .build()
    )


def z_of_difference(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    spread = np.sqrt(one.var(axis=0) / len(one) + two.var(axis=0) / len(two))
    return np.asarray((one.mean(axis=0) - two.mean(axis=0)) / spread)


def test_a_prior_prediction_has_the_users_variables() -> None:
    found = prior_predictive(hierarchy(), 100, 1)
    assert {k: v.shape for k, v in found.prior.items()} == {
        "mu": (1, 100),
        "tau": (1, 100),
        "theta": (1, 100, 3),
        "gap": (1, 100, 3),
    }
    assert {k: v.shape for k, v in found.prior_predictive.items()} == {"y": (1, 100, 3)}
    assert found.skipped == ""


def test_predictions_are_the_same_in_distribution_when_non_centred() -> None:
    one, two = prior_predictive(hierarchy(), 20_000, 1), prior_predictive(noncentred(), 20_000, 2)
    for moment in (1, 2):
        left, right = (p.prior_predictive["y"][0] ** moment for p in (one, two))
        assert np.abs(z_of_difference(left, right)).max() < 4
        left, right = (p.prior["theta"][0] ** moment for p in (one, two))
        assert np.abs(z_of_difference(left, right)).max() < 4


def test_a_posterior_prediction_has_the_right_moments() -> None:
    rng = np.random.default_rng(0)
    posterior = {
        "mu": rng.normal(size=(4, 2000)),
        "tau": np.ones((4, 2000)),
        "theta": rng.normal(2.0, 0.3, (4, 2000, 3)),
    }
    found = posterior_predictive(hierarchy(), posterior, 1)["y"]
    assert found.shape == (4, 2000, 3)
    error = (found - posterior["theta"]).reshape(-1)
    assert abs(error.mean()) / (0.5 / np.sqrt(error.size)) < 4
    assert abs((error**2).mean() - 0.25) / (np.sqrt(2) * 0.25 / np.sqrt(error.size)) < 4
    # Only theta matters, whatever else there is.
    np.testing.assert_array_equal(posterior_predictive(hierarchy(), {"theta": posterior["theta"]}, 1)["y"], found)


def test_new_groups_are_drawn_where_the_posterior_has_none() -> None:
    posterior = {"mu": np.full((1, 20_000), 5.0), "tau": np.full((1, 20_000), 2.0)}
    found = posterior_predictive(hierarchy(), posterior, 1)["y"][0, :, 0]
    variance = 2.0**2 + 0.5**2
    assert abs(found.mean() - 5) / np.sqrt(variance / found.size) < 4
    spread = (found - 5) ** 2
    assert abs(spread.mean() - variance) / (spread.std() / np.sqrt(found.size)) < 4


def test_a_chains_predictions_do_not_depend_on_the_other_chains() -> None:
    theta = np.random.default_rng(0).normal(size=(3, 50, 3))
    whole = posterior_predictive(hierarchy(), {"theta": theta}, 1)["y"]
    kept = posterior_predictive(hierarchy(), {"theta": theta[[0, 2]]}, 1, chains=[0, 2])["y"]
    np.testing.assert_array_equal(kept, whole[[0, 2]])


def lifting() -> tuple[Model, Model]:
    """An observed affine function of x, and what lifting makes of it."""
    source = (
        Builder()
        .rv("s", "HalfNormal", sigma=1.0)
        .rv("x", "Normal", mu=0.0, sigma="s")
        .det("y", "3 * x + 1")
        .obs("y_seen", "y", 4.0)
        .build()
    )
    s, x, y, seen = source.nodes
    assert isinstance(x, RandomVariable)
    assert isinstance(seen, Observation)
    solved = Apply("divide", (Apply("subtract", (seen.value, Constant(1.0))), Constant(3.0)))
    observed = Observation("y_seen", x.call, solved, log_jacobian=Constant(-float(np.log(3.0))))
    return source, source.with_nodes((s, Deterministic("x", solved), y, observed))


def test_a_lifted_variable_is_drawn_anew() -> None:
    source, rewritten = lifting()
    assert lifted(source, rewritten) == {"x"}
    posterior = {"s": np.full((1, 5000), 2.0), "x": np.ones((1, 5000))}
    found = posterior_predictive(source, posterior, 1, rewritten)["y_seen"][0]
    assert abs(found.mean() - 1.0) / (6.0 / np.sqrt(5000)) < 4
    assert abs((found - 1.0).std() - 6.0) / (6.0 / np.sqrt(2 * 5000)) < 4
    assert (posterior_predictive(source, posterior, 1)["y_seen"] == 4.0).all()


def test_a_non_centred_variable_is_a_parameter_still() -> None:
    source = hierarchy()
    mu, tau, theta, gap, hidden, y = source.nodes
    raw = RandomVariable("theta_raw", Call("Normal", ()), None, (3,), auxiliary=True)
    product = Apply("add", (Reference("mu"), Apply("multiply", (Reference("tau"), Reference("theta_raw")))))
    rewritten = source.with_nodes((mu, tau, raw, Deterministic("theta", product), gap, hidden, y))
    assert isinstance(theta, RandomVariable)
    assert lifted(source, rewritten) == frozenset()
    assert lifted(source, None) == frozenset()


def test_a_model_without_a_prior_prediction_says_why() -> None:
    flat = Builder().rv("x", "Flat").rv("y", "Normal", mu="x", sigma=1.0, observed=[1.0]).build()
    found = prior_predictive(flat, 10, 1)
    assert (found.prior, found.prior_predictive) == ({}, {})
    assert "improper" in found.skipped
    assert "variables.x" in found.skipped
    assert posterior_predictive(flat, {"x": np.zeros((1, 5))}, 1)["y"].shape == (1, 5, 1)


def test_a_posterior_of_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match=r"variables\.theta.*shape"):
        posterior_predictive(hierarchy(), {"theta": np.zeros((2, 50, 4))}, 1)
    with pytest.raises(ModelError, match="no variable of this model"):
        posterior_predictive(hierarchy(), {"beta": np.zeros((2, 50, 4))}, 1)
