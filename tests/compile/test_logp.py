"""The functions of the flat vector: joint log density against scipy, constrained values, pointwise terms."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from autograd import grad
from scipy import stats
from scipy.special import expit

from exmc.compile.layout import layout_of
from exmc.compile.logp import constrain_function, log_density_function, pointwise_function
from exmc.distributions import Custom, Dirichlet, Flat, MvNormal, Normal
from exmc.errors import CompileError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.rewrite.run import rewrite
from tests.chaos import slow_density
from tests.rewrite.models import MODELS, schools, weighted


def regression() -> Builder:
    return (
        Builder()
        .data("x", [0.5, -1.0, 2.0])
        .rv("a", "Normal", mu=1.0, sigma=2.0)
        .rv("b", "Normal", shape=2)
        .rv("s", "HalfNormal", sigma=3.0)
        .rv("p", "Beta", alpha=2.0, beta=3.0)
        .rv("u", "Uniform", low=-1.0, high=4.0)
        .det("mean", "a + b[0] * x + b[1] * x**2")
        .rv("y", "Normal", mu="mean", sigma="s", observed=[1.0, 2.0, 3.0])
        .rv("k", "Binomial", n=10, p="p", observed=[3, 4])
    )


def test_the_joint_density_is_the_sum_of_its_parts() -> None:
    log_density = log_density_function(rewrite(regression().build()).model)
    position = np.array([0.3, -0.5, 0.8, 0.4, -0.7, 0.2])
    a, b0, b1, log_s, logit_p, scaled_u = position
    s, p, x = np.exp(log_s), expit(logit_p), np.array([0.5, -1.0, 2.0])
    priors = (
        stats.norm.logpdf(a, 1.0, 2.0)
        + stats.norm.logpdf([b0, b1]).sum()
        + stats.halfnorm.logpdf(s, scale=3.0)
        + stats.beta.logpdf(p, 2.0, 3.0)
        + stats.uniform.logpdf(-1.0 + 5.0 * expit(scaled_u), -1.0, 5.0)
    )
    jacobians = log_s + np.log(p * (1 - p)) + np.log(5.0 * expit(scaled_u) * expit(-scaled_u))
    likelihood = (
        stats.norm.logpdf([1.0, 2.0, 3.0], a + b0 * x + b1 * x**2, s).sum() + stats.binom.logpmf([3, 4], 10, p).sum()
    )
    assert log_density(position) == pytest.approx(priors + jacobians + likelihood, rel=1e-13)


def test_constrained_values_in_their_shapes() -> None:
    model = rewrite(regression().build()).model
    values = constrain_function(model, ["s", "b", "mean", "u", "y"])(np.zeros(6))
    assert [np.shape(v) for v in values] == [(), (2,), (3,), (), (3,)]
    assert (values[0], values[3]) == (1.0, 1.5)
    assert values[2].tolist() == [0.0, 0.0, 0.0]


def test_pointwise_terms_leave_out_weights_jacobians_and_masked_entries() -> None:
    model = weighted().build()
    rewritten = rewrite(model).model
    pointwise, likelihoods, priors = pointwise_function(model, rewritten)
    assert (likelihoods, priors) == (("a", "b", "c", "d"), ("m",))
    a, b, c, d, m = pointwise(np.array([0.25]))
    plain = stats.norm.logpdf([1.0, 2.0, -1.0], 0.25)
    assert np.allclose(a, plain)
    assert np.allclose(b, plain)
    assert np.allclose(c, plain * [1.0, 0.0, 1.0])
    assert np.allclose(d, [*stats.halfnorm.logpdf([1.0, 2.0]), 0.0])
    assert np.allclose(m, stats.norm.logpdf(0.25))


def test_weights_multiply_and_masks_leave_out() -> None:
    log_density = log_density_function(rewrite(weighted().build()).model)
    plain = stats.norm.logpdf([1.0, 2.0, -1.0], 0.25)
    expected = stats.norm.logpdf(0.25) + 2.0 * plain.sum() + plain @ [1.0, 0.0, 2.0]
    expected += stats.halfnorm.logpdf([1.0, 2.0]).sum()
    assert log_density(np.array([0.25])) == pytest.approx(expected, rel=1e-13)


def test_log_priors_do_not_depend_on_the_parameterisation() -> None:
    """Non-centred, theta still has the prior density that its user wrote."""
    source = schools().build()
    rewritten = rewrite(source).model
    pointwise, _, priors = pointwise_function(source, rewritten)
    assert priors == ("mu", "tau", "theta")
    position = np.linspace(-1.0, 1.0, 10)
    (theta,) = constrain_function(rewritten, ["theta"])(position)
    *_, log_prior = pointwise(position)
    assert np.allclose(log_prior, stats.norm.logpdf(theta, position[0], np.exp(position[1])))


def test_a_joint_observation_has_one_pointwise_term() -> None:
    build = Builder().data("A", [[2.0, 1.0], [0.0, 3.0]]).rv("m", "Normal").rv("z", "Normal", mu=1.0, shape=2)
    source = build.det("y", "A @ z + m").obs("o", "y", [1.0, 2.0]).build()
    pointwise, likelihoods, _ = pointwise_function(source, rewrite(source).model)
    A = np.array([[2.0, 1.0], [0.0, 3.0]])
    expected = stats.multivariate_normal.logpdf([1.0, 2.0], A @ [1.0, 1.0] + 0.5, A @ A.T)
    found = pointwise(np.array([0.5]))[likelihoods.index("o")]
    assert np.shape(found) == ()
    assert found == pytest.approx(expected)


def test_parameters_that_broadcast_count_every_element() -> None:
    """A density that gives one number for an array, as the flat one's does not depend on the value."""
    model = rewrite(Builder().rv("x", "HalfFlat", shape=3).build()).model
    assert log_density_function(model)(np.array([0.1, 0.2, 0.3])) == pytest.approx(0.6)
    scalar = rewrite(Builder().rv("m", "Normal").rv("y", "Normal", observed=np.zeros(4)).build()).model
    expected = 5.0 * stats.norm.logpdf(0.0)
    assert log_density_function(scalar)(np.zeros(1)) == pytest.approx(expected)


