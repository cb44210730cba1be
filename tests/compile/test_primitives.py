"""The conformance suite of the table of primitives: every row, numpy against machine code, shapes and special values.

An elementwise row enters by itself: all pairs of special values, scalars, vectors, matrices, broadcasts, empty axes
and views, and its derivative against differences where autograd.numpy or exmc.special has a function of its name. Any
other row needs a line in EXAMPLES.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from exmc import special
from exmc.compile.kernel import build_kernel
from exmc.compile.lower import lower
from exmc.compile.primitives import FLOAT, PRIMITIVES, ArrayType
from exmc.compile.record import record
from exmc.compile.simplify import simplify
from exmc.compile.tape import TapeBuilder
from exmc.special import SPECIAL
from tests.compile.test_lower import ELEMENTWISE, SPECIAL_VALUES, arity, kernel_of, outputs, ulps

Shape = tuple[int, ...]

SHAPES: dict[int, list[tuple[Shape, ...]]] = {
    1: [((),), ((1,),), ((5,),), ((3, 4),), ((2, 1, 3),), ((0,),), ((3, 0),), ((0, 2, 1),)],
    2: [
        ((), ()),
        ((), (4,)),
        ((5,), (5,)),
        ((3, 1), (1, 4)),
        ((2, 3, 2), (2,)),
        ((2, 3, 2), (3, 1)),
        ((0,), (1,)),
        ((3, 0), (3, 1)),
        ((0, 1), (1, 2)),
    ],
    3: [
        ((), (), ()),
        ((4,), (), (4,)),
        ((3, 1), (1, 4), (3, 4)),
        ((2, 1, 2), (3, 1), ()),
        ((0,), (1,), ()),
        ((2, 0), (), (2, 1)),
    ],
}
COUNT = len(SPECIAL_VALUES)
EITHER_ZERO = {
    *("add", "subtract", "maximum", "minimum", "fmax", "fmin", "mod", "floor_divide"),
    *("sign", "to_integer", "log_expit"),
}
"""Rows whose zeros may have either sign: simplification and numpy's own loops leave it open, and integers have none."""


def _operand(builder: TapeBuilder, shape: Shape, start: int) -> int:
    """An array of special values from `start` on."""
    size = int(np.prod(shape))
    flat = builder.apply("slice", builder.position, bounds=((start, size, 1),))
    return builder.apply("reshape", flat, shape=shape)


def _views(builder: TapeBuilder, count: int) -> list[int]:
    """Operands that are not contiguous: reversed, with a step, transposed."""
    matrix = _operand(builder, (3, 4), 0)
    every = [
        builder.apply("slice", matrix, bounds=((2, 3, -1), (0, 2, 2))),
        builder.apply("transpose", builder.apply("slice", matrix, bounds=((0, 2, 1), (1, 3, 1))), permutation=(1, 0)),
        builder.apply("slice", builder.position, bounds=((3, 2, 5),)),
    ]
    return every[:count]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_row_on_every_shape_and_special_value(name: str) -> None:
    count = arity(name)
    values = np.tile(SPECIAL_VALUES, 2)
    if name == "to_integer":
        values = np.where(np.abs(values) < 1e9, values, 3.7)
    builder = TapeBuilder(len(values))
    applications = [
        [_operand(builder, shape, 3 * k + n) for k, shape in enumerate(shapes)]
        for n, shapes in enumerate(SHAPES[count])
    ]
    if count > 1:
        # Every special value with every other.
        pairs = [_operand(builder, (COUNT, 1), 0), _operand(builder, (1, COUNT), 0)]
        applications += [[*pairs, *([_operand(builder, (), 5)] * (count - 2))]]
    applications += [_views(builder, count)]
    results = [builder.apply("to_float", builder.apply(name, *operands)) for operands in applications]
    tape = builder.finish(tuple(results))
    tape.check()
    expected = tape.evaluate(values)
    rewritten = simplify(tape)
    for found in (outputs(kernel_of(tape), values), outputs(kernel_of(rewritten), values)):
        for mine, theirs in zip(found, expected, strict=True):
            assert mine.shape == theirs.shape
            np.testing.assert_allclose(mine, theirs, rtol=ulps(name) * 2.3e-16, atol=1e-300)
            if name not in EITHER_ZERO:
                zero = (theirs == 0.0) & (mine == 0.0)
                np.testing.assert_array_equal(np.signbit(mine[zero]), np.signbit(theirs[zero]))


