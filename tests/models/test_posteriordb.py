"""Tests that whole runs of the configs agree with the reference posteriors of posteriordb."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.agreement import REFERENCES
from tests.models.validate import posteriors, validate


def test_every_config_has_a_reference_and_every_reference_a_config() -> None:
    assert posteriors() == sorted(path.stem for path in REFERENCES.glob("*.json"))


@pytest.mark.parametrize("posterior", posteriors())
def test_run_agrees_with_the_reference(posterior: str, tmp_path: Path) -> None:
    agreement = validate(posterior, tmp_path / posterior)
    assert agreement.problems == ()
