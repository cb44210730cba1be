"""Calls of distributions at values of a model."""

from __future__ import annotations

import numpy as np
from scipy import stats

from exmc.ir.calls import form_of, law_at, restricted_to, unconstrained_type
from exmc.ir.expressions import Constant, ref
from exmc.ir.nodes import Call, RandomVariable
from exmc.ir.operations import as_number
from exmc.ir.types import ArrayType


def test_bools_count_in_values_parameters_and_bounds() -> None:
    values = {"f": np.array([True, False])}
    normal = Call("Normal", (("mu", ref("f")), ("sigma", Constant(True))))
    assert np.allclose(
        law_at(normal, values).log_density(as_number(values["f"])), stats.norm.logpdf([0.0, 0.0]), rtol=1e-15
    )
    low, high = law_at(Call("Uniform", (("low", ref("f")), ("high", ref("h")))), values | {"h": 2.0}).bounds
    assert (low.tolist(), high) == ([1, 0], 2.0)
    assert low.dtype.kind == "i"


def test_the_form_of_a_wrapper_depends_on_what_it_is_given() -> None:
    normal = Call("Normal", (("mu", Constant(0.0)), ("sigma", Constant(1.0))))
    for bounds, transform in (((), "identity"), (("lower",), "lower"), (("upper",), "upper")):
        call = Call("Truncated", (("of", normal), *((b, Constant(0.5)) for b in bounds)))
        assert form_of(call).transform == transform
    assert form_of(Call("Flat", (("lower", Constant(0)), ("upper", ref("a"))))).transform == "interval"
    assert not form_of(Call("Censored", (("of", normal),))).transform


def test_unconstrained_types_and_restrictions() -> None:
    normal = Call("Normal", (("mu", Constant(0.0)), ("sigma", Constant(1.0))))
    ordered = RandomVariable("c", normal, transform="ordered")
    assert restricted_to(ordered).name == "ordered"
    assert restricted_to(RandomVariable("c", normal)) is None
    assert restricted_to(RandomVariable("c", normal, transform="log")).name == "positive"
    assert restricted_to(RandomVariable("c", Call("HalfNormal", normal.parameters[1:]), transform="softplus")) is None
    assert unconstrained_type(ordered, ArrayType((3,), ("g",))) == ArrayType((3,), ("g",))
    simplex = RandomVariable("w", Call("Dirichlet", (("alpha", Constant(1.0)),)))
    found = unconstrained_type(simplex, ArrayType((2, 3), ("h", "g")))
    assert found == ArrayType((2, 2), ("h", "w_unconstrained"))
    assert restricted_to(simplex) is None
