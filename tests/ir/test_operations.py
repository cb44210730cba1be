"""Each row of OPERATIONS: the inferred type is that of the value, and what cannot be typed is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from exmc.errors import ExpressionError, ModelError
from exmc.ir.expressions import Apply, Constant, Reference, Slice, apply, ref
from exmc.ir.operations import OPERATIONS, check_call, evaluate, infer_type, resolve_dims
from exmc.ir.types import ArrayType

KINDS = {"f": "float", "i": "int", "b": "bool"}


def values_of(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drawn = {"float": rng.uniform(0.1, 0.9, shape), "int": rng.integers(0, 2, shape), "bool": rng.random(shape) < 0.5}
    return np.asarray(drawn[kind])


def elementwise(count: int) -> list[tuple[tuple[tuple[int, ...], ...], dict]]:
    shapes = [(), (3,), (2, 3)] if count == 1 else [(), (3,), (2, 1), (2, 3)]
    return [(combination, {}) for combination in product(shapes, repeat=count)]


REDUCTIONS = [(((3,),), {}), (((2, 3),), {}), (((2, 3),), {"axis": 0}), (((2, 3),), {"axis": -1}), (((),), {})]
ALONG = [(((3,),), {}), (((2, 3),), {"axis": 0}), (((2, 3),), {"axis": 1})]
PRODUCTS = [(s, {}) for s in [((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((3,), (3,))]]
SPECIAL = {
    **dict.fromkeys(("sum", "prod", "mean", "max", "min", "logsumexp"), REDUCTIONS),
    **dict.fromkeys(("cumsum", "cumprod", "sort", "softmax", "log_softmax"), ALONG),
    **dict.fromkeys(("matmul", "dot"), PRODUCTS),
    "expand_dims": [(((2, 3),), {"axis": a}) for a in (0, 1, 2, -1)] + [(((),), {})],
    "transpose": [(((2, 3),), {}), (((3,),), {}), (((),), {})],
    "concatenate": [
        (((3,), (), (2,)), {}),
        (((),), {}),
        (((2, 3), (2, 1)), {"axis": 1}),
        (((2, 3), (1, 3)), {"axis": -2}),
        (((2, 3, 4), (2, 2, 4)), {"axis": 1}),
    ],
    "stack": [(((3,), (3,)), {}), (((3,), (3,)), {"axis": -1}), (((2, 3), (2, 3)), {"axis": 1}), (((), ()), {})],
    "sd": [(((3,),), {}), (((2, 3),), {}), (((2, 3),), {"axis": 0}), (((2, 3),), {"axis": -1})],
    "kron": [(((2, 3), (4, 5)), {})],
    "len": [(((3,),), {}), (((2, 3),), {})],
    **{
        key: [(((3, 3),), {}), (((1, 1),), {})]
        for key in (
            *("cholesky", "inverse_posdef", "logdet", "inverse", "logabsdet"),
            *("standard_deviations", "correlations"),
        )
    },
    **{key: [(((3, 3), (3,)), {}), (((3, 3), (3, 2)), {})] for key in ("solve_triangular", "solve_posdef", "solve")},
    **{
        key: [(points + ((),) * count, {}) for points in (((4,),), ((4,), (3,)), ((4, 2),), ((4, 2), (3, 2)))]
        + [(((4, 2), (), (2,), *((),) * (count - 2)), {})] * (count > 1)
        for key, count in {
            **dict.fromkeys(("exp_quad", "matern12", "matern32", "matern52"), 2),
            "rational_quadratic": 3,
            "periodic": 3,
            "linear": 1,
        }.items()
    },
    "white_noise": [(((4,), ()), {}), (((4, 2), (4,)), {})],
    "hsgp_basis": [(((4,), ()), {"m": 3}), (((4, 2), (2,)), {"m": 3}), (((4, 2), (2,)), {"m": (3, 2)})],
    **{
        f"hsgp_{key}": [(((), (), ()), {"m": 3}), (((2,), (), (2,)), {"m": (3, 2)}), (((2,), (), ()), {"m": 3})]
        for key in ("exp_quad", "matern12", "matern32", "matern52")
    },
    "diag": [(((3, 3),), {}), (((4,),), {})],
    "outer": [(((3,), (2,)), {})],
}
WHOLE = {"floor_divide", "mod"}


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n != "index"])
@pytest.mark.parametrize("kind", ["float", "int", "bool"])
def test_inferred_type_is_that_of_the_value(name: str, kind: str) -> None:
    operation = OPERATIONS[name]
    if name in WHOLE and kind == "float":
        pytest.skip("takes whole numbers")
    cases = SPECIAL.get(name) or elementwise(operation.least)
    for shapes, options in cases:
        names = [f"x{i}" for i in range(len(shapes))]
        values = {n: values_of(s, kind, i) for i, (n, s) in enumerate(zip(names, shapes, strict=True))}
        types = {n: ArrayType(v.shape, (None,) * v.ndim, kind) for n, v in values.items()}
        expression = apply(name, *(ref(n) for n in names), **options)
        found = infer_type(expression, types)
        with np.errstate(all="ignore"):
            value = np.asarray(evaluate(expression, values))
        assert (value.shape, KINDS[value.dtype.kind]) == (found.shape, found.kind), (name, shapes, options)
        assert value.dtype.itemsize in (1 if found.kind == "bool" else 8,)
        assert len(found.dims) == len(found.shape)


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n not in SPECIAL and n not in WHOLE and n != "index"])
@pytest.mark.parametrize("literal", [True, 1, 0.5])
def test_literals_are_typed_as_they_evaluate(name: str, literal: float) -> None:
    expression = Apply(name, (Constant(literal),) * OPERATIONS[name].least)
    with np.errstate(all="ignore"):
        value = np.asarray(evaluate(expression, {}))
    assert infer_type(expression, {}).kind == KINDS[value.dtype.kind]


# Every combination of whole slices, parts, integers and index arrays that can stand in [ ] for three axes.
KEYS = {
    ":": Slice(),
    "1:": Slice(1),
    "::-1": Slice(None, None, -1),
    "0": Constant(0),
    "-1": Constant(-1),
    "i": ref("i"),
    "ij": ref("ij"),
}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_index_is_typed_as_numpy_indexes(count: int) -> None:
    values = {
        "x": np.arange(24.0).reshape(2, 3, 4),
        "i": np.array([0, 1, 1]),
        "ij": np.array([[0, 1, 1], [1, 0, 0]]),
    }
    dims = {"x": ("a", "b", "c"), "i": ("obs",), "ij": (None, "obs")}
    types = {n: ArrayType(v.shape, dims[n], KINDS[v.dtype.kind]) for n, v in values.items()}
    for keys in product(KEYS.values(), repeat=count):
        expression = Apply("index", (ref("x"), *keys))
        found = infer_type(expression, types)
        value = evaluate(expression, values)
        assert np.shape(value) == found.shape, keys
        assert len(found.dims) == len(found.shape)
        named = [d for d in found.dims if d]
        assert len(named) == len(set(named))


def test_index_takes_the_dims_of_the_index_and_keeps_whole_axes() -> None:
    types = {
        "x": ArrayType((2, 3), ("a", "b")),
        "i": ArrayType((5,), ("obs",), "int"),
    }
    assert infer_type(ref("x")[ref("i")], types).dims == ("obs", "b")
    assert infer_type(ref("x")[:, ref("i")], types).dims == ("a", "obs")
    assert infer_type(ref("x")[1:, 0], types).dims == (None,)
    assert infer_type(ref("x")[ref("i"), 0], types).dims == ("obs",)


@pytest.mark.parametrize(
    ("expression", "fragment"),
    [
        (ref("x")[0, 0, 0], "3 indices"),
        (ref("x")[2], "out of range"),
        (ref("x")[-3], "out of range"),
        (ref("x")[ref("x")], "whole numbers"),
        (ref("s")[0], "a scalar"),
        (ref("x") @ ref("s"), "not scalars"),
        (apply("cholesky", ref("x")), "square matrix"),
        (apply("logdet", ref("s")), "square matrix"),
        (apply("solve_posdef", ref("x") @ apply("transpose", ref("x")), ref("s")), "cannot join"),
        (apply("outer", ref("x"), ref("x")), "two vectors"),
        (ref("x") @ ref("x"), "cannot join"),
        (ref("x") @ ref("w"), "'b' against dim 'other'"),
        (apply("sum", ref("x"), axis=2), "axis=2"),
        (apply("sum", ref("x"), dim="z"), "has dims 'a', 'b'"),
        (apply("softmax", ref("x")), "several axes"),
        (apply("cumsum", ref("s")), "at least one axis"),
        (apply("concatenate", ref("x")), "scalars and vectors"),
        (ref("x") + ref("v"), "do not fit"),
        (ref("x") + ref("w"), "'b' and 'other' meet"),
    ],
)
def test_shapes_and_dims_that_do_not_fit(expression: Apply, fragment: str) -> None:
    types = {
        "x": ArrayType((2, 3), ("a", "b")),
        "v": ArrayType((2,), (None,)),
        "w": ArrayType((3,), ("other",)),
        "s": ArrayType(),
    }
    with pytest.raises(ModelError, match=fragment.replace("[", r"\[")):
        infer_type(expression, types)


@pytest.mark.parametrize(
    ("expression", "fragment"),
    [
        (apply("nonsense", ref("x")), "no function 'nonsense'"),
        (apply("exp", ref("x"), ref("x")), "takes 1 operands, not 2"),
        (apply("where", ref("x")), "takes 3 operands, not 1"),
        (apply("exp", ref("x"), axis=0), "no option 'axis'"),
        (apply("sum", ref("x"), axis=0, dim="a"), "axis or dim"),
        (Apply("index", (ref("x"),)), "takes 2 or more operands"),
    ],
)
def test_calls_that_the_table_does_not_allow(expression: Apply, fragment: str) -> None:
    """``exp(x, y)`` would otherwise write into the array y: numpy's second argument is ``out``."""
    with pytest.raises(ExpressionError, match=fragment):
        check_call(expression)
    with pytest.raises(ExpressionError, match=fragment):
        infer_type(expression, {"x": ArrayType((3,), ("a",))})


