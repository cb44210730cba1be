"""The contract of a distribution and the masks that its densities are made of."""

from __future__ import annotations

import dataclasses

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from exmc.distributions import Bernoulli, Normal, Poisson, Uniform
from exmc.distributions.base import Distribution, Parameter, inside, log_of_probability, masked, not_integer, valid
from exmc.errors import ModelError


def test_alternatives_default_to_all_parameters():
    assert Normal.alternatives == (("mu", "sigma"),)
    assert Bernoulli.alternatives == (("p",), ("logit",))


@pytest.mark.parametrize(
    "changes", [{"alternatives": (("mu", "tau"),)}, {"bounds": ("low",)}, {"location_scale": ("mu", "scale")}]
)
def test_names_must_be_those_of_parameters(changes):
    with pytest.raises(ModelError, match=r"none of its parameters \('mu', 'sigma'\)"):
        dataclasses.replace(Normal, **changes)


def test_a_parameter_is_found_by_name_and_a_typo_is_answered():
    assert Normal.parameter("sigma").default == 1.0
    with pytest.raises(ModelError, match="Did you mean 'sigma'"):
        Normal.parameter("sigm")


def test_check_parameters_names_the_culprit():
    Normal.check_parameters(mu=np.array([1.0, 2.0]), sigma=1.0)
    with pytest.raises(ModelError, match=r"sigma: Normal needs a positive number for 'sigma', not -2.0") as caught:
        Normal.check_parameters(mu=0.0, sigma=np.array([[1.0, -2.0]]))
    assert caught.value.where == ("sigma",)


def test_random_turns_numpy_refusals_into_model_errors():
    with pytest.raises(ModelError, match="Poisson cannot be drawn"):
        Poisson.random(np.random.default_rng(1), (2,), mu=1e300)
    with pytest.raises(ModelError, match="cannot be drawn"):
        Normal.random(np.random.default_rng(1), (2,), mu=np.zeros(3), sigma=1.0)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (1.0, 1.0), (0.0, np.array([1.0, -1.0]))])
def test_uniform_bounds_must_be_in_order(low, high):
    with pytest.raises(ModelError, match="low < high"):
        Uniform.random(np.random.default_rng(1), (2,), low=low, high=high)
    with np.errstate(all="ignore"):
        assert not np.all(np.isfinite(Uniform.log_density(np.ones(2), low=low, high=high)))
        assert not np.any(np.isposinf(Uniform.log_density(np.ones(2), low=low, high=high)))


def test_a_distribution_of_ones_own_needs_no_more_than_the_constructor():
    shifted = Distribution(
        name="Shifted",
        parameters=(Parameter("by"),),
        support=Normal.support,
        transform="identity",
        log_density=lambda value, by: Normal.log_density(value - by, mu=0.0, sigma=1.0),
        draw=lambda generator, shape, by: np.asarray(by + generator.normal(size=shape)),
    )
    assert not shifted.discrete
    assert shifted.log_cdf is None
    assert shifted.random(np.random.default_rng(1), (2, 3), by=np.arange(3.0)).shape == (2, 3)


def test_the_mask_keeps_nan_out_of_the_gradient():
    def density(x):
        outside = x < 0.0
        return anp.sum(masked(outside, anp.log(inside(outside, x, 1.0))))

    x = np.array([-1.0, 2.0])
    assert density(x) == -np.inf
    np.testing.assert_array_equal(grad(density)(x), [0.0, 0.5])


def test_not_integer():
    np.testing.assert_array_equal(
        not_integer(np.array([0.0, -2.0, 1.5, np.inf, -np.inf, np.nan])), [False, False, True, True, True, False]
    )


def test_valid_is_nan_where_illegal():
    np.testing.assert_array_equal(valid(np.array([True, False]), 1.0), [1.0, np.nan])


def test_log_of_probability_keeps_its_digits_at_both_ends():
    lower = np.array([0.0, 1e-300, 0.25, 0.75, 1.0])
    upper = np.array([1.0, 1.0, 0.75, 0.25, 1e-20])
    expected = [-np.inf, np.log(1e-300), np.log(0.25), np.log(0.75), -1e-20]
    np.testing.assert_allclose(log_of_probability(lower, upper), expected, rtol=1e-15)
    slope = grad(lambda p: log_of_probability(p, 1.0 - p))
    assert slope(0.0) == 0.0
    np.testing.assert_allclose([slope(0.2), slope(0.8)], [5.0, 1.25], rtol=1e-14)
