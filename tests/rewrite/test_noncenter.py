"""Which hierarchical variables are non-centred, into what, and why."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.expressions import Constant, ref
from exmc.ir.nodes import Call, Deterministic, RandomVariable
from exmc.rewrite.noncenter import noncenter
from tests.rewrite.densities import draw, log_joint
from tests.rewrite.models import LOCATION_SCALE, location_scale, nested, schools


def test_a_standard_variable_and_a_deterministic_in_its_place() -> None:
    source = schools().build()
    result, changes = noncenter(source)
    assert [n.name for n in result] == ["mu", "tau", "theta_raw", "theta", "y"]
    standard = Call("Normal", (("mu", Constant(0.0)), ("sigma", Constant(1.0))))
    assert result["theta_raw"] == RandomVariable("theta_raw", standard, ("school",), (8,), auxiliary=True)
    assert result["theta"] == Deterministic("theta", ref("mu") + ref("tau") * ref("theta_raw"), ("school",))
    assert check(result)["theta"] == check(source)["theta"]
    assert [(c.variable, c.what) for c in changes] == [("theta", "non-centred: theta = mu + tau * theta_raw")]


def test_density_differs_by_the_logarithm_of_the_scale() -> None:
    source = schools().build()
    result, _ = noncenter(source)
    free = draw(source, 3)
    raw = (free["theta"] - free["mu"]) / free["tau"]
    point = {"mu": free["mu"], "tau": free["tau"], "theta_raw": raw}
    expected = log_joint(source, free) + 8.0 * np.log(free["tau"])
    assert log_joint(result, point) == pytest.approx(expected, rel=1e-12)


def test_eight_schools_are_noncentered_and_ten_times_the_effects_are_not() -> None:
    assert "theta_raw" in noncenter(schools().build())[0]
    result, changes = noncenter(schools(10.0).build())
    assert "theta_raw" not in result
    assert result["theta"].centering == "centered"
    assert [(c.variable, c.what) for c in changes] == [("theta", "stays centred")]
    assert "the data tell its elements better" in changes[0].why


def test_three_times_the_effects_are_centered_in_part() -> None:
    source = schools(3.0).build()
    result, changes = noncenter(source)
    assert [n.name for n in result] == ["mu", "tau", "theta_partial", "theta", "y"]
    assert check(result)["theta"] == check(source)["theta"]
    (change,) = changes
    low, high = (f"{f(result.data['theta_weight'].values):.2g}" for f in (np.min, np.max))
    assert change.what.startswith(f"centred in part, by weights from {low} to {high} (median ")
    assert noncenter(result) == (result, ())


def test_what_is_asked_for_is_done() -> None:
    for factor in (3.0, 10.0):
        assert "theta_raw" in noncenter(schools(factor, "noncentered").build())[0]
    for factor in (1.0, 3.0):
        source = schools(factor, "centered").build()
        assert noncenter(source) == (source, ())


@pytest.mark.parametrize("centering", ["auto", "noncentered"])
def test_constant_location_and_scale_are_left(centering: str) -> None:
    source = (
        Builder().data("m", [1.0, 2.0]).det("s", "2.0").rv("x", "Normal", mu="m", sigma=2.0, centering=centering)
    ).build()
    assert noncenter(source) == (source, ())


def test_shapes_and_other_parameters_are_kept() -> None:
    source = nested().build()
    result, _ = noncenter(source)
    types, before = check(result), check(source)
    for name in ("r", "theta", "only_scale", "only_location"):
        assert types[name] == before[name]
        assert types[f"{name}_raw"].shape == before[name].shape
    assert result["r_raw"].call.arguments == {"nu": Constant(5.0), "mu": Constant(0.0), "sigma": Constant(1.0)}
    assert result["only_scale"].expression == 1.0 + ref("t") * ref("only_scale_raw")
    assert result["only_location"].expression == ref("m") + 2.0 * ref("only_location_raw")
    assert isinstance(result["plain"], RandomVariable)


def test_the_auxiliary_name_is_free() -> None:
    source = schools().rv("theta_raw", "Normal").build()
    result, _ = noncenter(source)
    assert result["theta"].expression == ref("mu") + ref("tau") * ref("theta_raw_")


def test_a_family_without_location_and_scale_cannot_be_asked() -> None:
    source = Builder().rv("t", "HalfNormal").rv("x", "Gamma", alpha=2.0, beta="t", centering="noncentered").build()
    with pytest.raises(ModelError, match="Gamma cannot be non-centred") as caught:
        noncenter(source)
    assert caught.value.where == ("variables", "x", "centering")
    assert "Normal" in caught.value.remedy


def test_observed_variables_are_left() -> None:
    source = Builder().rv("t", "HalfNormal").rv("x", "Normal", sigma="t").obs("o", "x", [1.0, 2.0]).build()
    assert noncenter(source) == (source, ())


@pytest.mark.parametrize("name", LOCATION_SCALE)
def test_every_location_scale_family(name: str) -> None:
    source = location_scale(name, "noncentered").build()
    result, _ = noncenter(source)
    free = draw(source, 1)
    point = {"m": free["m"], "t": free["t"], "x_raw": (free["x"] - free["m"]) / free["t"]}
    expected = log_joint(source, free) + 3.0 * np.log(free["t"])
    assert log_joint(result, point) == pytest.approx(expected, rel=1e-12)
