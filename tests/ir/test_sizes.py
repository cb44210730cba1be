"""The operations of literal lengths: the inferred type is that of the value."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.errors import ModelError
from exmc.ir import functions
from exmc.ir.expressions import Apply, ref
from exmc.ir.operations import FORMS, evaluate, infer_type
from exmc.ir.parse import parse_expression
from exmc.ir.sizes import SIZED
from exmc.ir.types import ArrayType

KINDS = {"f": "float", "i": "int", "b": "bool"}


@pytest.mark.parametrize("kind", [float, int, bool])
@pytest.mark.parametrize(
    "text",
    [
        "zeros(3)", "zeros(2, 3)", "ones(2, 0)", "eye(3)", "arange(4)", "arange(2, 5)", "arange(5, 2)",
        "reshape(x, 3, 2)", "reshape(x, 6)", "reshape(x, -1, 2)", "reshape(x, 1, 6, 1)",
    ],
)  # fmt: skip
def test_inferred_type_is_that_of_the_value(text: str, kind: type) -> None:
    values = {"x": np.ones((2, 3), dtype=kind)}
    value = np.asarray(evaluate(parse_expression(text), values))
    found = infer_type(parse_expression(text), {"x": ArrayType((2, 3), (None, None), KINDS[values["x"].dtype.kind])})
    assert value.shape == found.shape
    assert KINDS[value.dtype.kind] == found.kind


def test_values() -> None:
    np.testing.assert_array_equal(evaluate(parse_expression("arange(2, 5)"), {}), [2, 3, 4])
    np.testing.assert_array_equal(evaluate(parse_expression("reshape(arange(6), 2, 3)[1]"), {}), [3, 4, 5])


@pytest.mark.parametrize("text", ["zeros(1.5)", "zeros(x)", "reshape(x, 4)", "reshape(x, 0, -1)", "eye(-1)"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ModelError):
        infer_type(parse_expression(text), {"x": ArrayType((2, 3), (None, None), "int")})


def test_each_has_a_row_and_a_function() -> None:
    assert SIZED.keys() == FORMS.keys()
    for name in FORMS:
        assert getattr(functions, name)(ref("n")) == Apply(name, (ref("n"),))