def test_a_dim_option_has_the_type_of_its_axis_before_it_is_resolved() -> None:
    types = {"x": ArrayType((2, 3), ("a", "b"))}
    by_dim = apply("sum", ref("x"), dim="b")
    assert isinstance(by_dim, Apply)
    assert infer_type(by_dim, types) == ArrayType((2,), ("a",))
    assert resolve_dims(by_dim, types) == apply("sum", ref("x"), axis=1)


def test_slice_stands_only_in_an_index() -> None:
    with pytest.raises(ExpressionError, match="only inside"):
        infer_type(apply("exp", Slice()), {})


def test_bools_count_as_zero_and_one() -> None:
    values = {"m": np.array([True, True, False])}
    assert evaluate(Reference("m") + Reference("m"), values).tolist() == [2, 2, 0]
    assert evaluate(apply("sum", Reference("m") - Constant(True)), values) == -1
    exact = np.exp([1.0, 1.0, 0.0])
    assert evaluate(apply("exp", Reference("m")), values).tolist() == exact.tolist()


def test_indices_apart_come_first_as_in_numpy() -> None:
    """Between them a slice, before them another: with three axes the first of them is where numpy puts them anyway."""
    values = {"x": np.zeros((2, 3, 4, 5)), "i": np.array([0, 1, 1, 2, 0, 1])}
    expression = Reference("x")[:, Reference("i"), :, 0]
    types = {n: ArrayType(v.shape, (None,) * v.ndim, "int") for n, v in values.items()}
    assert infer_type(expression, types).shape == evaluate(expression, values).shape == (6, 2, 4)
