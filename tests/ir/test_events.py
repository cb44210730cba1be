"""Batch and event axes: what parameters say of a value, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.distributions import (
    AR,
    Custom,
    GaussianRandomWalk,
    HalfNormal,
    LKJCholeskyCov,
    Mixture,
    MvNormal,
    Normal,
    Poisson,
    Truncated,
)
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.infer import infer_types

OWN = "tests.distributions.own_density"


def built() -> Builder:
    return Builder().coords(g=["a", "b", "c"], h=["x", "y"]).data("m", [1.0, 2.0, 3.0], dims="g").data("S", np.eye(3))


def test_the_event_comes_from_the_parameters_and_the_batch_from_what_is_left() -> None:
    model = (
        built()
        .data("many", np.ones((2, 3)), dims=["h", "g"])
        .rv("one", "MvNormal", mu="m", cov="S")
        .rv("two", "MvNormal", mu="many", cov="S")
        .rv("zero", "MvNormal", cov="S")
        .rv("w", "Dirichlet", alpha="m")
        .rv("flat", "Dirichlet", alpha=1.0, dims=["h", "g"])
        .rv("L", "LKJCholesky", eta=[1.0, 2.0], shape=(2, 4, 4))
        .rv("k", "Categorical", p="flat", observed=[0, 2])
        .build()
    )
    types = infer_types(model)
    assert {n: types[n].shape for n in ("one", "two", "zero", "w", "flat", "L", "k")} == {
        "one": (3,), "two": (2, 3), "zero": (3,), "w": (3,), "flat": (2, 3), "L": (2, 4, 4), "k": (2,),
    }  # fmt: skip
    assert (types["one"].dims, types["two"].dims, types["w"].dims) == (("g",), ("h", "g"), ("g",))


def test_sizes_and_distributions_among_parameters_tell_the_event() -> None:
    model = (
        built()
        .rv("a", LKJCholeskyCov(3, 2.0, HalfNormal(1.0)))
        .rv("b", LKJCholeskyCov(eta=2.0, sd_dist=HalfNormal("m")))
        .rv("c", LKJCholeskyCov(3, 2.0, HalfNormal(np.ones((2, 3)))))
        .rv("walk", GaussianRandomWalk("m", 1.0, Normal(0, 1)), shape=(3, 7))
        .rv("series", AR([0.1, 0.2], init_dist=Normal(0, [1.0, 2.0])), shape=(2, 5))
        .rv("joint", AR([0.1, 0.2, 0.3], init_dist=MvNormal(0.0, cov="S")), shape=5)
        .build()
    )
    types = infer_types(model)
    shapes = {n: types[n].shape for n in ("a", "b", "c", "walk", "series", "joint")}
    assert shapes == {"a": (3, 3), "b": (3, 3), "c": (2, 3, 3), "walk": (3, 7), "series": (2, 5), "joint": (5,)}
    assert types["b"].dims == ("g", None)


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (
            built().rv("x", LKJCholeskyCov(2, 2.0, HalfNormal("m"))),
            r"variables\.x\.sd_dist: 'sd_dist', .* length 3 where 'n', .* length 2",
        ),
        (
            built().rv("x", LKJCholeskyCov(2, 2.0, HalfNormal(1.0)), shape=(3, 3)),
            r"variables\.x\.n: 'n', .* length 2 where the variable, .* length 3",
        ),
        (built().rv("x", LKJCholeskyCov("m", 2.0, HalfNormal(1.0))), r"variables\.x\.n: .* takes a whole number"),
        (built().rv("x", LKJCholeskyCov(0, 2.0, HalfNormal(1.0))), r"variables\.x\.n: .* takes a whole number"),
        (
            built().rv("x", LKJCholeskyCov(2, 2.0, Normal(0, 1))),
            r"variables\.x\.sd_dist: standard deviations have a distribution of positive numbers",
        ),
        (
            built().rv("x", GaussianRandomWalk(0, 1, HalfNormal(1.0)), shape=3),
            r"variables\.x\.init_dist: a series starts with a distribution of numbers on the whole real line",
        ),
        (
            built().rv("x", AR([0.1, 0.2], init_dist=Normal("m", 1)), shape=5),
            r"variables\.x\.init_dist: 'init_dist', .* length 3 where 'rho', .* length 2",
        ),
        (
            built().rv("x", "MvNormal", mu="m", cov=np.eye(2)),
            r"variables\.x\.cov: 'cov', which is of shape \(2, 2\), has length 2 "
            r"where 'mu', which is of shape \(3,\) \(g: 3\), has length 3\.",
        ),
        (
            built().rv("x", "MvNormal", mu="m", cov="S", dims=["h"]),
            r"variables\.x\.mu: .*length 3 where the variable, which is of shape \(2,\) \(h: 2\), has length 2",
        ),
        (
            built().rv("t", "Normal", shape=3, dims=["t"]).rv("x", "MvNormal", mu="m", cov="S", dims=["t"]),
            r"variables\.x\.mu: .*dim 'g' where .*dim 't'",
        ),
        (built().rv("x", "MvNormal", mu="m", cov=2.0), r"variables\.x\.cov: it takes 2 axes or more, not a scalar"),
        (built().rv("x", "Dirichlet", alpha=1.0), r"variables\.x: .*do not tell how long a value is.*dims or a shape"),
        (built().rv("x", "LKJCholesky", eta=1.0, shape=3), r"variables\.x: a value of LKJCholesky has 2 axes or more"),
        (built().rv("x", "LKJCholesky", eta=1.0, shape=(2, 3)), r"variables\.x: a matrix of shape \(2, 3\) is not sq"),
        (built().rv("x", "MvNormal", mu=np.ones((4, 3)), cov="S", shape=(2, 3)), r"variables\.x\.mu: shapes do not"),
        (
            built().rv("x", MvNormal("m", cov="S"), observed=np.ones((2, 3)), mask=[True, False, True]),
            r"variables\.x\.mask: shapes do not fit",
        ),
        (
            built().rv("x", MvNormal("m", cov="S"), observed=np.ones((2, 3)), weight=np.ones((2, 3))),
            r"variables\.x\.weight",
        ),
        (
            built().rv("x", Mixture([0.2, 0.3, 0.5], [Normal(0, 1), Normal(1, 1)])),
            r"variables\.x\.components: .*length 2 where 'weights', .* length 3",
        ),
        (
            built().rv("x", Truncated(Normal("m", 1), lower=0), shape=2),
            r"variables\.x\.of\.mu: shapes do not fit",
        ),
        (built().rv("x", "Categorical", p=0.5, observed=[0]), r"variables\.x\.p: it takes one axis or more"),
        (built().rv("x", Normal(0, 1), transform="ordered"), r"variables\.x: .*'ordered' takes vectors"),
        (
            built().rv("x", Mixture([0.5, 0.5], [Normal(0, 1), Poisson(2)])),
            r"variables\.x\.components\.1: component 1 has values of another kind",
        ),
        (built().rv("x", Truncated(MvNormal("m", cov="S"))), r"variables\.x\.of: Truncated takes .* numbers"),
        (built().rv("x", Truncated(Normal(0, -1.0), lower=0)), r"variables\.x\.of\.sigma: the value -1.0 is not"),
        (built().rv("x", Truncated(Normal(0, "q"), lower=0)), r"variables\.x\.of\.sigma: there is no variable.*'q'"),
        (built().rv("x", Truncated(Normal(0, 1), lower=2, upper=1)), r"variables\.x: .*2 is not below .*1"),
        (built().rv("x", Truncated(Normal(0, 1), lower=2), observed=[1.0]), r"observed: the value 1.0 at \[0\]"),
        (built().rv("x", "Dirichlet", alpha=[1, 1], observed=[[0.5, 0.6]]), r"observed: .*sum to 1"),
        (built().rv("x", "Categorical", p=[0.5, 0.5], observed=[2]), r"observed: the value 2 at \[0\]"),
        (built().rv("x", "MvNormal", cov=[[1, 2], [2, 1]]), r"variables\.x\.cov: .*symmetric positive definite"),
        (built().rv("x", "MvNormal", mu=0), r"variables\.x: MvNormal is given \(mu\)\. It takes \(mu, cov\) or"),
        (built().rv("x", "MvNormal", cov="S", chol="S"), r"MvNormal is given \(mu, cov, chol\)"),
        (built().rv("x", "Truncated", of=1.0), r"variables\.x\.of: Truncated takes a distribution, such as"),
        (built().rv("x", "Normal", mu=Normal(0, 1)), r"variables\.x\.mu: Normal takes a value"),
        (built().rv("x", "Dirichlet", alpha=[1, 1], transform="log"), r"variables\.x\.transform: .*Use simplex"),
        (built().rv("x", "Censored", of=Normal(0, 1)), r"variables\.x: Censored is for observations"),
        (built().rv("x", Custom("no_such_module:f")), r"variables\.x\.function: cannot import 'no_such_module'"),
        (built().rv("x", Custom(f"{OWN}:log_densty")), r"variables\.x\.function: .*Did you mean 'log_density'"),
        (built().rv("x", Custom(f"{OWN}:not_a_function")), r"variables\.x\.function: .*is not a function"),
        (built().rv("x", Custom("nonsense")), r"variables\.x\.function: 'nonsense' names no function"),
        (built().rv("x", Custom(f"{OWN}:log_density", draw="x:y")), r"variables\.x\.draw: cannot import"),
        (built().rv("x", Custom(f"{OWN}:log_density", support="positve")), r"variables\.x\.support: .*'positive'"),
        (built().rv("x", Custom(f"{OWN}:log_density", event_rank=3)), r"variables\.x\.event_rank"),
        (built().rv("x", Custom(f"{OWN}:f", support="simplex", event_rank=0)), r"variables\.x"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_its_place(builder: Builder, expected: str) -> None:
    with pytest.raises(ModelError, match=expected):
        builder.build()


def test_masks_and_weights_have_one_entry_an_event() -> None:
    model = (
        built().rv("x", MvNormal("m", cov="S"), observed=np.ones((2, 3)), mask=[True, False], weight=[1.0, 2.0]).build()
    )
    assert infer_types(model)["x"].shape == (2, 3)


def test_a_masked_event_may_be_anything() -> None:
    seen = [[0.5, 0.5], [9.0, 9.0]]
    Builder().rv("x", "Dirichlet", alpha=[1.0, 1.0], observed=seen, mask=[True, False]).build()
    with pytest.raises(ModelError, match=r"at \[1\]"):
        Builder().rv("x", "Dirichlet", alpha=[1.0, 1.0], observed=seen, mask=[False, True]).build()


def test_steps_are_one_less_than_the_series_they_lead_through() -> None:
    moves = np.full((4, 2, 2), 0.5)
    told = Builder().rv("z", "MarkovChain", initial=[0.5, 0.5], transition=moves).build()
    assert infer_types(told)["z"].shape == (5,)
    series = Builder().rv("z", "MarkovChain", initial=[0.5, 0.5], transition=moves[:, None], shape=(4, 7)).build()
    assert infer_types(series)["z"].shape == (4, 7)
    with pytest.raises(ModelError, match=r"has 4 steps, and the variable, which is of shape \(4, 7\), has 6") as raised:
        Builder().rv("z", "MarkovChain", initial=[0.5, 0.5], transition=moves, shape=(4, 7)).build()
    assert raised.value.where == ("variables", "z", "transition")
    assert "transition[:, None]" in raised.value.remedy
