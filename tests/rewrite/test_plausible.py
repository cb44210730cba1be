"""The scale that a population has before there are data, against closed forms."""

from __future__ import annotations

import pytest

from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types
from exmc.ir.nodes import RandomVariable
from exmc.rewrite.plausible import usual_scale
from exmc.rewrite.surface import Surface


def usual(build: Builder) -> float | None:
    """Of the scale of `a`."""
    model = build.rv("a", "Normal", sigma="2 * s", shape=3).rv("y", "Normal", mu="a", observed=[1.0, 2.0, 3.0]).build()
    (variable,) = (v for v in model.free if v.name == "a")
    assert isinstance(variable, RandomVariable)
    return usual_scale(variable.call.arguments["sigma"], Surface(model, infer_types(model)))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_it_is_where_the_logarithm_of_a_scale_is_most_probable(scale: float) -> None:
    """s p(s) is largest at `scale` for both: exp(-s^2 / 2) s has its maximum at 1, s / (1 + s^2), too."""
    assert usual(Builder().rv("s", "HalfNormal", sigma=scale)) == pytest.approx(2.0 * scale, rel=0.1)
    assert usual(Builder().rv("s", "HalfCauchy", beta=scale)) == pytest.approx(2.0 * scale, rel=0.1)


def test_where_anything_goes_nothing_is_usual() -> None:
    found = usual(Builder().rv("s", "HalfFlat"))
    assert found is None or found > 1e6
