"""Machine code against numpy: every primitive by itself, and every case of the conformance suite."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.compile.columns import split_columns
from exmc.compile.kernel import Kernel, build_kernel
from exmc.compile.lower import LOWERINGS, lower
from exmc.compile.primitives import PRIMITIVES, ArrayType
from exmc.compile.record import record
from exmc.compile.simplify import simplify
from exmc.compile.tape import Tape, TapeBuilder
from exmc.errors import MissingLoweringError
from tests.compile.cases import CASES, Case

SPECIAL_VALUES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 0.3, 2.5, -3.7, 1e-300, -1e-12, 11.9, 40.0, 710.0, -750.0]
)


def kernel_of(tape: Tape) -> Kernel:
    return build_kernel(lower(tape, scalar_first=False), tape.dimension, tape.output_shapes, None)


def outputs(kernel: Kernel, position: np.ndarray) -> list[np.ndarray]:
    sizes = [int(np.prod(shape)) for shape in kernel.output_shapes]
    _, results = kernel.evaluate_batch(position[None], sum(sizes))
    columns = np.split(results[0], np.cumsum(sizes)[:-1])
    return [c.reshape(shape) for c, shape in zip(columns, kernel.output_shapes, strict=True)]


def arity(name: str) -> int:
    if name in ("where", "select"):
        return 3
    for count in (1, 2, 3):
        try:
            with np.errstate(all="ignore"):
                PRIMITIVES[name].evaluate(*(np.array([0.5]),) * count)
        except (TypeError, ValueError):
            continue
        return count
    raise AssertionError(name)


ELEMENTWISE = [n for n, p in PRIMITIVES.items() if p.kind == "elementwise" and n not in ("broadcast", "take")]


def grid(count: int) -> list[np.ndarray]:
    if count == 1:
        # Long enough for the loop to be vectorised.
        return [np.tile(SPECIAL_VALUES, 3)]
    values = SPECIAL_VALUES if count == 2 else SPECIAL_VALUES[[0, 1, 3, 5, 7, 9]]
    return [m.ravel() for m in np.meshgrid(*[values] * count)]


def ulps(name: str) -> float:
    # Functions of scipy and of libm differ from numpy's own loops by a few units in the last place.
    return {"power": 64.0, "gammaln": 32.0, "digamma": 32.0, "logit": 16.0, "log1mexp": 16.0, "log_expit": 16.0}.get(
        name, 8.0
    )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_primitive_equals_numpy_on_special_values(name: str) -> None:
    columns = grid(arity(name))
    if name == "to_integer":
        columns = [np.where(np.abs(c) < 1e9, c, 3.7) for c in columns]
    size = len(columns[0])
    builder = TapeBuilder(size * len(columns))
    operands = [builder.apply("slice", builder.position, bounds=((k * size, size, 1),)) for k in range(len(columns))]
    vector = builder.apply("to_float", builder.apply(name, *operands))
    # The same as scalars, of which each is a register and not a loop.
    elements = []
    for element in (5, 7, 9):
        scalars = [
            builder.apply("reshape", builder.apply("slice", o, bounds=((element, 1, 1),)), shape=()) for o in operands
        ]
        elements.append(builder.apply("to_float", builder.apply(name, *scalars)))
    tape = builder.finish((vector, *elements))
    tape.check()
    found = outputs(kernel_of(tape), np.concatenate(columns))
    with np.errstate(all="ignore"):
        expected = np.asarray(PRIMITIVES[name].evaluate(*columns), dtype=float)
    np.testing.assert_allclose(found[0], expected, rtol=ulps(name) * 2.3e-16, atol=1e-300)
    # A vector loop and a scalar may round differently, by fused multiply-adds.
    np.testing.assert_allclose(found[1:], expected[[5, 7, 9]], rtol=ulps(name) * 2.3e-16, atol=1e-300)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
@pytest.mark.parametrize("rewritten", [False, True], ids=["recorded", "simplified"])
def test_case_equals_numpy(case: Case, rewritten: bool) -> None:
    tape = record(lambda x: (case.function(x),), case.dimension, gradient=False)
    tape = split_columns(simplify(tape)) if rewritten else tape
    tape.check()
    kernel = kernel_of(tape)
    generator = np.random.default_rng(11)
    for _ in range(3):
        position = generator.uniform(-2.0, 2.0, case.dimension)
        (found,) = outputs(kernel, position)
        np.testing.assert_allclose(found, case.function(position), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", [c for c in CASES if c.differentiable], ids=lambda c: c.name)
def test_gradient_of_case_equals_differences(case: Case) -> None:
    def scalar(x):
        value = case.function(x)
        weights = np.cos(1.0 + np.arange(np.size(value))).reshape(np.shape(value))
        return (weights * value).sum() if np.ndim(value) else weights * value

    tape = split_columns(simplify(record(lambda x: scalar(x), case.dimension, gradient=True)))
    kernel = build_kernel(lower(tape, scalar_first=True), case.dimension, tape.output_shapes, None)
    position = np.random.default_rng(5).uniform(-0.9, 0.9, case.dimension)
    value, gradient = kernel.load()(position)
    assert value == pytest.approx(float(scalar(position)), rel=1e-12)
    step = 1e-3
    for k in range(case.dimension):
        shift = step * np.eye(case.dimension)[k]
        a, b, c, d = (float(scalar(position + n * shift)) for n in (-2, -1, 1, 2))
        assert gradient[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=1e-7, abs=1e-8)


_LOOPS = {"scan_rows": ("scan_reverse", "recurrence"), "ode_path": ("ode_reverse",)}
"""What the machine code of a loop and of its gradient use besides."""


def test_cases_use_every_primitive_that_has_machine_code() -> None:
    used = set()
    for case in CASES:
        tape = record(lambda x, f=case.function: (f(x),), case.dimension, gradient=False)
        used |= {e.primitive for e in tape.equations}
        used |= {name for e in tape.equations if "loop" in e.static for name in _LOOPS[e.primitive]}
    # `select` is recorded as where, and these conversions have no function of their own in autograd.numpy.
    assert set(LOWERINGS) - used - {"select", "reshape", "slice", "transpose", "cbrt", "to_integer"} == set()


def test_every_primitive_but_foreign_ones_has_machine_code() -> None:
    # Positions and spectra are computed from data alone, before there is machine code; a tuple's members are taken
    # apart while it is recorded.
    of_data = {"positions", "adjacency", "eigenvalues", "eigenvectors"}
    assert set(PRIMITIVES) - set(LOWERINGS) == {"external", "members", *of_data}


def test_missing_lowering_names_the_function_and_its_place() -> None:
    def density(x):
        import autograd.numpy as anp

        return anp.sum(anp.linalg.pinv(anp.outer(x, x)))

    tape = record(density, 3, gradient=True)
    with pytest.raises(
        MissingLoweringError, match=r"test_lower.py:\d+ in density: numpy.linalg.pinv has no machine code"
    ):
        lower(tape, scalar_first=True)


def test_text_does_not_depend_on_the_values_of_data() -> None:
    generator = np.random.default_rng(0)

    def text(y: np.ndarray, group: np.ndarray, scale: np.float64) -> str:
        return lower(
            simplify(record(lambda x: (x[group] - y).sum() * scale + (x * scale)[0], 4, gradient=True)),
            scalar_first=True,
        ).text

    first = text(generator.normal(size=20), generator.integers(0, 4, 20), np.float64(1.0))
    second = text(np.zeros(20), np.zeros(20, dtype=int), np.float64(2.5))
    assert first == second


def test_size_zero_and_constant_outputs() -> None:
    tape = record(lambda x: (x[:0], 3.0, np.arange(3), x, x, x[::-1]), 2, gradient=False)
    assert tape.types[tape.outputs[0]] == ArrayType((0,), "float64")
    position = np.array([4.0, 5.0])
    found = outputs(kernel_of(tape), position)
    for mine, theirs in zip(found, [[], 3.0, [0, 1, 2], position, position, position[::-1]], strict=True):
        np.testing.assert_array_equal(mine, theirs)
