"""The generated signatures of the distributions are those of the table."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "stubs.py"


def test_the_stub_is_up_to_date() -> None:
    script = runpy.run_path(str(SCRIPT))
    assert script["STUB"].read_text() == script["stub_text"](), "run: python scripts/stubs.py"


def test_a_signature_has_every_parameter() -> None:
    text = runpy.run_path(str(SCRIPT))["stub_text"]()
    assert "class _Normal(Distribution):\n    def __call__(self, mu: Any = 0.0, sigma: Any = 1.0) -> Given: ..." in text
    assert "def __call__(self, of: Given, lower: Any = ..., upper: Any = ...) -> Given: ..." in text
    assert "def __call__(self, p: Any = ..., logit: Any = ...) -> Given: ..." in text
