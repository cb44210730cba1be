"""Types of covariance functions: dims that remain, and errors that say what does not fit."""

from __future__ import annotations

import pytest

from exmc.errors import ExmcError, ExpressionError, ModelError
from exmc.ir.operations import infer_type
from exmc.ir.parse import parse_expression
from exmc.ir.types import ArrayType

TYPES = {
    "x": ArrayType((4,), ("place",)),
    "new": ArrayType((3,), ("fresh",)),
    "plane": ArrayType((4, 2), ("place", None)),
    "s": ArrayType(),
    "pair": ArrayType((2,), (None,)),
    "cube": ArrayType((4, 2, 2), (None,) * 3),
}


@pytest.mark.parametrize(
    ("text", "shape", "dims"),
    [
        ("exp_quad(x, s, s)", (4, 4), ("place", None)),
        ("matern32(new, x, s, s)", (3, 4), ("fresh", "place")),
        ("periodic(plane, s, pair, s)", (4, 4), ("place", None)),
        ("linear(plane, pair)", (4, 4), ("place", None)),
        ("white_noise(x, x)", (4, 4), ("place", None)),
        ("exp_quad(x, s, s) * periodic(x, 1, s, 12) + white_noise(x, s)", (4, 4), ("place", None)),
        ("hsgp_basis(x, s, m=7)", (4, 7), ("place", None)),
        ("hsgp_basis(plane, pair, m=[3, 5])", (4, 15), ("place", None)),
        ("hsgp_matern52(pair, s, pair, m=3)", (9,), (None,)),
    ],
)
def test_shapes_and_dims(text: str, shape: tuple[int, ...], dims: tuple[str | None, ...]) -> None:
    assert infer_type(parse_expression(text), TYPES) == ArrayType(shape, dims)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exp_quad(s, x, s)", r"exp_quad takes points of shape \(n,\) or \(n, d\), not a scalar"),
        ("exp_quad(cube, s, s)", "takes points of shape"),
        ("exp_quad(x, plane, s, s)", "cannot compare points"),
        ("exp_quad(x, s, pair)", "exp_quad takes one number as length"),
        ("exp_quad(plane, s, x)", "takes one number, or 2 in a vector as length"),
        ("exp_quad(plane, pair, s)", "takes one number as scale"),
        ("rational_quadratic(x, s, s, pair)", "takes one number as alpha"),
        ("white_noise(x, pair)", "takes one number, or 4 in a vector as scale"),
        ("hsgp_basis(x, pair, m=3)", "takes as the boundary of points .* one number"),
        ("hsgp_basis(plane, s, m=3)", "2 numbers, one for each coordinate"),
        ("hsgp_basis(x, s)", "needs m, the number of basis functions of each coordinate, not None"),
        ("hsgp_basis(x, s, m=0)", "not 0"),
        ("hsgp_basis(plane, pair, m=[3])", r"not \(3,\)"),
        ("hsgp_exp_quad(plane, s, s, m=3)", "a number or a vector as boundary"),
        ("hsgp_exp_quad(s, s, pair, m=3)", "takes one number as length"),
    ],
)
def test_what_does_not_fit(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        infer_type(parse_expression(text), TYPES)


@pytest.mark.parametrize(
    "text", ["exp_quad(x, s)", "exp_quad(x, x, s, s, s)", "hsgp_basis(x, s, m=2.5)", "sum(x, axis=[0])"]
)
def test_what_is_no_call(text: str) -> None:
    with pytest.raises(ExmcError) as caught:
        parse_expression(text)
    assert isinstance(caught.value, ExpressionError)
