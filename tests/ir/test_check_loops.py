"""Faults of loops, each with the keys that lead to it."""

from __future__ import annotations

from typing import Any

import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder

SCAN: dict[str, Any] = {"carry": {"s": 0.0}, "sequences": {"e": "y"}, "step": {"s": "a * s + e"}}
ODE: dict[str, Any] = {"state": {"u": 1.0}, "derivative": {"u": "-a * u"}, "times": "ts"}


def build(kind: str, changes: dict[str, Any]) -> None:
    builder = Builder().data("y", [1.0, 2.0, 3.0]).data("ts", [1.0, 2.0, 3.0]).rv("a", "Normal")
    given = {key: value for key, value in ((SCAN if kind == "scan" else ODE) | changes).items() if value is not ...}
    getattr(builder, kind)("x", **given)
    builder.build()


@pytest.mark.parametrize("kind", ["scan", "ode"])
def test_without_a_change_it_is_right(kind: str) -> None:
    build(kind, {})


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"carry": {}}, "output", "which value"),
        ({"carry": {}, "output": "s"}, "carry", "nothing that changes"),
        ({"carry": 3}, "carry", "no mapping"),
        ({"step": {"t": "1.0"}}, "step", "'s' has no next value"),
        ({"step": {"s": "later", "later": "s"}}, "step.s", "'later' is used before it is defined"),
        ({"step": {"s": "b * s"}}, "step.s", "no variable or data named 'b'"),
        ({"step": {"s": "s +"}}, "step.s", "cannot read"),
        ({"step": {"s": "s", "e": "2 * e"}}, "step.e", "is given, and has a formula too"),
        ({"step": {"s": "s", "2t": "s"}}, "step", "'2t' is not a name"),
        ({"step": {"s": "y * s"}}, "step.s", r"starts as a scalar and becomes of shape \(3,\)"),
        ({"step": {"s": "s[0]"}}, "step.s", "1 indices for a value a scalar"),
        ({"step": {"s": "y[e]"}}, "step.s", "must hold whole numbers"),
        ({"sequences": {"s": "y"}}, "step", "'s' is used twice"),
        ({"sequences": {"e": "a"}}, "sequences.e", "a scalar has none"),
        ({"sequences": {"e": "y", "f": "y[1:]"}}, "sequences", "e of 3, f of 2"),
        ({"sequences": {"e": "y[:0]"}}, "sequences", "at least 1"),
        ({"sequences": {"e": "z"}}, "sequences.e", "named 'z'"),
        ({"length": 3}, "length", "have a length already"),
        ({"sequences": ..., "step": {"s": "s"}}, "length", "neither sequences nor a length"),
        ({"sequences": ..., "step": {"s": "s"}, "length": 0}, "length", "0 is not a number of steps"),
        ({"output": "r"}, "output", "no value 'r'"),
        ({"carry": {"s": 0.0, "r": 0.0}, "step": {"s": "s", "r": "r"}}, "output", "Name one of s, r"),
        ({"collect": "every"}, "collect", "none of steps, all, last"),
        ({"step": {"s": "s", "d": "s + 1"}, "output": "d", "collect": "all"}, "collect", "before the first step"),
    ],
)
def test_faults_of_scans(changes: dict[str, Any], where: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        build("scan", changes)
    assert ".".join(caught.value.where) == f"variables.x.scan.{where}"


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"state": {}}, "state", "nothing that changes"),
        ({"derivative": {}}, "derivative", "'u' has no derivative"),
        ({"derivative": {"u": "-t * u"}}, "derivative.u", "named 't'"),
        ({"derivative": {"u": "y * u"}}, "derivative.u", r"is a scalar, and its derivative of shape \(3,\)"),
        ({"derivative": {"u": "u", "c": "u"}, "time": "c"}, "derivative.c", "has a formula too"),
        ({"times": [1.0, 3.0, 2.0]}, "times", r"2.0 at \[2\] follows 3.0"),
        ({"times": [1.0, 1.0]}, "times", r"1.0 at \[1\] follows 1.0"),
        ({"times": "ts", "start": 1.5}, "times", "before the start, 1.5"),
        ({"times": "a"}, "times", "a vector of at least one"),
        ({"start": "ts"}, "start", "the start is a time"),
        ({"method": "rk45"}, "method", "no method 'rk45'"),
        ({"relative_tolerance": 0.0}, "relative_tolerance", "0.0 is not above 0"),
        ({"max_steps": 2.5}, "max_steps", "2.5 is not above 0"),
    ],
)
def test_faults_of_differential_equations(changes: dict[str, Any], where: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        build("ode", changes)
    assert ".".join(caught.value.where) == f"variables.x.ode.{where}"


def test_unknown_control_is_refused() -> None:
    with pytest.raises(ModelError, match="unknown key 'rtol'"):
        build("ode", {"rtol": 1e-3})
