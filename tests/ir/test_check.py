"""Every rule that a valid model keeps, broken once: the error's kind, place and words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from exmc.errors import DataError, ExpressionError, ModelError
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.expressions import Constant, apply, ref
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable

NORMAL = Call("Normal", (("mu", Constant(0.0)), ("sigma", Constant(1.0))))


def built(*steps: Callable[[Builder], Builder]) -> Model:
    builder = Builder()
    for step in steps:
        step(builder)
    return builder.build()


FAULTS = {
    "twice": (lambda b: b.rv("x", "Normal").rv("x", "Normal"), ("variables", "x"), "used twice"),
    "twice, data": (lambda b: b.data("x", [1.0]).rv("x", "Normal"), ("variables", "x"), "used twice"),
    "no name": (lambda b: b.rv("x y", "Normal"), ("variables", "x y"), "not a name"),
    "keyword": (lambda b: b.rv("lambda", "Normal"), ("variables", "lambda"), "Call it lambda_"),
    "private": (lambda b: b.rv("__x", "Normal"), ("variables", "__x"), "cannot stand in an expression"),
    "reserved": (lambda b: b.rv("chain", "Normal"), ("variables", "chain"), "reserved"),
    "a dim": (lambda b: b.coords(g=["a"]).rv("g", "Normal"), ("variables", "g"), "also that of a dim"),
    "dim name": (lambda b: b.coords(draw=["a"]), ("coords", "draw"), "cannot be the name"),
    "labels": (lambda b: b.coords(g=["a", "b", "a"]), ("coords", "g"), "'a' appears twice"),
    "unknown": (
        lambda b: b.rv("theta", "Normal").rv("x", "Normal", mu="teta + 1"),
        ("variables", "x", "mu"),
        "Did you mean 'theta'",
    ),
    "unknown target": (lambda b: b.obs("o", "x", [1.0]), ("variables", "o", "target"), "no variable or data"),
    "observed data": (
        lambda b: b.data("x", [1.0]).obs("o", "x", [1.0]),
        ("variables", "o", "observed"),
        "could be observed",
    ),
    "observed twice": (
        lambda b: b.rv("x", "Normal").obs("o", "x", [1.0]).obs("p", "x", [2.0]),
        ("variables", "p", "observed"),
        "observed twice",
    ),
    "loose": (
        lambda b: b.rv("x", "Normal").rv("y", "Normal", observed="2 * x"),
        ("variables", "y", "observed"),
        "depend on the variable 'x'",
    ),
    "distribution": (lambda b: b.rv("x", "Norml"), ("variables", "x", "dist"), "Did you mean 'Normal'"),
    "parameter": (lambda b: b.rv("x", "Normal", sd=1.0), ("variables", "x", "sd"), "no parameter 'sd'"),
    "missing": (lambda b: b.rv("x", "StudentT"), ("variables", "x"), r"It takes \(nu, mu, sigma\)"),
    "both": (
        lambda b: b.rv("x", "Bernoulli", p=0.5, logit=0.0, observed=1),
        ("variables", "x"),
        r"\(p\) or \(logit\)",
    ),
    "discrete": (lambda b: b.rv("x", "Poisson", mu=1.0), ("variables", "x"), "is not observed"),
    "transform": (lambda b: b.rv("x", "Normal", transform="logg"), ("variables", "x", "transform"), "'log'"),
    "centering": (lambda b: b.rv("x", "Normal", centering="non"), ("variables", "x", "centering"), "'non'"),
    "dims": (lambda b: b.rv("x", "Normal", dims="g"), ("variables", "x", "dims"), "no coordinates and no data"),
    "dims and shape": (
        lambda b: b.coords(g=["a", "b"]).rv("x", "Normal", dims="g", shape=3),
        ("variables", "x", "dims"),
        "given as 3, but the dim has size 2",
    ),
    "two shapes of a dim": (
        lambda b: b.rv("x", "Normal", dims="g", shape=3).rv("y", "Normal", dims="g", shape=2),
        ("variables", "y", "dims"),
        "given as 2, but the dim has size 3",
    ),
    "rank": (
        lambda b: b.rv("x", "Normal", dims=("a", "b"), shape=3),
        ("variables", "x", "dims"),
        "do not match the shape",
    ),
    "parameter shape": (
        lambda b: b.coords(g=["a", "b"]).rv("x", "Normal", mu=[1.0, 2.0, 3.0], dims="g"),
        ("variables", "x", "mu"),
        "do not fit",
    ),
    "parameter rank": (
        lambda b: b.data("y", 1.0).rv("x", "Normal", mu=[1.0, 2.0], observed="y"),
        ("variables", "x", "mu"),
        "does not fit the variable",
    ),
    "parameter dims": (
        lambda b: b.coords(g=["a", "b"], h=["c", "d"]).rv("m", "Normal", dims="h").rv("x", "Normal", mu="m", dims="g"),
        ("variables", "x", "mu"),
        "dims 'h' and 'g' meet",
    ),
    "deterministic dims": (
        lambda b: b.coords(g=["a", "b"]).rv("m", "Normal").det("x", "m + 1", dims="g"),
        ("variables", "x", "dims"),
        "do not fit a value a scalar",
    ),
    "observed dims": (
        lambda b: b.coords(g=["a", "b"]).rv("x", "Normal", dims="g").obs("o", "x", [1.0, 2.0, 3.0]),
        ("variables", "o", "observed"),
        "do not fit the variable 'x'",
    ),
    "weight": (
        lambda b: b.rv("x", "Normal", observed=[1.0, 2.0], weight=[1.0, 1.0, 1.0]),
        ("variables", "x", "weight"),
        "do not fit",
    ),
    "float index": (
        lambda b: b.rv("a", "Normal", shape=2).data("i", [0.0, 1.0]).det("x", "a[i]"),
        ("variables", "x", "expr"),
        "whole numbers",
    ),
    "operands": (
        lambda b: b.rv("a", "Normal").det("x", apply("exp", ref("a"), ref("a"))),
        ("variables", "x", "expr"),
        "takes 1 operands",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_model_errors(case: str) -> None:
    step, where, fragment = FAULTS[case]
    with pytest.raises(ModelError, match=fragment) as caught:
        built(step)
    assert caught.value.where == where


DATA_FAULTS = {
    "length": (
        lambda b: b.coords(g=["a", "b"]).data("x", [1.0], dims="g"),
        ("data", "x"),
        "1 values along dim 'g', which has size 2",
    ),
    "two data": (
        lambda b: b.data("x", [1.0], dims="g").data("y", [1.0, 2.0], dims="g"),
        ("data", "y"),
        "which has size 1",
    ),
    "NaN": (lambda b: b.data("x", [[1.0, np.nan]]), ("data", "x"), r"at \[0, 1\] is missing"),
    "missing covariate": (
        lambda b: b.data("x", [1.0, np.nan]).rv("y", "Normal", mu="x", sigma=1.0, observed=[0.0, 1.0]),
        ("data", "x"),
        r"at \[1\] is missing \(NaN\), and 'y' depends on it.*distribution",
    ),
    "nothing seen": (
        lambda b: b.rv("y", "Normal", mu=0.0, sigma=1.0, observed=[np.nan]),
        ("variables", "y", "observed"),
        "1 of 1 values are missing: nothing is seen",
    ),
    "missing counts in use": (
        lambda b: b.rv("k", "Poisson", mu=1.0, observed=[1.0, np.nan]).rv(
            "y", "Normal", mu="k", sigma=1.0, observed=[0.0, 1.0]
        ),
        ("variables", "k", "observed"),
        "Poisson is discrete, and others depend on it",
    ),
    "part of a simplex": (
        lambda b: b.rv("p", "Dirichlet", alpha=[1.0, 1.0], observed=[[0.5, np.nan], [0.5, 0.5]]),
        ("variables", "p", "observed"),
        "1 of 4 values are missing and are parts of vectors",
    ),
    "missing, of a deterministic": (
        lambda b: b.rv("z", "Normal", shape=2).det("d", "2 * z").obs("o", "d", [1.0, np.nan]),
        ("variables", "o", "observed"),
        "of a deterministic",
    ),
    "name taken": (
        lambda b: b.rv("y_missing", "Normal").rv("y", "Normal", observed=[1.0, np.nan]),
        ("variables", "y", "observed"),
        "'y_missing' is taken",
    ),
    "infinite": (lambda b: b.data("x", np.inf), ("data", "x"), "inf"),
}


@pytest.mark.parametrize("case", DATA_FAULTS)
def test_data_errors(case: str) -> None:
    step, where, fragment = DATA_FAULTS[case]
    with pytest.raises(DataError, match=fragment) as caught:
        built(step)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "step",
    [
        lambda b: b.rv("x", "Normal", dims="g", shape=3),
        lambda b: b.data("v", [1.0, 2.0], dims="g").rv("x", "Normal", dims="g"),
        lambda b: b.rv("x", "Uniform", low=0.0, high="h").rv("h", "HalfNormal"),
        lambda b: b.rv("x", "Poisson", mu=1.0).obs("o", "x", [0, 1]),
        lambda b: b.rv("x", "HalfNormal", observed=[1.0, -2.0], mask=np.array([True, False])),
        lambda b: b.rv("x", "HalfNormal", observed=[-1.0, -2.0], mask=np.array([False, False])),
        lambda b: b.rv("a", "Normal", shape=2).det("x", "a[-2]"),
        lambda b: b.data("v", np.ones((2, 3)), dims=("a", "b")).det("x", "sum(v, dim='b')", dims="a"),
    ],
)
def test_valid_models(step: Callable[[Builder], Builder]) -> None:
    check(built(step))


def test_a_variable_that_depends_on_itself() -> None:
    with pytest.raises(ModelError, match="in a circle: x -> x"):
        built(lambda b: b.rv("x", "Normal", mu="x"))


def test_a_circle_is_named_in_order() -> None:
    with pytest.raises(ModelError, match=r"in a circle: b -> c -> d -> b\."):
        built(lambda b: b.det("a", "b").det("b", "c + 1").det("c", "d").rv("d", "Normal", mu="b"))


def test_long_chains_and_long_circles() -> None:
    count = 3000
    chain = tuple(Deterministic(f"x{i}", ref(f"x{i + 1}")) for i in range(count))
    last = RandomVariable(f"x{count}", NORMAL)
    check(Model((*chain, last)))
    with pytest.raises(ModelError, match="in a circle"):
        check(Model((*chain, Deterministic(f"x{count}", ref("x0")))))


def test_expressions_too_deep_or_too_large() -> None:
    deep = wide = ref("x")
    for _ in range(5000):
        deep = apply("negative", deep)
    for _ in range(60):
        wide = wide + wide
    for expression, limit in ((deep, "200 levels"), (wide, "100000 parts")):
        with pytest.raises(ExpressionError, match=limit) as caught:
            check(Model((RandomVariable("x", NORMAL), Deterministic("y", expression))))
        assert caught.value.where == ("variables", "y", "expr")


def test_lifted_values_may_depend_on_variables() -> None:
    jacobian = apply("negative", apply("log", Constant(1.0)))
    variable = RandomVariable("m", NORMAL)
    check(Model((variable, Observation("y", NORMAL, ref("m") - 1.0, log_jacobian=jacobian))))


def test_a_joint_observation_has_one_jacobian_and_no_mask() -> None:
    vector = Builder().data("v", [1.0, 2.0]).build()
    with pytest.raises(ModelError, match="scalar") as caught:
        check(vector.with_nodes((Observation("y", NORMAL, ref("v"), log_jacobian=ref("v"), joint=True),)))
    assert caught.value.where == ("variables", "y", "log_jacobian")
    with pytest.raises(ModelError, match="mask"):
        check(vector.with_nodes((Observation("y", NORMAL, ref("v"), mask=ref("v") > 1.0, joint=True),)))


@pytest.mark.parametrize(
    ("family", "transform", "remedy"),
    [("Normal", "softplus", "identity"), ("HalfNormal", "identity", "log"), ("Beta", "interval", "logit")],
)
def test_a_transform_must_map_onto_the_support(family: str, transform: str, remedy: str) -> None:
    parameters = {"alpha": 1.0, "beta": 1.0} if family == "Beta" else {}
    build = Builder().rv("x", family, **parameters, transform=transform, centering="centered")
    with pytest.raises(ModelError, match=f"{transform!r} does not reach every value of a {family}") as caught:
        build.build()
    assert caught.value.where == ("variables", "x", "transform")
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("operation", ["max", "min", "mean", "logsumexp"])
def test_nothing_has_no_largest_element(operation: str) -> None:
    for text in (f"{operation}(v)", f"{operation}(w, axis=1)"):
        build = Builder().data("v", []).data("w", np.ones((2, 0))).rv("m", "Normal").det("d", text)
        with pytest.raises(ModelError, match="no elements"):
            build.build()
    assert check(Builder().data("w", np.ones((2, 0))).det("d", f"{operation}(w, axis=0)").build())["d"].shape == (0,)
