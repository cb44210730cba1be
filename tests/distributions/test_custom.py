"""A density of the user's own: what it may be, and what is said when it is not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import exmc
from exmc.compile.logp import log_density_function
from exmc.distributions import Custom
from exmc.errors import CompileError, ModelError
from exmc.ir.builder import Builder
from exmc.rewrite.run import rewrite
from tests.distributions.rows import law

OWN = "tests.distributions.own_density"


def test_bounds_and_supports() -> None:
    assert law(Custom(f"{OWN}:log_density", lower=0.0, scale=1.0)).form.transform == "lower"
    assert law(Custom(f"{OWN}:log_density", lower=0.0, upper=2.0, scale=1.0)).bounds == (0.0, 2.0)
    assert law(Custom(f"{OWN}:log_density", support="positive", scale=1.0)).form.transform == "log"
    assert law(Custom(f"{OWN}:of_vectors", support="simplex", scale=1.0)).form.rank == 1
    with pytest.raises(ModelError, match="takes no bounds"):
        law(Custom(f"{OWN}:log_density", support="positive", lower=0.0)).form  # noqa: B018


def test_a_wrong_shape_names_the_variable_and_both_shapes() -> None:
    model = Builder().rv("x", Custom(f"{OWN}:total"), shape=3).build()
    with pytest.raises(ModelError, match=r"variables\.x: .*:total returned .* \(\) for values of shape \(3,\).*\(3,\)"):
        log_density_function(rewrite(model).model)(np.zeros(3))


def test_what_autograd_cannot_follow_is_said() -> None:
    with pytest.raises(CompileError, match=r"variables\.x: The function takes float\(\)"):
        exmc.sample(Builder().rv("x", Custom(f"{OWN}:undifferentiable")), draws=10, warmup=10, chains=1)


def test_a_parameter_that_it_does_not_know() -> None:
    model = Builder().rv("x", Custom(f"{OWN}:log_density", scal=1.0)).build()
    with pytest.raises(ModelError, match=r"variables\.x: .*TypeError.*scal"):
        log_density_function(rewrite(model).model)(np.zeros(1))


def test_draws_are_of_the_function_that_is_named() -> None:
    found = law(Custom(f"{OWN}:log_density", draw=f"{OWN}:draw", scale=2.0)).draw(np.random.default_rng(1), (2000,))
    assert scipy.stats.kstest(found, scipy.stats.logistic(0.0, 2.0).cdf).pvalue > 1e-4
    with pytest.raises(ModelError, match="has no draws"):
        law(Custom(f"{OWN}:log_density", scale=2.0)).draw(np.random.default_rng(1), (2,))
    with pytest.raises(ModelError, match=r"short_draw returned an array of shape \(2,\), not \(2, 3\)"):
        law(Custom(f"{OWN}:log_density", draw=f"{OWN}:draw", scale=np.ones(2))).distribution.draw(
            np.random.default_rng(1), (2, 3), function="f", draw=f"{OWN}:short_draw"
        )
