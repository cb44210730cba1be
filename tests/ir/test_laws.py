"""The operation log_density: its value, its text, and that it comes back from JSON."""

from __future__ import annotations

import numpy as np
from scipy import stats

from exmc.distributions import Normal, Truncated
from exmc.ir.builder import Builder
from exmc.ir.expressions import Reference, names_in
from exmc.ir.laws import call_in, log_density
from exmc.ir.nodes import RandomVariable
from exmc.ir.operations import evaluate, infer_type
from exmc.ir.serial import decode, encode
from exmc.ir.text import expression_text
from exmc.ir.types import ArrayType


def test_it_is_an_expression_like_others() -> None:
    model = Builder().rv("m", "Normal").rv("x", Truncated(Normal("m", 2.0), lower="m - 1"), shape=2).build()
    variable = model["x"]
    assert isinstance(variable, RandomVariable)
    made = log_density(variable.call, Reference("v"), ArrayType((2,), ("row",)))
    assert names_in(made) == ["v", "m"]
    assert call_in(made) == variable.call
    assert decode(encode(made)) == made
    assert expression_text(made) == "log_density(v, Truncated(of=Normal(mu=m, sigma=2.0), lower=m - 1))"
    assert infer_type(made, {"v": ArrayType((2,)), "m": ArrayType()}).shape == (2,)
    value = np.array([0.5, 3.0])
    expected = stats.truncnorm(-0.5, np.inf, 1.0, 2.0).logpdf(value)
    np.testing.assert_allclose(evaluate(made, {"v": value, "m": 1.0}), expected, rtol=1e-12)


def test_numbers_have_the_shape_of_the_variable() -> None:
    variable = Builder().rv("k", "Bernoulli", p=0.25, shape=(2, 3)).build()["k"]
    assert isinstance(variable, RandomVariable)
    made = log_density(variable.call, Reference("one"), ArrayType((2, 3), (None, None)))
    np.testing.assert_allclose(evaluate(made, {"one": 1}), np.full((2, 3), np.log(0.25)), rtol=1e-12)
