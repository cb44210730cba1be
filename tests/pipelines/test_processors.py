"""A run says on which types of processor it was drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from exmc.errors import ExmcError
from pipelines import processors
from pipelines.checking import check_config
from pipelines.config import load_config, with_out
from pipelines.events import Event
from pipelines.run import resume, start
from tests.pipelines.running import write_config


def test_going_on_with_another_processor_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(event: Event) -> None:
        if event.kind == "segment":
            raise ExmcError("enough")

    with pytest.raises(ExmcError, match="enough"):
        start(check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "run")), stop)
    here = processors.processor()
    assert processors.processors(tmp_path / "run") == (here,)
    for module in (processors, __import__("pipelines.stages", fromlist=["stages"])):
        monkeypatch.setattr(module, "processor", lambda: "abacus (wood, features 00000000)")
    told: list[Event] = []
    resume(tmp_path / "run", told.append)
    notes = [event.message for event in told if event.kind == "note"]
    assert notes
    assert all("abacus" in note and here in note and "last bits" in note for note in notes)
    assert len(processors.processors(tmp_path / "run")) == 2


def test_one_type_is_not_worth_a_word(tmp_path: Path) -> None:
    told: list[Event] = []
    start(check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "run")), told.append)
    assert [event.message for event in told if event.kind == "note"] == []
