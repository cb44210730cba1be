"""Observed variables become observations with a distribution; weights and masks are made plain."""

from __future__ import annotations

import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.expressions import Constant, Reference, ref
from exmc.ir.nodes import Call, Observation
from exmc.rewrite.normalize_observations import normalize_observations
from tests.rewrite.models import dims_by_shape, seed_example, weighted


def test_the_distribution_moves_into_the_observation() -> None:
    source = seed_example().build()
    result, changes = normalize_observations(source)
    assert [n.name for n in result] == ["mu", "sigma", "deviation", "x_obs", "late"]
    assert result["x_obs"] == Observation(
        "x_obs", Call("Normal", (("mu", ref("mu")), ("sigma", ref("sigma")))), Reference("x_obs_observed")
    )
    assert [c.variable for c in changes] == ["x"]


def test_references_become_the_observed_values() -> None:
    result, _ = normalize_observations(seed_example().build())
    assert result["deviation"].expression == ref("x_obs") - ref("mu")
    assert result["late"].target.arguments["mu"] == 2 * ref("x_obs")


def test_a_transform_of_an_observed_variable_leaves_with_it() -> None:
    """eXMC transformed observed variables, and the Jacobian leaked into the likelihood."""
    source = Builder().rv("s", "HalfNormal", transform="log").obs("o", "s", [1.0]).build()
    result, _ = normalize_observations(source)
    assert [type(n) for n in result] == [Observation]


def test_weights_and_masks_without_effect_are_dropped() -> None:
    source = weighted().build()
    result, changes = normalize_observations(source)
    assert (result["a"].weight, result["a"].mask, result["b"].weight) == (None, None, None)
    assert result["c"] == source["c"]
    assert result["d"] == source["d"]
    assert [c.variable for c in changes] == ["a", "a", "b"]


def test_observations_of_deterministics_are_left() -> None:
    source = Builder().rv("x", "Normal").det("y", "x + 1").obs("o", "y", 2.0).build()
    assert normalize_observations(source) == (source, ())


@pytest.mark.parametrize(
    ("arguments", "key", "fragment"),
    [
        ({"weight": -1.0}, "weight", "a weight is -1.0"),
        ({"weight": [1.0, -0.5]}, "weight", "a weight is -0.5"),
        ({"weight": "1 / (v - v)"}, "weight", "a weight is inf"),
        ({"weight": "m"}, "weight", "must be data"),
        ({"mask": [1, 0]}, "mask", "must hold true and false"),
        ({"mask": Constant(1)}, "mask", "mask != 0"),
        ({"mask": "m > 0"}, "mask", "must be data"),
    ],
)
def test_weights_and_masks_that_mean_nothing(arguments: dict[str, object], key: str, fragment: str) -> None:
    model = Builder().data("v", [1.0, 2.0]).rv("m", "HalfNormal").rv("y", "Normal", observed="v", **arguments).build()
    with pytest.raises(ModelError, match=fragment) as caught:
        normalize_observations(model)
    assert caught.value.where == ("variables", "y", key)


def test_dims_stay_with_the_observation_and_keep_their_sizes() -> None:
    source = dims_by_shape().build()
    result, _ = normalize_observations(source)
    assert check(source)["x_obs"].dims == check(result)["x_obs"].dims == ("row",)
    assert dict(result.coords) == {"row": (0, 1)}
