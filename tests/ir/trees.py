"""Hypothesis strategies for expressions."""

from __future__ import annotations

from hypothesis import strategies as st

from exmc.ir.expressions import Apply, Constant, Expression, Reference, Slice
from exmc.ir.operations import OPERATIONS

NAMES = st.sampled_from(["x", "y", "mu", "log_x", "exp", "e1", "_a"])
CONSTANTS = st.one_of(
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
).map(Constant)
BOUNDS = st.one_of(st.none(), st.integers(-5, 5))
SLICES = st.builds(Slice, BOUNDS, BOUNDS, st.one_of(st.none(), st.integers(1, 3), st.integers(-3, -1)))
OPTIONS = st.one_of(
    st.just(()),
    st.integers(-3, 3).map(lambda a: (("axis", a),)),
    st.one_of(st.integers(1, 30), st.lists(st.integers(1, 30), min_size=1, max_size=3).map(tuple)).map(
        lambda m: (("m", m),)
    ),
    st.sampled_from(["school", "a 'quoted' dim"]).map(lambda d: (("dim", d),)),
)


def _applications(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def of(name: str) -> st.SearchStrategy[Expression]:
        operation = OPERATIONS[name]
        most = operation.most if operation.most is not None else operation.least + 2
        count = st.lists(operands, min_size=operation.least, max_size=most).map(tuple)
        options = OPTIONS.filter(lambda given: all(key in operation.options for key, _ in given))
        return st.builds(Apply, st.just(name), count, options if operation.options else st.just(()))

    keys = st.lists(st.one_of(operands, SLICES), min_size=1, max_size=3)
    index = st.builds(lambda base, k: Apply("index", (base, *k)), operands, keys)
    return st.one_of(st.sampled_from([n for n in OPERATIONS if n != "index"]).flatmap(of), index)


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(NAMES.map(Reference), CONSTANTS), _applications, max_leaves=12
)
