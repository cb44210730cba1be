"""What is imported late is imported once, at its first use, and the collector does not run meanwhile."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest

from exmc.late import Late, imported


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that says whether the collector ran when it was imported."""
    name = f"imported_late_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("import gc\ncollected = gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    # That it is forgotten afterwards.
    monkeypatch.setitem(sys.modules, name, sys)
    monkeypatch.delitem(sys.modules, name)
    return name


def test_a_module_is_imported_when_it_is_used(module: str) -> None:
    late = Late(module)
    assert module not in sys.modules
    assert late.collected is False
    assert gc.isenabled()
    assert imported(module) is sys.modules[module]


def test_one_that_is_missing_is_missing_then() -> None:
    late = Late("no_such_module_of_anyone")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_of_anyone"):
        _ = late.anything
    assert gc.isenabled()