def test_an_empty_model_and_one_without_variables() -> None:
    assert log_density_function(Builder().build())(np.empty(0)) == 0.0
    seen = rewrite(Builder().rv("y", "Normal", observed=0.0).build()).model
    assert log_density_function(seen)(np.empty(0)) == pytest.approx(stats.norm.logpdf(0.0))


@pytest.mark.parametrize("model_name", MODELS)
def test_gradients_by_autograd_are_those_of_differences(model_name: str) -> None:
    model = rewrite(MODELS[model_name][0]().build()).model
    log_density = log_density_function(model)
    position = np.random.default_rng(1).uniform(-0.5, 0.5, layout_of(model).dimension)
    with np.errstate(all="ignore"):
        if not np.isfinite(log_density(position)):
            pytest.skip("outside the support")
        slope = grad(log_density)(position)
        steps = 1e-6 * np.eye(position.size)
        differences = [(log_density(position + s) - log_density(position - s)) / 2e-6 for s in steps]
    assert np.allclose(slope, differences, rtol=1e-5, atol=1e-5)


def test_the_functions_travel_between_processes() -> None:
    model = rewrite(regression().build()).model
    log_density = log_density_function(model)
    again = pickle.loads(pickle.dumps(log_density))
    assert again(np.zeros(6)) == log_density(np.zeros(6))


def test_models_that_have_not_been_rewritten_are_refused() -> None:
    source = Builder().rv("x", "Normal").obs("o", "x", [1.0]).build()
    with pytest.raises(CompileError, match="'o' observes 'x', which has not been rewritten"):
        log_density_function(source)
    with pytest.raises(CompileError, match="'h' has no transform yet"):
        log_density_function(Builder().rv("h", "HalfNormal").build())(np.zeros(1))


def test_priors_that_refer_to_what_was_observed() -> None:
    """By the name of the variable, which rewriting removed, and of an observation, which lifting solved."""
    source = (
        Builder()
        .rv("mu", "Normal")
        .rv("x", "Normal", mu="mu")
        .obs("x_obs", "x", [1.0, 2.0])
        .rv("z", "Normal", mu="x[0]")
        .rv("w", "Exponential", rate=1.0, shape=2)
        .det("y", "mu + 2 * w")
        .obs("y_obs", "y", [5.0, 6.0])
        .rv("q", "Normal", mu="y_obs[0]", centering="centered")
        .rv("end", "Normal", mu="z + q", observed=1.0)
    ).build()
    model = rewrite(source).model
    function, _, priors = pointwise_function(source, model)
    position = np.array([0.3, -0.7, 4.9])
    values = dict(zip(("mu", "z", "q"), constrain_function(model, ["mu", "z", "q"])(position), strict=True))
    found = dict(zip(priors, function(position)[-len(priors) :], strict=True))
    expected = {"mu": 0.0, "z": 1.0, "q": 5.0}
    assert found == pytest.approx({k: stats.norm.logpdf(values[k], m) for k, m in expected.items()}, rel=1e-13)


