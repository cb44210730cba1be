"""Where chains of NUTS start: drawn from the prior, or near the mode with its variances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

import exmc
from exmc import Builder, Flat, HalfNormal, Normal
from exmc.compile.program import CompiledModel, compile_model
from exmc.errors import ModelError, SamplingError
from exmc.rewrite.run import rewrite
from exmc.sampling.chain import begin
from exmc.sampling.options import INITS, SamplerOptions
from exmc.starts import Start, start_of
from tests.sampling.targets import z_score


def compiled(builder: Builder) -> CompiledModel:
    model = builder.build()
    return compile_model(model, rewrite(model).model)


def narrow() -> Builder:
    """A posterior far narrower than where uniform starts are, and of two scales."""
    seen = 50.0 + 0.01 * np.random.default_rng(1).normal(size=100)
    return (
        Builder()
        .rv("mu", Normal, mu=0.0, sigma=100.0)
        .rv("sigma", HalfNormal, sigma=1.0)
        .rv("y", Normal, mu="mu", sigma="sigma", shape=100)
        .obs("seen", "y", seen)
    )


def test_prior_starts_are_distributed_as_the_prior() -> None:
    model = compiled(narrow())
    starts = [start_of(model, SamplerOptions(seed=4, init="prior"), chain) for chain in range(150)]
    positions = np.stack([s.position for s in starts if s.position is not None])
    assert all(s.variances is None for s in starts)
    values = model.constrain(positions)
    assert kstest(values["mu"], "norm", (0.0, 100.0)).pvalue > 1e-3
    assert kstest(values["sigma"], "halfnorm").pvalue > 1e-3


def test_pathfinder_starts_are_in_the_posterior_and_know_its_scales() -> None:
    model = compiled(narrow())
    density = model.density()
    options = SamplerOptions(seed=4, init="pathfinder", chains=6, metric="diagonal")
    starts = [start_of(model, options, chain) for chain in range(6)]
    for chain, start in enumerate(starts):
        assert start.position is not None
        assert start.variances is not None
        values = model.constrain(start.position[None])
        # A draw of an approximation whose standard deviation is about a thousandth.
        assert abs(values["mu"][0] - 50.0) < 0.02
        assert 1e-4 < np.sqrt(start.variances[0]) < 1e-2
        state = begin(density, options, chain, start.position, variances=start.variances)
        assert np.array_equal(state.inverse_mass_matrix, start.variances)
        dense = SamplerOptions(seed=4, metric="dense")
        state = begin(density, dense, chain, start.position, variances=start.variances)
        assert np.array_equal(state.inverse_mass_matrix, np.diag(start.variances))
    assert len({s.position.tobytes() for s in starts if s.position is not None}) == 6


def test_uniform_starts_are_left_to_the_chain() -> None:
    assert start_of(compiled(narrow()), SamplerOptions(seed=4), 0) == Start()


def test_where_pathfinder_finds_nothing_chains_start_as_ever() -> None:
    flat = compiled(Builder().rv("x", Normal, mu=0.0, sigma=1.0).potential("undo", "0.5 * x * x"))
    assert start_of(flat, SamplerOptions(seed=4, init="pathfinder"), 0) == Start()


@pytest.mark.parametrize("init", INITS)
def test_draws_are_the_same_posterior(init: str) -> None:
    tree = exmc.sample(narrow(), init=init, seed=3, draws=400, warmup=400, predictive=False)
    draws = tree["posterior"]["mu"].values
    # The prior hardly counts: the posterior is Student's around the data's mean.
    truth = np.full(1, tree["observed_data"]["seen"].values.mean())
    assert np.abs(z_score(draws[..., None], lambda x: x, truth)).max() < 4.5


def bounded() -> Builder:
    """Each transform depends on the variables before."""
    return (
        Builder()
        .rv("low", "Uniform", low=0.0, high=1.0)
        .rv("high", "Uniform", low="low", high=2.0)
        .det("both", "low + high")
        .rv("share", "Dirichlet", alpha=[1.0, 2.0, 3.0])
        .rv("theta", Normal, mu="both", sigma="high", shape=2, centering="noncentered")
    )


def test_values_given_are_where_chains_start_and_the_rest_is_uniform() -> None:
    model = compiled(bounded())
    init = {"low": 0.25, "high": 1.5, "share": [0.2, 0.3, 0.5]}
    starts = [start_of(model, SamplerOptions(seed=4, init=init), chain).position for chain in range(50)]
    values = model.constrain(np.stack([s for s in starts if s is not None]))
    assert values["low"] == pytest.approx(np.full(50, 0.25))
    assert values["high"] == pytest.approx(np.full(50, 1.5))
    assert values["share"] == pytest.approx(np.tile(init["share"], (50, 1)))
    standard = (values["theta"] - 1.75) / 1.5
    assert kstest(standard.ravel(), "uniform", (-2.0, 4.0)).pvalue > 1e-3
    whole = model.constrain(start_of(model, SamplerOptions(seed=4, init={"theta_raw": 0.5}), 0).position[None])  # type: ignore[index]
    assert whole["theta"][0] == pytest.approx(np.full(2, whole["low"] + whole["high"] + 0.5 * whole["high"]).ravel())


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ({"lwo": 0.5}, "init.lwo: 'lwo' is no variable that is sampled.*Did you mean 'low'"),
        ({"theta": 0.5}, "init.theta: 'theta' is no variable that is sampled.*Did you mean 'theta_raw'"),
        ({"low": 1.5}, "init.low: 'low' cannot have the value 1.5, where it has no density"),
        ({"share": [0.5, 0.5]}, r"is no value of 'share', which has the shape \(3,\)"),
        ({"low": "half"}, "'half' is no value of 'low'"),
    ],
)
def test_values_that_cannot_be_are_refused(init: dict[str, object], message: str) -> None:
    with pytest.raises(SamplingError, match=message):
        start_of(compiled(bounded()), SamplerOptions(seed=4, init=init), 0)


def test_what_cannot_start_says_why() -> None:
    improper = compiled(Builder().rv("x", Flat).rv("y", Normal, mu="x", sigma=1.0).obs("seen", "y", 0.0))
    with pytest.raises(ModelError, match="x"):
        start_of(improper, SamplerOptions(seed=4, init="prior"), 0)
    nowhere = compiled(
        Builder().rv("x", Normal, mu=0.0, sigma=1.0).rv("y", "Uniform", low="x", high="x + 1").obs("seen", "y", 100.0)
    )
    options = SamplerOptions(seed=4, init="prior", initial_attempts=3)
    with pytest.raises(SamplingError, match="at each of 3 draws from the prior"):
        start_of(nowhere, options, 0)
    with pytest.raises(SamplingError, match=r"'pathfindr'. Did you mean 'pathfinder'"):
        SamplerOptions(seed=4, init="pathfindr")
