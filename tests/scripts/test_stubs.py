"""The generated signatures are those of the tables."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "stubs.py"


def test_the_stubs_are_up_to_date() -> None:
    for path, text in runpy.run_path(str(SCRIPT))["STUBS"].items():
        assert path.read_text() == text(), "run: python scripts/stubs.py"


def test_a_signature_has_every_parameter() -> None:
    text = runpy.run_path(str(SCRIPT))["distributions_text"]()
    assert "class _Normal(Distribution):\n    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0) -> Given: ..." in text
    assert "def __call__(self, of: Given, lower: Any = ..., upper: Any = ...) -> Given: ..." in text
    assert "def __call__(self, p: Any = ..., logit: Any = ...) -> Given: ..." in text


def test_a_function_has_its_operands_and_options() -> None:
    lines = runpy.run_path(str(SCRIPT))["functions_text"]().splitlines()
    for line in (
        "def exp(x: Operand, /) -> Expression: ...",
        "def where(condition: Operand, x: Operand, y: Operand, /) -> Expression: ...",
        "def sum(x: Operand, /, *, axis: int | None = None, dim: str | None = None) -> Expression: ...",
        "def concatenate(*parts: Operand, axis: int | None = None) -> Expression: ...",
        "def reshape(value: Operand, /, *sizes: Operand) -> Expression: ...",
        "def exp_quad(x: Operand, scale: Operand, length: Operand, /) -> Expression: ...",
        "def exp_quad(x: Operand, z: Operand, scale: Operand, length: Operand, /) -> Expression: ...",
        "def hsgp_basis(x: Operand, boundary: Operand, /, *, m: int | Sequence[int]) -> Expression: ...",
    ):
        assert line in lines, line
