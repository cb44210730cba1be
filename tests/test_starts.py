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
