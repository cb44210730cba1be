"""The tape as data: checked, evaluated, printed, pickled."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from exmc.compile.primitives import PRIMITIVES, ArrayType
from exmc.compile.record import record
from exmc.compile.tape import Equation, Tape, TapeBuilder
from exmc.errors import CompileError
from tests.compile.cases import CASES
from tests.compile.test_record import eight_schools


def small() -> Tape:
    builder = TapeBuilder(3)
    doubled = builder.apply("multiply", builder.position, builder.literal(2.0))
    builder.apply("exp", doubled)
    return builder.finish((builder.apply("sum", doubled, axes=(0,)),))


def test_evaluates_prints_and_drops_what_is_not_used() -> None:
    tape = small()
    tape.check()
    assert tape.evaluate(np.array([1.0, 2.0, 3.0])) == (12.0,)
    assert str(tape).splitlines() == [
        "v0: float64[3] = position",
        "v1 = 2.0",
        "v2: float64[3] = multiply v0 v1",
        "v3: float64[] = sum v2 axes=(0,)",
        "return v3",
    ]


def test_the_same_application_is_the_same_value() -> None:
    builder = TapeBuilder(3)
    assert builder.apply("exp", 0) == builder.apply("exp", 0)
    assert builder.literal(1.0) == builder.literal(1.0)
    assert len({builder.literal(v) for v in (1, 1.0, True, 0.0, -0.0, float("nan"), float("nan"))}) == 6


@pytest.mark.parametrize(
    "broken",
    [
        replace(small(), equations=small().equations[::-1]),
        replace(small(), outputs=(9,)),
        replace(small(), types=(*small().types[:3], ArrayType((3,), "float64"))),
        replace(small(), equations=(*small().equations, Equation(3, "exp", (0,)))),
        replace(small(), constants={1: np.ones(2)}),
    ],
)
def test_check_finds_a_broken_tape(broken: Tape) -> None:
    with pytest.raises(CompileError):
        broken.check()


def test_pickles() -> None:
    tape = record(eight_schools, 10, gradient=True)
    again = pickle.loads(pickle.dumps(tape))
    assert str(again) == str(tape)
    position = np.linspace(-1, 1, 10)
    np.testing.assert_array_equal(again.evaluate(position)[1], tape.evaluate(position)[1])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_value_has_the_type_its_rule_says(case) -> None:
    tape = record(lambda x: (case.function(x),), case.dimension, gradient=False)
    position = np.random.default_rng(2).uniform(-2, 2, case.dimension)
    everything = replace(tape, outputs=tuple(range(len(tape.types))))
    for value, kind in zip(everything.evaluate(position), tape.types, strict=True):
        assert value.shape == kind.shape
        assert value.dtype.kind == kind.dtype[0]


def test_primitives_are_named_as_they_are_listed() -> None:
    assert all(name == primitive.name for name, primitive in PRIMITIVES.items())


def test_data_of_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(CompileError, match="complex128"):
        TapeBuilder(1).constant(np.array([1j]))
