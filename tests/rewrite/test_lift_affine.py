"""Observations of affine functions: moved families, changes of variables, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from exmc.distributions import DISTRIBUTIONS
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import Reference, apply, ref
from exmc.ir.model import Model
from exmc.ir.nodes import NO_JACOBIAN, Call, Deterministic
from exmc.rewrite.lift_affine import lift_affine
from exmc.rewrite.run import rewrite
from tests.rewrite.densities import all_values, log_joint
from tests.rewrite.models import affine, affine_positive


def test_a_location_scale_family_absorbs_the_map() -> None:
    result, changes = lift_affine(affine("Normal", mu=0.5, sigma=2.0).build())
    observation = result["o"]
    assert observation.target == Call("Normal", (("mu", ref("mu") + ref("sigma") * 0.5), ("sigma", ref("sigma") * 2.0)))
    assert observation.value == Reference("seen")
    assert observation.log_jacobian == NO_JACOBIAN
    assert [c.variable for c in changes] == ["o"]
    assert "mu + (sigma) * z" in changes[0].why


def test_a_standard_variable_leaves_no_trace() -> None:
    result, _ = lift_affine(affine().build())
    assert result["o"].target == Call("Normal", (("mu", ref("mu")), ("sigma", ref("sigma"))))


def test_the_variable_and_the_target_can_still_be_computed() -> None:
    result, _ = lift_affine(affine().build())
    assert isinstance(result["z"], Deterministic)
    assert result["z"].dims == ("row",)
    assert not result["z"].keep
    assert not result["y"].keep
    values = all_values(result, {"mu": 0.5, "sigma": 2.0})
    assert np.allclose(values["y"], result.data["seen"].values)
    assert np.allclose(values["z"], (result.data["seen"].values - 0.5) / 2.0)


def test_any_other_family_gets_a_change_of_variables() -> None:
    result, _ = lift_affine(affine("Gamma", alpha=3.0, beta=1.0).build())
    observation = result["o"]
    assert observation.target.distribution == "Gamma"
    assert observation.value == (ref("seen") - ref("mu")) / ref("sigma")
    assert observation.log_jacobian == apply("negative", apply("log", ref("sigma")))
    free = {"mu": -3.0, "sigma": 2.0}
    seen = result.data["seen"].values
    prior = scipy.stats.norm.logpdf(-3.0, 0.0, 3.0) + scipy.stats.halfnorm.logpdf(2.0, scale=2.0)
    exact = scipy.stats.gamma.logpdf(seen, 3.0, loc=-3.0, scale=2.0).sum()
    assert log_joint(result, free) == pytest.approx(prior + exact, rel=1e-12)


def test_a_factor_of_unknown_sign_scales_by_its_magnitude() -> None:
    source = Builder().rv("b", "Normal").rv("z", "Normal", sigma=2.0).det("y", "-b * z").obs("o", "y", 1.0).build()
    result, _ = lift_affine(source)
    assert result["o"].target.arguments["sigma"] == apply("abs", -ref("b")) * 2.0
    exact = scipy.stats.norm.logpdf(0.7) + scipy.stats.norm.logpdf(1.0, 0.0, 1.4)
    assert log_joint(result, {"b": 0.7}) == pytest.approx(exact, rel=1e-12)
    assert log_joint(result, {"b": -0.7}) == pytest.approx(exact, rel=1e-12)


def test_references_to_the_observation_mean_what_was_seen() -> None:
    result, _ = lift_affine(affine_positive().build())
    assert result["again"].target.arguments["mu"] == ref("seen") + ref("mu")


def test_a_lifted_observation_with_factor_one_may_depend_on_variables() -> None:
    source = Builder().rv("m", "Normal").rv("z", "Exponential", rate=1.0).det("y", "m + z").obs("o", "y", 2.0).build()
    result = rewrite(source).model
    assert result["o"].value == 2.0 - ref("m")


@pytest.mark.parametrize("name", [n for n, d in DISTRIBUTIONS.items() if d.location_scale])
@pytest.mark.parametrize("factor", [2.5, -0.4])
def test_location_scale_families_are_closed_under_affine_maps(name: str, factor: float) -> None:
    """The claim of the table: log p(z) - log|b| is the density of a + b z, for either sign if it is symmetric."""
    distribution = DISTRIBUTIONS[name]
    if factor < 0 and not distribution.symmetric:
        pytest.skip("not symmetric")
    location, scale = distribution.location_scale
    others = {p.name: 3.0 for p in distribution.parameters if p.name not in (location, scale)}
    z = np.linspace(-4.0, 5.0, 13)
    density = distribution.log_density(z, **others, **{location: 0.7, scale: 1.3})
    moved = {location: 0.2 + factor * 0.7, scale: abs(factor) * 1.3}
    assert np.allclose(
        distribution.log_density(0.2 + factor * z, **others, **moved), density - np.log(abs(factor)), rtol=1e-12
    )


@pytest.mark.parametrize("factor", ["-0.4", "b"])
def test_a_family_that_is_not_symmetric_is_not_mirrored(factor: str) -> None:
    """Its density is that of the solved variable with a Jacobian, whatever the sign."""
    source = (
        Builder()
        .rv("b", "Normal")
        .rv("z", "Gumbel", mu=0.7, beta=1.3)
        .det("y", f"0.2 + {factor} * z")
        .obs("o", "y", 1.0)
        .build()
    )
    result, _ = lift_affine(source)
    for value in (-0.4, 0.9):
        b = float(factor) if factor != "b" else value
        exact = scipy.stats.norm.logpdf(value) + scipy.stats.gumbel_r.logpdf(0.8 / b, 0.7, 1.3) - np.log(abs(b))
        assert log_joint(result, {"b": value}) == pytest.approx(exact, rel=1e-12)


def unliftable(build: Builder) -> Model:
    model = build.build()
    assert lift_affine(model) == (model, ())
    return model


REFUSALS = {
    "no variable": (Builder().rv("m", "Normal", observed=1.0).det("y", "2 + 1").obs("o", "y", 3.0), "no continuous"),
    "used elsewhere": (
        Builder().rv("z", "Normal").rv("w", "Normal", mu="z", observed=1.0).det("y", "2 * z").obs("o", "y", 3.0),
        "used nowhere else",
    ),
    "used through a deterministic": (
        Builder()
        .rv("z", "Normal")
        .det("d", "z + 1")
        .rv("w", "Normal", mu="d", observed=1.0)
        .det("y", "2 * z")
        .obs("o", "y", 3.0),
        "used nowhere else",
    ),
    "not affine": (Builder().rv("z", "Normal").det("y", "exp(z)").obs("o", "y", 3.0), r"exp\(z\) is not an affine"),
    "square": (Builder().rv("z", "Normal").det("y", "z * z").obs("o", "y", 3.0), "not an affine"),
    "denominator": (Builder().rv("z", "Normal").det("y", "1 / z").obs("o", "y", 3.0), "not an affine"),
    "scalar for a vector": (
        Builder().rv("z", "Normal").det("y", "z + 1").obs("o", "y", [1.0, 2.0]),
        r"the values have shape \(2,\) and 'y' has shape \(\)",
    ),
    "shared": (
        Builder().data("x", [1.0, 2.0]).rv("z", "Normal").det("y", "z * x").obs("o", "y", [1.0, 2.0]),
        "no density: each value needs an element of its own",
    ),
    "factor 0": (
        Builder().rv("z", "Normal", shape=2).data("b", [1.0, 0.0]).det("y", "b * z").obs("o", "y", [1.0, 2.0]),
        "the factor of 'z' is 0",
    ),
    "cancelled": (Builder().rv("z", "Normal").det("y", "z - z").obs("o", "y", 0.0), "the factor of 'z' is 0"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_lifted_is_an_error_in_the_end(case: str) -> None:
    build, fragment = REFUSALS[case]
    model = unliftable(build)
    with pytest.raises(ModelError, match=fragment) as caught:
        rewrite(model)
    assert caught.value.where == ("variables", "o", "observed")
    assert "'y'" in caught.value.message
    assert "Observe a random variable instead" in caught.value.remedy
