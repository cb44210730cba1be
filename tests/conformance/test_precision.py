"""Special functions against mpmath at 50 digits on extreme arguments: numpy, scalar code and loops of machine code.

Errors are in units in the last place of the result; of max(1, |result|) for functions with zeros on their domain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from exmc import special
from exmc.compile.kernel import build_kernel
from exmc.compile.lower import lower
from exmc.compile.record import record
from exmc.special import SPECIAL

REFERENCES = json.loads(Path(__file__).with_name("special_references.json").read_text())
WITH_ZEROS = ("gammaln", "digamma", "betaln")
EXACT = ("select", "xdivy")
"""Rows that round once, or not at all."""

ELEMENTARY = {"exp": 1, "expm1": 2, "tanh": 3, "log": 1, "log1p": 1}
"""numpy's functions have no docstring of ours: what DECISIONS.md states of them."""

SHORTEST_LOOP = 64
LONGEST_SCALAR = 8
"""Lengths of arrays: from 32 on loops call the vectorised functions, below they call the C library's and scipy's."""


def function_of(name: str) -> Callable[..., Any]:
    return getattr(special, name, None) or getattr(anp, name)


def stated(name: str) -> float:
    if name in ELEMENTARY:
        return ELEMENTARY[name]
    found = re.search(r"Within (\d+) ulps", function_of(name).__doc__ or "")
    assert found, f"the docstring of {name} states no error: 'Within N ulps.'"
    return float(found[1])


def reference(name: str) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The arguments, the nearest doubles of the results, and what these leave."""
    rows = np.array([[float.fromhex(x) for x in row] for row in REFERENCES[name]])
    return list(rows[:, :-2].T), rows[:, -2], rows[:, -1]


def units(name: str, found: np.ndarray, nearest: np.ndarray, rest: np.ndarray) -> np.ndarray:
    size = np.maximum(np.abs(nearest), 1.0) if name in WITH_ZEROS else np.abs(nearest)
    with np.errstate(all="ignore"):
        error = np.abs((found - nearest) - rest) / np.spacing(size)
    return np.where(np.isfinite(found), error, np.inf)


def machine(name: str, columns: list[np.ndarray], length: int) -> np.ndarray:
    """The function by machine code whose loops have this length."""
    function, count = function_of(name), len(columns)
    tape = record(
        lambda x: (function(*(x[k * length : (k + 1) * length] for k in range(count))),),
        count * length,
        gradient=False,
    )
    kernel = build_kernel(lower(tape, scalar_first=False), count * length, tape.output_shapes, None)
    total = len(columns[0])
    padded = -(-total // length) * length
    positions = np.stack([np.resize(c, padded).reshape(-1, length) for c in columns], axis=1)
    return kernel.evaluate_batch(positions.reshape(-1, count * length), length)[1].reshape(-1)[:total]


def errors(name: str) -> dict[str, float]:
    """The largest error of each way to evaluate."""
    columns, nearest, rest = reference(name)
    with np.errstate(all="ignore"):
        found = {
            "numpy": function_of(name)(*columns),
            "loop": machine(name, columns, SHORTEST_LOOP),
            "scalar": machine(name, columns, LONGEST_SCALAR),
        }
    return {way: float(np.max(units(name, values, nearest, rest))) for way, values in found.items()}


def test_every_row_has_references() -> None:
    assert set(SPECIAL) - set(EXACT) - set(REFERENCES) == set(), (
        "give each a row in make_special_references.py, and run that"
    )


@pytest.mark.parametrize("name", REFERENCES)
def test_error_is_within_what_is_stated(name: str) -> None:
    found = errors(name)
    assert max(found.values()) <= stated(name), found
    # What is stated says something.
    assert stated(name) <= 2.0 * max(found.values()) + 1.0, found