def _function(name: str) -> Callable[..., Any] | None:
    return SPECIAL.get(name) or getattr(anp, name, None)


RANGES = [(0.2, 0.8), (1.2, 1.9), (-1.9, -1.2)]
"""One of these lies within the domain of any function."""

GRIDS = np.array([0.1, 0.3, 0.9, 0.53, 0.7, 0.4]), np.array([0.2, 0.35, 0.62, 0.8]), np.array(0.55)
UNAVAILABLE = {"gammainc": (0,), "gammaincc": (0,), "betainc": (0, 1), "stdtr": (0,)}
"""Arguments in which there is no derivative, as its message says."""


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if _function(n) and n != "tetragamma"])
def test_derivative_of_elementwise_row_is_that_of_differences(name: str) -> None:
    function, count = _function(name), arity(name)
    assert function is not None
    shapes = {1: [(6,)], 2: [(3, 1), (4,)], 3: [(3, 1), (4,), ()]}[count]
    free = [k for k in range(count) if k not in UNAVAILABLE.get(name, ())]
    # Grids of which no two numbers are near each other: nothing jumps within the reach of a difference.
    grids = [np.resize(g, shape) for g, shape in zip(GRIDS, shapes, strict=False)]
    for low, high in RANGES:
        with np.errstate(all="ignore"):
            points = [low + (high - low) * g for g in grids]
            value = np.asarray(PRIMITIVES[name].evaluate(*points), dtype=float)
        if np.all(np.isfinite(value)):
            break
    weights = np.cos(1.0 + np.arange(value.size)).reshape(value.shape)
    ends = np.cumsum([points[k].size for k in free])

    def scalar(x: Any) -> Any:
        # Wherever it is asked for, it is asked for within the domain.
        inside = low + (high - low) * special.expit(x)
        arguments: list[Any] = list(points)
        for k, end in zip(free, ends, strict=True):
            arguments[k] = anp.reshape(inside[end - points[k].size : end], shapes[k])
        return anp.sum(weights * function(*arguments))

    position = special.logit(np.concatenate([grids[k].ravel() for k in free]))
    tape = simplify(record(scalar, len(position), gradient=True))
    _, gradient = build_kernel(lower(tape, scalar_first=True), len(position), tape.output_shapes, None).load()(position)
    step = 1e-3
    for k in range(len(position)):
        shift = step * np.eye(len(position))[k]
        a, b, c, d = (float(scalar(position + n * shift)) for n in (-2, -1, 1, 2))
        assert gradient[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=2e-7, abs=1e-8)


NUMBERS = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.5, 1e-310, 1e300, 3.0, 0.1, -7.0])
SMALL = np.array([2.0, -1.0, 0.0, -0.0, 3.0, 1.0, 0.5, -2.5, 4.0, 1.5, 0.25, -3.0])

Example = Callable[[TapeBuilder], int]


def _matrix(b: TapeBuilder, shape: Shape = (3, 4)) -> int:
    return _operand(b, shape, 0)


def _empty(b: TapeBuilder, shape: Shape = (0, 4)) -> int:
    return _operand(b, shape, 0)


def _reductions(name: str) -> list[Example]:
    found: list[Example] = []
    for axes in ((0,), (1,), (0, 1), ()):
        found.append(lambda b, axes=axes: b.apply(name, _matrix(b), axes=axes))
        found.append(lambda b, axes=axes: b.apply(name, _operand(b, (2, 3), 4), axes=axes))
    found += [
        lambda b: b.apply(name, _operand(b, (2, 3, 2), 0), axes=(0, 2)),
        lambda b: b.apply(name, _operand(b, (2, 3, 2), 0), axes=(1,)),
        lambda b: b.apply(name, _operand(b, (), 5), axes=()),
        lambda b: b.apply(name, _empty(b, (3, 0)), axes=(0,)),
    ]
    if name in ("sum", "prod"):
        found += [lambda b: b.apply(name, _empty(b), axes=(0,)), lambda b: b.apply(name, _empty(b), axes=(0, 1))]
    return found


