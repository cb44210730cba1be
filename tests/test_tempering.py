"""Compiled models between prior and posterior: their densities, their prior draws, and evidence known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal

import exmc
from exmc import Builder, Flat, Gamma, HalfCauchy, Normal, Uniform
from exmc.compile.program import CompiledModel, compile_model
from exmc.errors import ModelError
from exmc.ir.model import Model
from exmc.rewrite.run import rewrite
from exmc.tempering import CompiledTempering

SEEN = np.array([0.3, -1.2, 2.0, 0.7])


def hierarchy() -> Model:
    return (
        Builder()
        .rv("mu", Normal, mu=1.0, sigma=2.0)
        .rv("tau", HalfCauchy, beta=1.5)
        .rv("theta", Normal, mu="mu", sigma="tau", shape=4)
        .rv("low", Uniform, low=0.0, high=1.0)
        .rv("high", Uniform, low="low", high=2.0)
        .potential("pull", "-0.5 * mu * mu")
        .rv("y", Normal, mu="theta", sigma=1.0)
        .obs("y_seen", "y", SEEN)
        .build()
    )


def compiled(model: Model, engine: str = "native") -> CompiledModel:
    return compile_model(model, rewrite(model).model, engine=engine)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["native", "autograd"])
def test_the_density_is_linear_in_the_temperature(engine: str) -> None:
    """At 1 it is the joint one; between, prior and likelihood add up, potentials with the likelihood."""
    model = compiled(hierarchy(), engine)
    position = np.linspace(-0.5, 0.7, model.layout.dimension)
    joint, gradient = model.density()(position)
    found = {t: model.tempered(t)(position) for t in (0.0, 0.25, 1.0)}
    assert found[1.0][0] == pytest.approx(joint, rel=1e-12)
    assert found[1.0][1] == pytest.approx(gradient, rel=1e-10)
    assert found[0.25][0] == pytest.approx(0.75 * found[0.0][0] + 0.25 * joint, rel=1e-12)
    assert found[0.25][1] == pytest.approx(0.75 * found[0.0][1] + 0.25 * gradient, rel=1e-10, abs=1e-12)
    values = model.constrain(position[None])
    likelihood = float(np.sum(-0.5 * (SEEN - values["theta"][0]) ** 2 - 0.5 * np.log(2 * np.pi)))
    potential = -0.5 * float(values["mu"][0]) ** 2
    assert joint - found[0.0][0] == pytest.approx(likelihood + potential, rel=1e-10)


def test_prior_draws_are_those_of_the_model() -> None:
    """On the constrained scale each variable has its prior, whatever its transform, centring and bounds."""
    model = compiled(hierarchy())
    positions = CompiledTempering(model, 3).draw_prior(1, 0, 1000)
    assert np.array_equal(positions[400:410], CompiledTempering(model, 3).draw_prior(1, 400, 10))
    values = model.constrain(positions)
    assert kstest(values["mu"], "norm", (1.0, 2.0)).pvalue > 1e-4
    assert kstest(values["tau"], "halfcauchy", (0.0, 1.5)).pvalue > 1e-4
    standard = (values["theta"] - values["mu"][:, None]) / values["tau"][:, None]
    assert kstest(standard.ravel(), "norm").pvalue > 1e-4
    assert kstest((values["high"] - values["low"]) / (2.0 - values["low"]), "uniform").pvalue > 1e-4


def test_the_evidence_of_a_conjugate_model() -> None:
    """Normal data about a normal mean; and counts of a Gamma rate."""
    normal = (
        Builder()
        .rv("mu", Normal, mu=0.5, sigma=2.0)
        .rv("y", Normal, mu="mu", sigma=1.0, shape=4)
        .obs("seen", "y", SEEN)
    )
    exact = multivariate_normal(np.full(4, 0.5), np.eye(4) + 4.0).logpdf(SEEN)
    said = exmc.sample(normal, method="smc", chains=8, draws=250, seed=2, predictive=False).attrs["method"]
    assert abs(said["log_evidence"] - exact) < 5.0 * said["log_evidence_error"]
    waits = np.array([0.5, 1.5, 0.2])
    rate = (
        Builder()
        .rv("rate", Gamma, alpha=2.0, beta=1.0)
        .rv("y", "Exponential", rate="rate", shape=3)
        .obs("s", "y", waits)
    )
    # The integral of rate e^-rate rate^3 e^(-rate 2.2): 4! / 3.2^5.
    exact = np.log(24.0) - 5.0 * np.log(1.0 + waits.sum())
    tree = exmc.sample(rate, method="smc", chains=8, draws=250, seed=2, predictive=False)
    said = tree.attrs["method"]
    assert abs(said["log_evidence"] - exact) < 5.0 * said["log_evidence_error"]
    means = tree["posterior"]["rate"].values.mean(axis=1)
    assert abs(means.mean() - 5.0 / 3.2) < 5.0 * means.std(ddof=1) / np.sqrt(8.0)


def test_an_improper_prior_cannot_be_tempered() -> None:
    model = Builder().rv("mu", Flat).rv("y", Normal, mu="mu", sigma=1.0).obs("seen", "y", 1.0)
    with pytest.raises(ModelError, match="mu"):
        exmc.sample(model, method="smc", chains=1, draws=50, seed=1)
