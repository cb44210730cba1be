"""The functions for models in Python cover the table of operations."""

from __future__ import annotations

from exmc.ir import functions
from exmc.ir.expressions import Apply, ref
from exmc.ir.operations import OPERATIONS

# These are written with Python's operators.
WITH_OPERATORS = {
    "add", "subtract", "multiply", "divide", "power", "negative", "abs", "index", "logical_and", "logical_or",
    "logical_not", "less", "less_equal", "greater", "greater_equal",
}  # fmt: skip


def test_every_operation_has_an_operator_or_a_function() -> None:
    for name in OPERATIONS.keys() - WITH_OPERATORS:
        made = getattr(functions, name)(ref("x"))
        assert made == Apply(name, (ref("x"),))
    assert OPERATIONS.keys() >= WITH_OPERATORS


def test_options() -> None:
    assert functions.sum(ref("x"), axis=0) == Apply("sum", (ref("x"),), (("axis", 0),))
