"""Which element an expression's elements depend on: against trying, which changes one element at a time."""

from __future__ import annotations

import numpy as np
import pytest

from exmc.ir.builder import Builder
from exmc.ir.check import infer_types
from exmc.ir.nodes import Deterministic
from exmc.ir.operations import evaluate
from exmc.rewrite.owners import MANY, NONE, owners_of

EXPRESSIONS = [
    "z", "m[0] + 1", "m[z]", "m[z] * z", "z[g]", "m[z[g]]", "m[z][g]", "where(z == 0, m[0], -z)", "z[:, None]",
    "expand_dims(z, axis=0) + z", "z[1:]", "transpose(z[:, None] + m[z][:, None])", "table[z, g[:3]]", "table[z]",
    "z[0] + z[1]", "m[z[g]] + m[z[g]]", "sum(z)", "z[::-1] + z",
]  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_owners_are_those_found_by_trying(text: str) -> None:
    model = (
        Builder()
        .data("g", [2, 0, 0, 1])
        .data("table", np.arange(12.0).reshape(3, 4) ** 2)
        .rv("m", "Normal", shape=3)
        .rv("z", "Categorical", p=[0.2, 0.3, 0.5], shape=3)
        .det("d", text)
    ).build()
    node = model["d"]
    assert isinstance(node, Deterministic)
    types = infer_types(model)
    found = np.broadcast_to(owners_of(node.expression, {"z": np.arange(3)}, model, types), types["d"].shape)
    values = {name: data.values for name, data in model.data.items()} | {"m": np.array([0.3, 1.7, -2.2])}
    tried = np.full(types["d"].shape, NONE)
    base = [np.array(c) for c in np.ndindex(3, 3, 3)]
    for i in range(3):
        changes = np.zeros(types["d"].shape, bool)
        for z in base:
            other = z.copy()
            other[i] = (other[i] + 1) % 3
            pair = [np.asarray(evaluate(node.expression, values | {"z": c})) for c in (z, other)]
            changes |= pair[0] != pair[1]
        tried = np.where(changes, np.where(tried == NONE, i, MANY), tried)
    np.testing.assert_array_equal(found, tried)
