"""A replication depends on its number alone, and its ranks are those of the value that its data came from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import exmc
from exmc.calibration import (
    JOINT,
    RANKED_DRAWS,
    check_calibratable,
    log_likelihood,
    replicate,
    replication_seed,
    with_observed,
)
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.predictive.simulate import Samples, simulate
from exmc.sampling.options import SamplerOptions

OPTIONS = SamplerOptions(seed=5, draws=100, warmup=100, chains=2)


def model() -> Model:
    return (
        Builder()
        .rv("mu", "Normal", mu=0.0, sigma=2.0)
        .rv("sigma", "HalfNormal", sigma=1.0)
        .det("twice", "2 * mu")
        .rv("y", "Normal", mu="mu", sigma="sigma", observed=[1.0, 2.0, 3.0], mask=[True, True, False])
        .build()
    )


def test_a_replication_depends_on_its_number_alone() -> None:
    first, again, other = (replicate(model(), OPTIONS, number) for number in (3, 3, 4))
    assert {n: r.tolist() for n, r in first.ranks.items()} == {n: r.tolist() for n, r in again.ranks.items()}
    assert (first.ess, first.r_hat) == (again.ess, again.r_hat)
    assert first.ess != other.ess
    assert set(first.ranks) == {"mu", "sigma", "twice", "log_likelihood"}
    assert all(0 <= int(rank) <= RANKED_DRAWS for rank in first.ranks.values())
    assert first.ranks["mu"] == first.ranks["twice"]


def test_ranks_are_those_of_the_true_value() -> None:
    source = model()
    truth = {name: v[0] for name, v in simulate(source, OPTIONS.seed, "sbc", Samples.one(2)).items()}
    tree = exmc.sample(
        with_observed(source, truth), draws=100, warmup=100, chains=2, seed=replication_seed(OPTIONS.seed, 2)
    )
    draws = tree["posterior"]["mu"].values.ravel()
    kept = draws[np.linspace(0, 199, RANKED_DRAWS).round().astype(int)]
    assert replicate(source, OPTIONS, 2).ranks["mu"] == (kept < truth["mu"]).sum()


def test_all_options_of_the_sampler_count() -> None:
    fixed = replace(OPTIONS, warmup=0, step_size=0.5)
    first, other = (replicate(model(), replace(fixed, initial_radius=radius), 1) for radius in (0.5, 2.0))
    assert first.ess != other.ess


def test_the_log_likelihood_leaves_masked_values_out() -> None:
    found = log_likelihood(model(), {"mu": np.array(0.5), "sigma": np.array(1.5)})
    assert found == pytest.approx(stats.norm(0.5, 1.5).logpdf([1.0, 2.0]).sum(), rel=1e-14)


def test_missing_values_stay_missing_and_are_ranked() -> None:
    builder = Builder().rv("m", "Normal").rv("y", "Normal", mu="m", sigma=1.0, observed=[1.0, np.nan, 0.5])
    found = replicate(builder.build(), SamplerOptions(seed=1, draws=60, warmup=100, chains=2), 0)
    assert found.failure == ""
    assert {name: rank.shape for name, rank in found.ranks.items()} == {"m": (), "y_missing": (1,), JOINT: ()}


def test_what_is_summed_out_is_not_ranked() -> None:
    builder = (
        Builder().rv("m", "Normal").rv("z", "Bernoulli", p=0.5).rv("y", "Normal", mu="z * m", sigma=1.0, observed=1.0)
    )
    found = replicate(builder.build(), SamplerOptions(seed=1, draws=60, warmup=100, chains=2), 0)
    assert (found.failure, list(found.ranks)) == ("", ["m"])


def test_a_replication_that_fails_says_why() -> None:
    source = Builder().rv("mu", "Flat").rv("y", "Normal", mu="mu", sigma=1.0, observed=[1.0]).build()
    found = replicate(source, OPTIONS, 0)
    assert not found.ranks
    assert "Flat" in found.failure


def wrong(*arguments: object, **parameters: object) -> Builder:
    return Builder().rv("mu", "Normal", mu=0.0, sigma=1.0).rv("y", "Normal", mu="mu", sigma=1.0, **parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (Builder().rv("mu", "Normal", mu=0.0, sigma=1.0), "no observed variable"),
        (wrong(observed=[1.0, 2.0], weight=[1.0, 2.0]), "weighted"),
        (
            Builder()
            .data("y", [1.0, 2.0, 3.0])
            .rv("phi", "Normal", mu=0.0, sigma=1.0)
            .rv("seen", "Normal", mu="phi * y[:-1]", sigma=1.0, observed="y[1:]"),
            "observed and used to predict",
        ),
    ],
)
def test_what_cannot_be_calibrated_is_refused(builder: Builder, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_calibratable(builder.build(), OPTIONS)


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(ModelError, match="too few to rank among"):
        check_calibratable(model(), SamplerOptions(seed=1, draws=40, warmup=10, chains=2))