def test_what_counts_for_nothing_may_be_impossible() -> None:
    """A weight of 0 leaves an element out, though its density is 0 where the bound is below it."""
    build = Builder().rv("h", "HalfNormal")
    source = build.rv("y", "Uniform", low=0.0, high="h", observed=[0.5, 3.0], weight=[2.0, 0.0]).build()
    model = rewrite(source).model
    log_h = 0.1
    expected = stats.halfnorm.logpdf(np.exp(log_h)) + log_h - 2.0 * log_h
    assert log_density_function(model)(np.array([log_h])) == pytest.approx(expected, rel=1e-13)
    assert np.isfinite(grad(log_density_function(model))(np.array([log_h]))).all()


def test_numbers_restricted_by_a_transform_keep_their_density() -> None:
    model = (
        Builder()
        .rv("s", "HalfNormal")
        .rv("x", Normal(1.5, "s"), shape=2, transform="log")
        .rv("p", Normal(0.5, "s"), transform="logit")
        .build()
    )
    position = np.random.default_rng(3).normal(size=4)
    rewritten = rewrite(model).model
    s, x, p = constrain_function(rewritten, ["s", "x", "p"])(position)
    expected = stats.halfnorm.logpdf(s) + stats.norm(1.5, s).logpdf(x).sum() + stats.norm(0.5, s).logpdf(p)
    jacobian = np.log(s) + np.log(x).sum() + np.log(p * (1 - p))
    assert log_density_function(rewritten)(position) == pytest.approx(expected + jacobian, rel=1e-12)


def test_vectors_restrictions_bounds_that_are_variables_and_potentials() -> None:
    model = (
        Builder()
        .rv("w", Dirichlet([1.0, 2.0, 3.0]))
        .rv("c", Normal([0.0, 1.0], 2.0), shape=(2, 2), transform="ordered")
        .rv("a", "Uniform")
        .rv("b", Flat(lower=0.0, upper="1 - a"))
        .rv("v", MvNormal("w", cov=np.diag([1.0, 2.0, 3.0])), shape=(2, 3), centering="centered")
        .potential("p", "a * w")
        .build()
    )
    position = np.random.default_rng(2).normal(size=2 + 4 + 1 + 1 + 6)
    rewritten = rewrite(model).model
    names = ["w", "c", "a", "b", "v"]
    w, c, a, b, v = constrain_function(rewritten, names)(position)
    assert np.all(np.diff(c, axis=1) > 0)
    assert 0 < b < 1 - a
    expected = (
        stats.dirichlet([1.0, 2.0, 3.0]).logpdf(w)
        + np.log(w).sum()
        + 0.5 * np.log(3.0)
        + stats.norm.logpdf(c, [0.0, 1.0], 2.0).sum()
        + np.log(np.diff(c, axis=1)).sum()
        + np.log(a * (1 - a))
        + np.log(b * (1 - a - b) / (1 - a))
        + stats.multivariate_normal(w, np.diag([1.0, 2.0, 3.0])).logpdf(v).sum()
        + (a * w).sum()
    )
    assert log_density_function(rewritten)(position) == pytest.approx(expected, rel=1e-12)
    pointwise, likelihoods, priors = pointwise_function(model, rewritten)
    assert (likelihoods, priors) == ((), tuple(names))
    assert [np.shape(term) for term in pointwise(position)] == [(), (2, 2), (), (), (2,)]


def test_a_function_is_known_by_its_model_without_the_values_of_its_data() -> None:
    def model(values: list[float], sigma: float = 1.0, name: str = "v") -> Model:
        builder = Builder().data(name, values).rv("m", "Normal", sigma=sigma)
        return rewrite(builder.rv("y", "Normal", mu="m", observed=name).build()).model

    first = log_density_function(model([1.0, 2.0]))
    assert first.identity == log_density_function(model([3.0, -2.0])).identity
    others = [model([1.0, 2.0], sigma=2.0), model([1.0, 2.0], name="w")]
    known = {first.identity, *(log_density_function(other).identity for other in others)}
    known |= {constrain_function(model([1.0, 2.0]), names).identity for names in ([], ["m"])}
    known |= {pointwise_function(source, model([1.0, 2.0]))[0].identity for source in others}
    assert len(known) == 7


def test_values_cost_no_densities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a density in Python, a draw's values would else be another evaluation."""
    calls: list[float] = []
    monkeypatch.setattr(slow_density.time, "sleep", calls.append)
    model = rewrite(Builder().rv("x", Custom, function="tests.chaos.slow_density:log_density").build()).model
    position = np.array([0.5])
    constrain, density = constrain_function(model, ["x"]), log_density_function(model)
    assert constrain(position) == (0.5,)
    assert not calls
    density(position)
    assert calls
