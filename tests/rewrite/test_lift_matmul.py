"""Observations of linear maps of random vectors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import Reference, ref
from exmc.rewrite.lift_affine import lift_affine
from exmc.rewrite.lift_matmul import lift_matmul
from exmc.rewrite.run import rewrite
from tests.rewrite.densities import all_values, log_joint
from tests.rewrite.models import MATRIX, matrix


def test_the_observation_is_solved_for_the_vector() -> None:
    source = matrix().build()
    assert lift_affine(source) == (source, ())
    result, changes = lift_matmul(source)
    observation = result["o"]
    assert observation.joint
    assert observation.value == ref("A_inverse") @ (ref("seen") - ref("c"))
    assert np.array_equal(result.data["A_inverse"].values, np.linalg.inv(MATRIX))
    assert result["z"].expression == Reference("o")
    assert [c.variable for c in changes] == ["o"]


@pytest.mark.parametrize("text", ["A @ z + c", "c - (s * (A @ (-z / 2))) * s", "z @ A + c"])
def test_the_density_is_that_of_the_map_of_a_normal_vector(text: str) -> None:
    """A linear map of independent normals is multivariate normal; scipy knows its density."""
    source = (
        Builder()
        .data("A", MATRIX)
        .data("seen", [1.0, 2.0, -0.5])
        .rv("c", "Normal", shape=3)
        .rv("s", "HalfNormal")
        .rv("z", "Normal", mu=[0.0, 1.0, 2.0], sigma=1.5, shape=3)
        .det("y", text)
        .obs("o", "y", "seen")
    ).build()
    result = rewrite(source, {"lift_matmul": lift_matmul}).model
    c, s = np.array([0.3, -0.2, 1.0]), 1.7
    full = {"A @ z + c": MATRIX, "z @ A + c": MATRIX.T}.get(text, MATRIX * s * s / 2)
    cover = 1.5**2 * full @ full.T
    exact = scipy.stats.multivariate_normal.logpdf([1.0, 2.0, -0.5], c + full @ [0.0, 1.0, 2.0], cover)
    prior = scipy.stats.norm.logpdf(c).sum() + scipy.stats.halfnorm.logpdf(s)
    assert log_joint(result, {"c": c, "s": s}) == pytest.approx(prior + exact, rel=1e-10)
    assert np.allclose(all_values(result, {"c": c, "s": s})["y"], [1.0, 2.0, -0.5])


def test_an_inverse_is_stored_once_and_gets_a_free_name() -> None:
    build = Builder().data("A", MATRIX).data("A_inverse", [1.0])
    for name in ("u", "v"):
        build.rv(name, "Normal", shape=3).det(f"y_{name}", f"A @ {name}").obs(f"o_{name}", f"y_{name}", np.ones(3))
    result, _ = lift_matmul(build.build())
    assert [n for n in result.data if "inverse" in n] == ["A_inverse", "A_inverse_"]


def two() -> Builder:
    return Builder().data("A", MATRIX).rv("z", "Normal", shape=3)


REFUSALS = {
    "mask": (
        two().det("y", "A @ z").obs("o", "y", np.ones(3), mask=[True, False, True]),
        "a mask cannot leave out elements",
    ),
    "weights": (
        two().det("y", "A @ z").obs("o", "y", np.ones(3), weight=[1.0, 2.0, 1.0]),
        "only one weight in common",
    ),
    "not square": (
        Builder().data("B", np.ones((3, 2))).rv("z", "Normal", shape=2).det("y", "B @ z").obs("o", "y", np.ones(3)),
        r"'z' has shape \(2,\) and the values have shape \(3,\)",
    ),
    "a random matrix": (
        Builder()
        .rv("B", "Normal", shape=(3, 3))
        .rv("z", "Normal", shape=3)
        .det("y", "B @ z")
        .obs("o", "y", np.ones(3)),
        "the matrix B depends on variables",
    ),
    "twice": (two().det("y", "A @ z + z").obs("o", "y", np.ones(3)), "cannot be solved for 'z'"),
    "a function": (two().det("y", "exp(A @ z)").obs("o", "y", np.ones(3)), "cannot be solved for 'z'"),
    "factor 0": (two().det("y", "0.0 * (A @ z)").obs("o", "y", np.ones(3)), "the factor 0.0 is 0"),
    "a matrix": (
        Builder().data("A", MATRIX).rv("z", "Normal", shape=(3, 3)).det("y", "A @ z").obs("o", "y", np.ones((3, 3))),
        "not a vector",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_lifted(case: str) -> None:
    build, fragment = REFUSALS[case]
    with pytest.raises(ModelError, match=fragment) as caught:
        rewrite(build.build())
    assert caught.value.where == ("variables", "o", "observed")


@pytest.mark.parametrize("bad", [np.ones((3, 3)), np.diag([1.0, 1.0, 1e-9]), np.zeros((3, 3))])
def test_matrices_without_a_usable_inverse(bad: np.ndarray) -> None:
    model = Builder().data("A", bad).rv("z", "Normal", shape=3).det("y", "A @ z").obs("o", "y", np.ones(3)).build()
    with pytest.raises(ModelError, match="condition number") as caught:
        rewrite(model)
    assert caught.value.where == ("data", "A")


def test_a_scalar_weight_multiplies_the_joint_density() -> None:
    model = two().det("y", "A @ z").obs("o", "y", np.ones(3), weight=2.0).build()
    plain = two().det("y", "A @ z").obs("o", "y", np.ones(3)).build()
    assert log_joint(rewrite(model).model, {}) == pytest.approx(2.0 * log_joint(rewrite(plain).model, {}))
