"""Series as their innovations and what follows from them; that densities agree, `test_conformance` shows as well."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.distributions import AR, DISTRIBUTIONS, GaussianRandomWalk, MvGaussianRandomWalk, Normal
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.expressions import Constant
from exmc.ir.nodes import Deterministic, RandomVariable
from exmc.rewrite.noncenter import noncenter
from exmc.rewrite.run import report_text, rewrite
from tests.distributions.examples import EXAMPLES
from tests.rewrite.densities import draw, log_joint, mapped

SERIES = [name for name, row in DISTRIBUTIONS.items() if row.recurrence is not None]
CASES = [pytest.param(e, id=f"{name}-{i}") for name in SERIES for i, e in enumerate(EXAMPLES[name])]


def walk(**more: object) -> Builder:
    return (
        Builder()
        .coords(day=[1, 2, 3])
        .rv("sigma", "HalfNormal")
        .rv("x", GaussianRandomWalk(0.0, "sigma", Normal(0.0, "sigma")), dims="day", centering="noncentered", **more)
    )


def test_there_are_three_families() -> None:
    assert SERIES == ["GaussianRandomWalk", "MvGaussianRandomWalk", "AR"]


@pytest.mark.parametrize("example", CASES)
def test_every_family_is_what_its_innovations_make(example: object) -> None:
    """Of the length of its example, and of three places more."""
    for extra in (0, 3):
        shape = (example.event[0] + extra, *example.event[1:])
        source = Builder().rv("x", example.given, shape=shape, centering="noncentered").build()
        result, _ = noncenter(source)
        assert check(result)["x"] == check(source)["x"]
        assert not any(v.name == "x" for v in result.free)
        for seed in range(3):
            free = draw(source, seed)
            point, jacobian = mapped(source, result, free)
            assert log_joint(result, point) == pytest.approx(log_joint(source, free) + jacobian, rel=1e-9)


def test_a_walk_is_a_cumulative_sum_and_the_report_says_so() -> None:
    text = report_text(rewrite(walk().build()))
    steps = "cumsum(concatenate(expand_dims(sigma * x_start_raw, axis=0), sigma * x_raw, axis=0), axis=0)"
    assert f"x: non-centred: x = {steps}, because it is asked for." in text
    result = rewrite(walk().build()).model
    assert [n.name for n in result] == ["sigma", "x_start_raw", "x_raw", "x"]
    assert check(result)["x"].dims == ("day",)
    assert check(result)["x_raw"].shape == (2,)


def test_what_an_autoregression_needs_on_the_way_is_not_kept() -> None:
    source = Builder().rv("x", AR([0.5, 0.1], 1.0, 0.0, Normal(0.0, 1.0)), shape=6, centering="noncentered").build()
    result, _ = noncenter(source)
    assert [n.name for n in result] == ["x_start", "x_raw", "x_later", "x"]
    assert [n.keep for n in result if isinstance(n, Deterministic)] == [False, True]
    assert all(n.auxiliary for n in result if isinstance(n, RandomVariable))


def test_names_that_are_taken_are_left_alone() -> None:
    source = walk().rv("x_raw", "Normal").rv("x_start_raw", "Normal").build()
    result, _ = noncenter(source)
    assert {"x_raw", "x_raw_", "x_start_raw", "x_start_raw_"} <= {v.name for v in result.free}


def test_a_start_of_known_location_and_scale_is_sampled_as_it_is() -> None:
    source = (
        Builder().rv("x", GaussianRandomWalk(0.0, 1.0, Normal(3.0, 10.0)), shape=4, centering="noncentered").build()
    )
    result, _ = noncenter(source)
    assert result["x_start"].call.arguments == {"mu": Constant(3.0), "sigma": Constant(10.0)}
    assert not check(result)["x_start"].shape


def several_walks(**more: object) -> Builder:
    law = MvGaussianRandomWalk(chol=np.eye(2), init_dist=Normal(0.0, 1.0))
    return Builder().rv("x", law, shape=(2, 3, 2), **more)


def test_several_walks_of_vectors_stay_and_cannot_be_asked() -> None:
    source = several_walks().build()
    assert noncenter(source) == (source, ())
    with pytest.raises(ModelError, match="cannot be non-centred") as caught:
        noncenter(several_walks(centering="noncentered").build())
    assert caught.value.where == ("variables", "x", "centering")


def test_observed_series_are_left() -> None:
    source = (
        Builder()
        .rv("rho", "Normal", shape=1)
        .rv("y", AR("rho", 1.0, 0.0, Normal(0.0, 1.0)), observed=[1.0, 2.0, 0.5])
        .build()
    )
    assert noncenter(source) == (source, ())
