"""Missing values become variables: which, how they are called, and that they are drawn from their conditional law."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import exmc
from exmc import Builder
from exmc.ir.missing import missing_notes
from exmc.ir.nodes import Observation, RandomVariable
from exmc.ir.text import node_text
from exmc.rewrite.run import rewrite

NAN = np.nan


def test_parameters_are_indexed_and_the_rest_is_masked() -> None:
    model = (
        Builder()
        .data("v", [[1.0, NAN], [2.0, 3.0]])
        .rv("m", "Normal", shape=(2, 1))
        .rv("y", "Normal", mu="m", sigma=[1.0, 2.0], observed="v", mask=[[True, True], [False, True]])
    ).build()
    result = next(step.model for step in rewrite(model).steps if step.name == "impute")
    assert [node_text(n) for n in result.nodes[1:]] == [
        "y_missing[y_missing_entry] ~ Normal(mu=m[y_missing_at_0, 0], sigma=y_sigma[y_missing_at_1])  (shape (1,))",
        "y: v ~ Normal(mu=m, sigma=y_sigma)  (mask y_missing_seen)",
    ]
    assert result.data["y_missing_seen"].values.tolist() == [[True, False], [False, True]]
    assert result.coords["y_missing_entry"] == ("0, 1",)


def test_values_that_others_depend_on_are_filled_in() -> None:
    model = (
        Builder()
        .rv("x", "Normal", mu=0.0, sigma=1.0, observed=[NAN, 1.0, NAN])
        .rv("y", "Normal", mu="x", sigma=1.0, observed=[0.0, 1.0, 2.0])
    ).build()
    result = rewrite(model).model
    observation = result["x"]
    assert isinstance(observation, Observation)
    assert "where(x_missing_gaps, x_missing[x_missing_place], x_observed)" in node_text(observation)
    assert result.data["x_missing_place"].values.tolist() == [0, 0, 1]


@pytest.mark.parametrize(("family", "parameters", "transform"), [
    ("Exponential", {"rate": "s"}, "log"),
    ("Uniform", {"low": 0.0, "high": "s + 5"}, "interval"),
    ("Beta", {"alpha": 2.0, "beta": "s"}, "logit"),
])  # fmt: skip
def test_missing_values_keep_to_the_support(family: str, parameters: dict[str, object], transform: str) -> None:
    builder = Builder().rv("s", "HalfNormal", sigma=1.0).rv("y", family, **parameters, observed=[0.5, NAN])
    free = rewrite(builder.build()).model["y_missing"]
    assert isinstance(free, RandomVariable)
    assert free.transform == transform


def test_what_is_masked_or_discrete_is_left_out() -> None:
    model = (
        Builder()
        .rv("s", "HalfNormal", sigma=1.0)
        .rv("y", "Normal", mu=0.0, sigma="s", observed=[1.0, NAN, NAN], mask=[True, False, True])
        .rv("k", "Poisson", mu="s", observed=[3.0, NAN])
        .rv("c", exmc.Censored(exmc.Exponential("s"), upper=2.0), observed=[1.0, NAN])
    ).build()
    result = rewrite(model).model
    assert [v.name for v in result.free] == ["s", "y_missing_raw"]
    assert result.coords["y_missing_entry"] == (2,)
    assert [str(note) for note in missing_notes(model)] == [
        "variables.y.observed: 2 of 3 values are missing: 1 are sampled, as 'y_missing' and 1 are left out.",
        "variables.k.observed: 1 of 2 values are missing: 1 are left out.",
        "variables.c.observed: 1 of 2 values are missing: 1 are left out.",
    ]
    tree = exmc.sample(model, draws=50, warmup=100, chains=1, seed=1)
    assert tree["log_likelihood"]["k"].sizes["k_kept"] == 1
    assert tree["observed_data"]["y"].values.tolist() == [1.0]
    assert tree["predictions"]["k"].sizes["k_left_out"] == 1
    assert len(tree.attrs["notes"]) == 3


def test_lp_is_the_sum_of_its_parts() -> None:
    """Missing values have a log prior, so that nothing of the density is lost."""
    model = (
        Builder()
        .rv("m", "Normal", mu=0.0, sigma=2.0)
        .rv("x", "Normal", mu="m", sigma=1.0, observed=[NAN, 1.0, 0.5], dims="row")
        .rv("y", "Normal", mu="2 * x", sigma=1.0, observed=[1.0, 2.0, NAN])
    )
    tree = exmc.sample(model, draws=40, warmup=100, chains=1, seed=1, predictive=False)
    parts = [v for group in ("log_prior", "log_likelihood") for v in tree[group].to_dataset().data_vars.values()]
    total = sum(v.values.reshape(40, -1).sum(axis=1) for v in parts)
    # y_missing is sampled as (y_missing - mu) / 1, x_missing too: their Jacobians are 0.
    np.testing.assert_allclose(tree["sample_stats"]["lp"].values[0], total, rtol=1e-9)


def test_posterior_of_missing_values_against_the_closed_form() -> None:
    """A regression with a missing covariate and a missing outcome is a Gaussian: solved exactly by its precision."""
    x, y = np.array([0.4, NAN, 1.3]), np.array([1.0, 2.5, NAN])
    # Unknowns b, x1, y2 would not be Gaussian together; with the slope known, m, x1 and y2 are.
    tree = exmc.sample(
        Builder()
        .rv("m", "Normal", mu=0.0, sigma=2.0)
        .rv("x", "Normal", mu="m", sigma=1.5, observed=x)
        .rv("y", "Normal", mu="1 + 2 * x", sigma=0.7, observed=y),
        draws=2000, seed=3, predictive=False,
    )  # fmt: skip
    # Rows of (coefficients of m, x1, y2 | value | sigma) of every normal term.
    rows = np.array([[1, 0, 0], [-1, 0, 0], [-1, 1, 0], [-1, 0, 0], [0, -2, 0], [0, 0, 1]], float)
    value = np.array([0.0, -0.4, 0.0, -1.3, 1.0 - 2.5, 1 + 2 * 1.3])
    scale = np.array([2.0, 1.5, 1.5, 1.5, 0.7, 0.7])
    precision = (rows.T / scale**2) @ rows
    covariance = np.linalg.inv(precision)
    mean = covariance @ (rows.T @ (value / scale**2))
    _close(tree, ["m", "x_missing", "y_missing"], mean, covariance)


def test_parts_of_vectors_against_the_closed_form() -> None:
    """Missing elements of a multivariate normal given those that are seen: the conditional normal distribution."""
    covariance = np.array([[1.0, 0.6, 0.3], [0.6, 2.0, -0.4], [0.3, -0.4, 1.5]])
    mu = np.array([1.0, -1.0, 0.5])
    seen = np.array([[0.3, NAN, 1.0], [NAN, NAN, 2.0], [1.0, 0.0, 0.0]])
    tree = exmc.sample(
        Builder().rv("v", "MvNormal", mu=mu, cov=covariance, observed=seen), draws=2000, seed=5, predictive=False
    )
    means, blocks = [], []
    for row in seen[:2]:
        gap = np.isnan(row)
        gain = covariance[np.ix_(gap, ~gap)] @ np.linalg.inv(covariance[np.ix_(~gap, ~gap)])
        means.append(mu[gap] + gain @ (row - mu)[~gap])
        blocks.append(covariance[np.ix_(gap, gap)] - gain @ covariance[np.ix_(~gap, gap)])
    whole = np.zeros((3, 3))
    whole[0, 0], whole[1:, 1:] = blocks[0][0, 0], blocks[1]
    _close(tree, ["v_missing"], np.concatenate(means), whole)
    assert tree["posterior"]["v_missing"].coords["v_missing_entry"].values.tolist() == ["0, 1", "1, 0", "1, 1"]
    assert tree["log_likelihood"]["v"].dims == ("chain", "draw", "v_kept")
    assert tree["log_likelihood"]["v"].sizes["v_kept"] == 1


def _close(tree: xr.DataTree, names: list[str], mean: np.ndarray, covariance: np.ndarray) -> None:
    """Whether first and second moments of draws are within four standard errors, judged by batches, of the exact."""
    group = tree["posterior"].to_dataset()
    draws = np.concatenate([group[n].values.reshape(*group[n].shape[:2], -1) for n in names], axis=2)
    assert draws.shape[2] == len(mean)
    centred = draws - mean
    squares = centred[..., :, None] * centred[..., None, :] - covariance
    for errors in (centred, squares.reshape(*draws.shape[:2], -1)):
        chunks = errors.reshape(draws.shape[0] * 20, -1, errors.shape[2]).mean(axis=1)
        z = chunks.mean(axis=0) / (chunks.std(axis=0, ddof=1) / np.sqrt(len(chunks)))
        assert np.abs(z).max() < 4.0, z
