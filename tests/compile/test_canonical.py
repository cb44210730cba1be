"""Every function with a rule, or written in others, is used by some case of the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import autograd.numpy as anp
import autograd.scipy.special as ascipy
import numpy as np
import pytest

from exmc.compile import canonical, composites
from exmc.compile.record import record
from tests.compile.cases import CASES


class Watched(dict[Any, Any]):
    """A table that remembers which of its rows were used."""

    def __init__(self, rows: Mapping[Any, Any]) -> None:
        super().__init__(rows)
        self.used: set[Any] = set()

    def get(self, key: Any, default: Any = None) -> Any:
        self.used.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.used.add(key)
        return super().__contains__(key)

    @property
    def unused(self) -> set[str]:
        return {getattr(f, "__name__", str(f)) for f in set(self) - self.used}


def test_cases_use_every_function(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [
        (canonical, "RULES", Watched({**canonical.RULES, **canonical.foreign_rules()})),
        (composites, "COMPOSITES", Watched({**composites.COMPOSITES, **composites.foreign_composites()})),
    ]
    for module, name, table in tables:
        monkeypatch.setattr(module, name, table)
    for case in CASES:
        record(lambda x, f=case.function: (f(x),), case.dimension, gradient=False)
        if case.differentiable and case.dimension <= 6:
            record(lambda x, f=case.function: anp.sum(f(x)), case.dimension, gradient=True)
    unused = set().union(*(table.unused for _, _, table in tables))
    # Of data alone: tests/compile/test_record.py and tests/test_graphs.py have them.
    assert sorted(unused - {"positions", "adjacency", "eigenvalues", "eigenvectors"}) == []


@pytest.mark.parametrize(
    "function",
    [
        lambda x: anp.sum(anp.cumsum(x, dtype=np.float64)),
        lambda x: ascipy.logsumexp(x, b=2.0),
        lambda x: anp.sum(anp.reshape(x, (2, 2), order="F")),
        lambda x: anp.linalg.norm(anp.reshape(x, (2, 2)), 2),
        lambda x: anp.sum(anp.pad(x, 1, "edge")),
        lambda x: anp.convolve(x, x, "same")[0],
    ],
)
def test_a_call_that_a_rule_does_not_know_runs_through_itself(function) -> None:
    tape = record(lambda x: (function(x),), 4, gradient=False)
    assert "external" in {e.primitive for e in tape.equations}
    position = np.array([0.3, 1.0, -2.0, 0.5])
    np.testing.assert_allclose(tape.evaluate(position)[0], function(position))
