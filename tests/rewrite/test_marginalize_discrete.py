"""Discrete variables are summed out: against enumeration and exact posteriors; what cannot be is refused by name."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import exmc
from exmc import Builder, MarkovChain, Mixture, NegativeBinomial, ZeroInflated
from exmc.compile.program import compile_model
from exmc.errors import ModelError
from exmc.rewrite.run import rewrite

CHAIN = MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]])
Y = np.array([-1.8, 2.1, 1.5, 0.1, -2.2])
GROUP = np.array([0, 0, 1, 1, 2])


def grouped() -> Builder:
    """Three binary elements of one to two rows each, every other thing known but one location."""
    return (
        Builder()
        .data("g", GROUP)
        .rv("mu", "Normal", mu=0.0, sigma=2.0)
        .rv("z", "Bernoulli", p=0.3, shape=3)
        .rv("y", "Normal", mu="where(z[g] == 1, mu, -mu)", sigma=1.0, observed=Y)
    )


def enumerated() -> tuple[float, float, np.ndarray]:
    """Mean and variance of mu, and the probabilities of z = 1, by enumerating z: given z, all is Gaussian."""
    weights, means, variances, chosen = [], [], [], []
    for z in product((0, 1), repeat=3):
        sign = np.where(np.array(z)[GROUP] == 1, 1.0, -1.0)
        variance = 1.0 / (0.25 + len(Y))
        covariance = 4.0 * np.outer(sign, sign) + np.eye(len(Y))
        prior = np.sum(np.log(np.where(z, 0.3, 0.7)))
        weights.append(prior + stats.multivariate_normal(np.zeros(len(Y)), covariance).logpdf(Y))
        means.append(variance * np.sum(sign * Y))
        variances.append(variance)
        chosen.append(z)
    share = np.exp(np.array(weights) - logsumexp(weights))
    mean = np.sum(share * means)
    variance = np.sum(share * (np.array(variances) + np.array(means) ** 2)) - mean**2
    return float(mean), float(variance), share @ np.array(chosen, float)


def test_the_posterior_is_the_enumerated_one() -> None:
    tree = exmc.sample(grouped(), draws=4000, seed=2, predictive=False)
    mean, variance, ones = enumerated()
    mu = tree["posterior"]["mu"].values
    found = tree["posterior"]["z_probabilities"].values[..., 1]
    errors = np.concatenate([(mu - mean)[..., None], ((mu - mean) ** 2 - variance)[..., None], found - ones], axis=2)
    chunks = errors.reshape(4 * 20, -1, errors.shape[2]).mean(axis=1)
    z = chunks.mean(axis=0) / (chunks.std(axis=0, ddof=1) / np.sqrt(len(chunks)))
    assert np.abs(z).max() < 4.0, z


def test_pointwise_log_likelihoods_are_of_rows_given_those_before() -> None:
    tree = exmc.sample(grouped(), draws=20, warmup=100, chains=1, seed=2, predictive=False)
    mu = tree["posterior"]["mu"].values[0]
    found = tree["log_likelihood"]["y"].values[0]

    def joint(rows: list[int]) -> np.ndarray:
        parts = [
            np.log(p) + stats.norm.logpdf(Y[rows][:, None], m * mu, 1.0).sum(axis=0) for p, m in ((0.3, 1), (0.7, -1))
        ]
        return np.asarray(logsumexp(parts, axis=0))

    np.testing.assert_allclose(found[:, 0], joint([0]), rtol=1e-10)
    np.testing.assert_allclose(found[:, 1], joint([0, 1]) - joint([0]), rtol=1e-8)
    np.testing.assert_allclose(found[:, 4], joint([4]), rtol=1e-10)
    lp = tree["log_prior"]["mu"].values[0] + found.sum(axis=1)
    np.testing.assert_allclose(tree["sample_stats"]["lp"].values[0], lp, rtol=1e-10)


def test_a_mixture_has_one_term_a_value_and_labelled_probabilities() -> None:
    model = (
        Builder()
        .coords(row=["a", "b"])
        .rv("mu", "Normal", shape=3)
        .rv("z", "Categorical", p=[0.2, 0.3, 0.5], dims="row")
        .rv("y", "Normal", mu="mu[z]", sigma=1.0, observed=[0.0, 1.0])
    )
    tree = exmc.sample(model, draws=20, warmup=100, chains=1, seed=1)
    found = tree["posterior"]["z_probabilities"]
    assert found.dims == ("chain", "draw", "row", "z_value")
    assert found.coords["z_value"].values.tolist() == [0, 1, 2]
    mu = tree["posterior"]["mu"].values[0]
    terms = np.log([0.2, 0.3, 0.5]) + stats.norm.logpdf(np.array([0.0, 1.0])[:, None], mu[:, None, :], 1.0)
    np.testing.assert_allclose(found.values[0], np.exp(terms - logsumexp(terms, axis=2, keepdims=True)), rtol=1e-10)
    np.testing.assert_allclose(tree["log_likelihood"]["y"].values[0], logsumexp(terms, axis=2), rtol=1e-10)
    assert tree["posterior_predictive"]["y"].shape == (1, 20, 2)
    assert tree["prior"]["z"].dtype == np.int64
    assert [note.partition(":")[0] for note in tree.attrs["notes"]] == ["variables.z"]


REFUSED = {
    "too many values": (lambda: Builder().rv("z", "Binomial", n=200, p=0.5), "it has 201 values, and at most 100"),
    "no largest value": (lambda: Builder().rv("z", "Poisson", mu=1.0), "discrete without a largest value"),
    "mixed without a largest value": (
        lambda: Builder().rv("z", ZeroInflated(NegativeBinomial(1.0, 2.0), 0.1), shape=2),
        "discrete without a largest value",
    ),
    "vectors of counts": (
        lambda: Builder().rv("z", "Multinomial", n=3, p=[0.5, 0.5]),
        "Multinomial is discrete, of vectors, and 'z' is not observed",
    ),
    "mixed vectors of counts": (
        lambda: Builder().rv("z", "DirichletMultinomial", n=3, alpha=[0.5, 0.5]),
        "DirichletMultinomial is discrete, of vectors, and 'z' is not observed",
    ),
    "mixed chains": (
        lambda: Builder().rv("z", Mixture([0.5, 0.5], [CHAIN, CHAIN]), shape=4),
        "a value of Mixture is a vector",
    ),
    "a chain that depends on another discrete variable": (
        lambda: (
            Builder()
            .rv("b", "Bernoulli", p=0.5, shape=3)
            .rv("z", "MarkovChain", initial=[0.5, 0.5], transition="ones(2, 2) * (0.4 + 0.1 * sum(b))", shape=3)
        ),
        "its probabilities depend on discrete variables",
    ),
    "two places of a chain": (
        lambda: Builder().rv("z", CHAIN, shape=4).rv("y", "Normal", mu="z[1:] - z[:-1]", observed=[1.0, 0.0, 0.5]),
        "depends on several of its elements",
    ),
    "a bound that varies": (
        lambda: Builder().rv("b", "Bernoulli", p=0.5).rv("z", "Binomial", n="b + 1", p=0.5),
        "depends on variables",
    ),
    "a chain": (
        lambda: (
            Builder().data("i", [0, 0, 1]).rv("a", "Bernoulli", p=0.5, shape=3).rv("z", "Bernoulli", p="0.5 * a[i]")
        ),
        "depend on each other",
    ),
    "many elements": (
        lambda: Builder().rv("z", "Bernoulli", p=0.5, shape=2).rv("y", "Normal", mu="sum(z)", sigma=1.0, observed=1.0),
        "depends on several of its elements",
    ),
    "other shapes": (
        lambda: (
            Builder()
            .rv("z", "Bernoulli", p=0.5, shape=2)
            .rv("s", "Bernoulli", p=0.5)
            .rv("y", "Normal", mu="z + s", sigma=1.0, observed=[1.0, 2.0])
        ),
        "has another shape",
    ),
    "not observed": (
        lambda: Builder().rv("z", "Bernoulli", p=0.5).rv("x", "Normal", mu="z", sigma=1.0),
        "'x', which depends on it, is not observed",
    ),
    "weighted": (
        lambda: Builder().rv("z", "Bernoulli", p=0.5).rv("y", "Normal", mu="z", sigma=1.0, observed=1.0, weight=2.0),
        "is weighted",
    ),
    "missing": (
        lambda: Builder().rv("z", "Bernoulli", p=0.5).rv("y", "Normal", mu="z", sigma=1.0, observed=[1.0, np.nan]),
        "has missing values",
    ),
    "potential": (lambda: Builder().rv("z", "Bernoulli", p=0.5).potential("t", "-z"), "a potential, 't', depends"),
    "too many terms": (
        lambda: (
            Builder()
            .rv("z", "Binomial", n=10, p=0.5)
            .rv("c", "Binomial", n=10, p=0.5)
            .rv("y", "Normal", mu="z + c", sigma=1.0, observed=1.0)
        ),
        "the sum has 121 terms",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_summed_out_is_refused_by_name(case: str) -> None:
    builder, message = REFUSED[case]
    with pytest.raises(ModelError, match=message) as raised:
        rewrite(builder().build())
    assert raised.value.where[0] == "variables"
    assert raised.value.remedy


def test_a_chain_written_by_hand_is_told_of_markov_chain() -> None:
    by_hand = Builder().rv("z", "Categorical", p="ones(3, 3)[z] / 3", shape=4)
    with pytest.raises(ModelError, match="in a circle: z -> z") as circular:
        by_hand.build()
    steps = Builder().rv("z0", "Categorical", p=[0.2] * 5)
    for t in range(1, 4):
        steps.rv(f"z{t}", "Categorical", p=f"ones(5, 5)[z{t - 1}] / 5")
    with pytest.raises(ModelError, match="the sum has 625 terms") as long:
        rewrite(steps.build())
    assert all("MarkovChain" in raised.value.remedy for raised in (circular, long))


def test_a_count_that_is_missing_counts_for_nothing() -> None:
    """Beside others of its element, in the density and in the probabilities; as if its row were not there."""
    counts, group = np.array([3.0, np.nan, 0.0, 7.0, 2.0]), np.array([0, 0, 0, 1, 1])
    densities = []
    for rows in (np.arange(5), np.flatnonzero(~np.isnan(counts))):
        model = (
            Builder()
            .data("g", group[rows])
            .rv("rate", "Gamma", alpha=2.0, beta=1.0, shape=2)
            .rv("z", "Bernoulli", p=0.3, shape=2)
            .rv("y", "Poisson", mu="rate[z[g]]", observed=counts[rows])
            .build()
        )
        compiled = compile_model(model, rewrite(model).model)
        assert compiled.layout.dimension == 2
        position = np.array([0.3, 1.4])
        values = compiled.constrain(position[None])["z_probabilities"]
        densities.append((compiled.density()(position)[0], values))
    assert densities[0][0] == pytest.approx(densities[1][0], rel=1e-12)
    np.testing.assert_allclose(densities[0][1], densities[1][1], rtol=1e-12)
