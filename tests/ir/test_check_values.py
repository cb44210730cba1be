"""Indices, parameters and observed values that are data, each once where it must not be."""

from __future__ import annotations

import pytest

from exmc.distributions import Binomial, Truncated
from exmc.errors import DataError, ExmcError, ModelError
from exmc.ir.builder import Builder

FAULTS = {
    "continuous count": (
        lambda b: b.rv("k", "HalfNormal").rv("y", "Binomial", n="10 * k", p=0.5, observed=[1]),
        ("variables", "y", "n"),
        "needs whole numbers for 'n'",
    ),
    "negative count": (
        lambda b: b.rv("p", "Beta", alpha=1, beta=1).rv("y", "Binomial", n=-3, p="p", observed=[1]),
        ("variables", "y", "n"),
        "-3 is not 0 or a positive integer",
    ),
    "scale": (lambda b: b.rv("x", "Normal", sigma=-1.0), ("variables", "x", "sigma"), "-1.0 is not a positive"),
    "scale data": (
        lambda b: b.rv("x", "Normal", sigma=[1.0, 0.0]),
        ("variables", "x", "sigma"),
        r"0.0 at \[1\] is not a positive",
    ),
    "not a number": (
        lambda b: b.rv("x", "Normal", sigma="log(0.0 - 1.0)"),
        ("variables", "x", "sigma"),
        "nan is not a positive",
    ),
    "bounds": (lambda b: b.rv("x", "Uniform", low=1.0, high=1.0), ("variables", "x", "low"), "not below"),
    "index": (
        lambda b: b.rv("a", "Normal", shape=2).data("i", [0, 2]).det("x", "a[i]"),
        ("variables", "x", "expr"),
        r"index 2 at \[1\] is out of range for an axis of size 2. Indices go from 0 to 1",
    ),
    "negative index": (
        lambda b: b.rv("a", "Normal", shape=2).data("i", [0, -3]).det("x", "exp(a[i + 0])"),
        ("variables", "x", "expr"),
        r"index -3 at \[1\] is out of range",
    ),
}

DATA_FAULTS = {
    "not all NaN is missing": (
        lambda b: b.rv("y", "Normal", observed="log(v - 1.5)").data("v", [1.0, 2.0]),
        ("variables", "y", "observed"),
        "nan at",
    ),
    "support": (
        lambda b: b.rv("x", "HalfNormal", observed=[1.0, -2.0]),
        ("variables", "x", "observed"),
        r"-2.0 at \[1\] is not a number that is not negative",
    ),
    "bounds": (
        lambda b: b.rv("x", "Uniform", low=[0.0, 1.0], high=2.0, observed=[0.5, 0.5]),
        ("variables", "x", "observed"),
        r"0.5 at \[1\] is not a number within its bounds",
    ),
    "referenced": (
        lambda b: b.rv("x", "Poisson", mu=1.0).obs("o", "x", [0.5]),
        ("variables", "o", "observed"),
        "0.5",
    ),
    "derived": (
        lambda b: b.data("v", [1.0, 2.0]).rv("x", "HalfNormal", observed="1.5 - v"),
        ("variables", "x", "observed"),
        r"-0.5 at \[1\]",
    ),
    "derived along a dim": (
        lambda b: b.data("v", [[1.0, -2.0]], dims=("a", "b")).rv("x", "HalfNormal", observed="sum(v, dim='b')"),
        ("variables", "x", "observed"),
        r"-1.0 at \[0\]",
    ),
}


@pytest.mark.parametrize(
    ("kind", "table", "case"),
    [(ModelError, FAULTS, case) for case in FAULTS] + [(DataError, DATA_FAULTS, case) for case in DATA_FAULTS],
)
def test_values_out_of_place(kind: type[ExmcError], table: dict[str, tuple], case: str) -> None:
    step, where, fragment = table[case]
    with pytest.raises(kind, match=fragment) as caught:
        step(Builder()).build()
    assert caught.value.where == where


def test_a_count_within_a_call_that_depends_on_continuous_variables_is_an_error() -> None:
    builder = Builder().rv("a", "Normal").rv("y", Truncated(Binomial("a", 0.5), lower=1), observed=[1.0])
    with pytest.raises(ModelError, match=r"variables\.y\.of\.n: Binomial needs whole numbers for 'n'"):
        builder.build()
