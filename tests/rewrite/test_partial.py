"""The partially centred form: its density for every family and weight, and what of it is data."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.kernel import Kernel, compile_density
from exmc.compile.layout import layout_digest
from exmc.compile.logp import log_density_function
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.expressions import Constant
from exmc.ir.model import Model
from exmc.ir.nodes import RandomVariable
from exmc.ir.text import expression_text
from exmc.rewrite.default_transforms import default_transforms
from exmc.rewrite.noncenter import noncenter
from exmc.rewrite.partial import Weights, split_partially
from tests.rewrite.densities import draw, log_joint
from tests.rewrite.models import LOCATION_SCALE, location_scale, schools

WEIGHTS = np.array([0.0, 0.3, 1.0])
CENTRE = np.array([3.0, -2.0, 1.0])


def split(source: Model, name: str, weights: Weights) -> Model:
    """`source` with its variable `name` partially centred."""
    node = source[name]
    assert isinstance(node, RandomVariable)
    parts = split_partially(node, weights, source, check(source)[name])
    nodes = [new for n in source.nodes for new in ((parts.variable, parts.computed) if n is node else (n,))]
    return Model(tuple(nodes), {**source.data, **{d.name: d for d in parts.data}}, source.coords)


@pytest.mark.parametrize("name", LOCATION_SCALE)
def test_density_of_every_family_at_every_weight(name: str) -> None:
    """At random points: that of the source and the Jacobian tau / (tau / t)^w of each element."""
    source = location_scale(name).build()
    result = split(source, "x", Weights(WEIGHTS, 0.7, CENTRE))
    for seed in range(5):
        free = draw(source, seed)
        width = (free["t"] / 0.7) ** WEIGHTS
        standard = (free["x"] - free["m"]) / free["t"]
        point = {"m": free["m"], "t": free["t"], "x_partial": WEIGHTS * (free["m"] - CENTRE) / 0.7 + width * standard}
        expected = log_joint(source, free) + float(np.sum(np.log(free["t"] / width)))
        assert log_joint(result, point) == pytest.approx(expected, rel=1e-11)


def test_what_is_constant_is_left_out() -> None:
    base = Builder().rv("m", "Normal").rv("t", "HalfNormal")
    base.rv("x", "Normal", mu=1.5, sigma="t", shape=3).rv("z", "Normal", mu="m", sigma=2.0, shape=3)
    source = base.build()
    result = split(source, "x", Weights(WEIGHTS, 0.7, CENTRE))
    assert expression_text(result["x"].expression) == "1.5 + t * (x_partial / exp(x_weight * log(t / x_typical)))"
    result = split(source, "z", Weights(WEIGHTS, 0.7, CENTRE))
    assert expression_text(result["z"].expression) == "m + 2.0 * (z_partial - z_weight * ((m - z_centre) / z_typical))"
    assert result["z_partial"].call.arguments["sigma"] == Constant(1.0)


def test_names_that_are_taken() -> None:
    source = schools().rv("theta_partial", "Normal").data("theta_weight", 1.0).build()
    result = split(source, "theta", Weights(np.full(8, 0.5), 2.0, np.zeros(8)))
    check(result)
    assert {"theta_partial_", "theta_weight_", "theta_typical"} <= {n.name for n in result} | set(result.data)


def test_other_weights_need_no_other_machine_code_and_positions_keep_their_layout() -> None:
    source = schools(3.0).build()
    kernels, layouts = [], []
    for weight in (0.2, 0.9):
        model, _ = default_transforms(
            split(source, "theta", Weights(np.full(8, weight), 4.0 * weight, np.full(8, 5.0 * weight)))
        )
        function = log_density_function(model)
        kernels.append(compile_density(function, 10))
        layouts.append(layout_digest(model))
        position = np.linspace(-0.5, 0.5, 10)
        assert kernels[-1].load()(position)[0] == pytest.approx(float(function(position)), rel=1e-12)
    first, second = kernels
    assert isinstance(first, Kernel)
    assert isinstance(second, Kernel)
    assert first.digest == second.digest
    assert layouts[0] == layouts[1]
    whole = default_transforms(noncenter(schools(3.0, "noncentered").build())[0])[0]
    assert layouts[0] != layout_digest(whole)
