"""The fit without pooling, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.rewrite.surface import Surface
from exmc.rewrite.unpooled import unpooled_fit


def fitted(build: Builder, *names: str) -> dict[str, np.ndarray]:
    model = build.build()
    return unpooled_fit([names] if names else [], Surface(model, infer_types(model)))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_noise_is_estimated_with_the_degrees_of_freedom_that_the_groups_leave(scale: float) -> None:
    """Restricted maximum likelihood of a one-way layout: the mean square within groups, not the mean of squares."""
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 4)
    seen = scale * (generator.normal(size=20)[group] + generator.normal(size=80))
    means = np.bincount(group, seen) / 4.0
    within = np.sum((seen - means[group]) ** 2)
    build = Builder().data("g", group).rv("s", "HalfFlat").rv("tau", "HalfNormal")
    build.rv("a", "Normal", sigma="tau", shape=20).rv("y", "Normal", mu="a[g]", sigma="s", observed=seen)
    free = fitted(build, "a")
    assert np.allclose(free["a"], means, rtol=1e-4, atol=1e-4 * scale)
    # HalfFlat on the log scale adds one count to the exponent: the mode of log s has 60 - 1 degrees of freedom.
    expected = 0.5 * np.log(within / 59.0)
    assert float(free["s"]) == pytest.approx(expected, abs=0.02)
    assert abs(float(free["s"]) - 0.5 * np.log(within / 80.0)) > 0.1


def test_regression_coefficients_take_part() -> None:
    generator = np.random.default_rng(1)
    X = generator.normal(size=(200, 3))
    seen = X @ [1.0, -2.0, 3.0] + 5.0 + 0.1 * generator.normal(size=200)
    build = Builder().data("X", X).rv("b", "Flat", shape=3).rv("c", "Flat").rv("s", "HalfNormal")
    free = fitted(build.rv("y", "Normal", mu="X @ b + c", sigma="s", observed=seen))
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(200)]), seen, rcond=None)[0]
    assert np.allclose([*free["b"], free["c"]], exact, atol=0.01)


def test_many_other_elements_are_a_block() -> None:
    generator = np.random.default_rng(2)
    group = np.repeat(np.arange(40), 10)
    seen = generator.normal(size=40)[group] + 0.1 * generator.normal(size=400)
    build = Builder().data("g", group).rv("b", "Normal", shape=40)
    free = fitted(build.rv("y", "Normal", mu="b[g]", sigma=0.1, observed=seen))
    assert np.allclose(free["b"], np.bincount(group, seen) / 10.0, atol=1e-6)


def test_what_the_likelihood_does_not_depend_on_stays_at_the_origin() -> None:
    build = Builder().rv("m", "Normal", mu=3.0).rv("a", "Normal", mu="m").rv("y", "Normal", mu="a", observed=1.0)
    free = fitted(build, "a")
    assert float(free["m"]) == 0.0
    assert float(free["a"]) == pytest.approx(1.0)