def _definite(b: TapeBuilder, shape: Shape) -> int:
    root = _operand(b, shape, 0)
    lead = "abc"[: len(shape) - 2]
    product = b.apply("contract", root, root, spec=f"{lead}xy,{lead}zy->{lead}xz")
    return b.apply("add", product, b.constant(np.eye(shape[-1])))


def _triangle(b: TapeBuilder, shape: Shape) -> int:
    return b.apply("add", _operand(b, shape, 0), b.constant(5.0 * np.eye(shape[-1])))


def _solutions(primitive: str, make: Callable[[TapeBuilder, Shape], int]) -> list[Example]:
    pairs: list[tuple[Shape, Shape]] = [
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((2, 2, 2), (2, 2)),
        ((2, 2, 2), (2, 2, 3)),
        ((0, 0), (0,)),
        ((0, 2, 2), (0, 2)),
    ]
    return [
        lambda b, m=m, r=r, t=t: b.apply(primitive, make(b, m), _operand(b, r, 0), transposed=t)
        for m, r in pairs
        for t in (False, True)
    ]


def _factors(b: TapeBuilder, shape: Shape) -> int:
    return b.apply("lu_factor", _triangle(b, shape))


INDICES = np.array([[2, 0], [5, 5], [1, 11]])
EXAMPLES: dict[str, tuple[np.ndarray, list[Example]]] = {
    **{name: (NUMBERS, _reductions(name)) for name in ("sum", "prod", "max", "min")},
    "broadcast": (
        NUMBERS,
        [
            lambda b: b.apply("broadcast", _operand(b, (3, 1), 0), shape=(2, 3, 4)),
            lambda b: b.apply("broadcast", _operand(b, (), 0), shape=(40,)),
            lambda b: b.apply("broadcast", _empty(b, (1, 0)), shape=(3, 0)),
        ],
    ),
    "reshape": (
        NUMBERS,
        [lambda b: b.apply("reshape", b.apply("transpose", _matrix(b), permutation=(1, 0)), shape=(2, 6))],
    ),
    "transpose": (NUMBERS, [lambda b: b.apply("transpose", _operand(b, (2, 3, 2), 0), permutation=(2, 0, 1))]),
    "slice": (
        NUMBERS,
        [
            lambda b: b.apply("slice", _matrix(b), bounds=((2, 3, -1), (1, 2, 2))),
            lambda b: b.apply("slice", _matrix(b), bounds=((0, 0, 1), (3, 4, -1))),
        ],
    ),
    "take": (
        NUMBERS,
        [
            lambda b: b.apply("take", _matrix(b), b.constant(INDICES)),
            lambda b: b.apply("take", b.apply("transpose", _matrix(b), permutation=(1, 0)), b.constant(INDICES)),
            lambda b: b.apply("take", _matrix(b), b.constant(np.zeros((0, 2), dtype=np.int64))),
            lambda b: b.apply("take", _matrix(b), b.constant(np.array(3))),
        ],
    ),
    "scatter": (
        NUMBERS,
        [
            lambda b: b.apply("scatter", _operand(b, (3, 2), 3), b.constant(INDICES), shape=(12,), parts=(None,)),
            lambda b: b.apply(
                "scatter", _operand(b, (2,), 0), _operand(b, (2,), 2), shape=(5,), parts=(((0, 2, 2),), ((1, 2, 1),))
            ),
        ],
    ),
    "contract": (
        NUMBERS,
        [
            lambda b: b.apply("contract", _matrix(b), _operand(b, (4,), 2), spec="ab,b->a"),
            lambda b: b.apply("contract", _operand(b, (2, 3, 2), 0), _operand(b, (2, 2), 3), spec="abc,cd->bd"),
            lambda b: b.apply("contract", _empty(b, (3, 0)), _empty(b, (0, 2)), spec="ab,bc->ac"),
        ],
    ),
    "cumsum": (NUMBERS, [lambda b, a=a: b.apply("cumsum", _operand(b, (2, 3, 2), 0), axis=a) for a in (0, 1, 2)]),
    "linear_recurrence": (
        NUMBERS,
        [
            *(
                lambda b, a=a: b.apply(
                    "linear_recurrence", _operand(b, (2, 3, 2), 0), _operand(b, (2, 3, 2), 0), axis=a
                )
                for a in (0, 1, 2)
            ),
            lambda b: b.apply("linear_recurrence", _operand(b, (1,), 0), _operand(b, (1,), 4), axis=0),
            lambda b: b.apply("linear_recurrence", _empty(b), _empty(b), axis=0),
        ],
    ),
    "pick": (
        NUMBERS,
        [
            # The numbers themselves: NaN, infinite, negative and too large ones are not known.
            lambda b: b.apply("pick", _matrix(b), b.position),
            lambda b: b.apply("pick", b.apply("transpose", _matrix(b), permutation=(1, 0)), b.position),
            lambda b: b.apply("pick", b.constant(np.arange(12)), b.position),
            lambda b: b.apply("pick", _empty(b), b.position),
            lambda b: b.apply("pick", _operand(b, (), 3), _operand(b, (), 3)),
        ],
    ),
    "place": (
        NUMBERS,
        [
            lambda b: b.apply("place", b.position, b.position, shape=(2, 4)),
            lambda b: b.apply("place", b.position, b.position, shape=(0, 4)),
            lambda b: b.apply("place", _operand(b, (), 5), _operand(b, (), 9), shape=(4,)),
        ],
    ),
    "order": (
        NUMBERS,
        [
            lambda b: b.apply("order", b.position),
            lambda b: b.apply("order", _matrix(b)),
            lambda b: b.apply("order", b.apply("transpose", _matrix(b), permutation=(1, 0))),
            lambda b: b.apply("order", _operand(b, (3, 1), 0)),
            lambda b: b.apply("order", _empty(b)),
            lambda b: b.apply("order", _empty(b, (3, 0))),
        ],
    ),
    "cholesky": (
        SMALL,
        [lambda b, s=s: b.apply("cholesky", _definite(b, s)) for s in ((3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2))]
        + [lambda b: b.apply("cholesky", _operand(b, (3, 2, 2), 0))],
    ),
    "inverse_from_factor": (
        SMALL,
        [
            lambda b, s=s: b.apply("inverse_from_factor", b.apply("cholesky", _definite(b, s)))
            for s in ((3, 3), (2, 2, 2), (0, 0), (0, 2, 2))
        ],
    ),
    "substitute": (SMALL, _solutions("substitute", _triangle)),
    "lu_factor": (
        SMALL,
        [
            lambda b, s=s: b.apply("lu_factor", _operand(b, s, 0))
            for s in ((3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2))
        ],
    ),
    "lu_solve": (SMALL, _solutions("lu_solve", _factors)),
}
ELSEWHERE = {
    *("scan_rows", "scan_reverse", "recurrence", "ode_path", "ode_reverse"),
    *("external", "members", "positions", "adjacency", "eigenvalues", "eigenvectors"),
}
"""Rows that need more than arrays: test_scan.py, test_scan_split.py, test_ode.py, test_record.py, test_facts.py."""


def test_every_row_has_its_examples() -> None:
    assert set(PRIMITIVES) - set(ELEMENTWISE) - ELSEWHERE == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_row_on_every_shape_and_special_value(name: str) -> None:
    values, examples = EXAMPLES[name]
    builder = TapeBuilder(len(values))
    tape = builder.finish(tuple(builder.apply("to_float", example(builder)) for example in examples))
    tape.check()
    expected = tape.evaluate(values)
    for found in (outputs(kernel_of(tape), values), outputs(kernel_of(simplify(tape)), values)):
        for number, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
            np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-14, err_msg=f"example {number}")


def test_numbers_that_are_no_numbers_have_no_factors() -> None:
    values = np.where(np.arange(12) == 3, np.nan, SMALL)
    builder = TapeBuilder(12)
    matrix = _operand(builder, (3, 3), 0)
    tape = builder.finish((builder.apply("cholesky", matrix), builder.apply("lu_factor", matrix)))
    cholesky, packed = outputs(kernel_of(tape), values)
    np.testing.assert_array_equal(cholesky, np.diag([np.inf] * 3))
    assert np.all(np.isnan(packed))
    assert tape.types[tape.outputs[0]] == ArrayType((3, 3), FLOAT)
