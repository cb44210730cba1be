"""A description says what it was told, and a folder without one is not mistaken for a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from exmc.errors import StoreError
from exmc.trace.description import BUILDING, Description, read_description, write_description
from tests.trace.models import schema


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = Description(schema(), 10, {"seed": 1, "name": "été"})
    write_description(tmp_path, written)
    assert read_description(tmp_path) == written


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ([], "the creation of this run was interrupted"),
        ([BUILDING], "the creation of this run was interrupted"),
        ([BUILDING, ".store.json.1-ab.partial"], "the creation of this run was interrupted"),
        (["notes.txt"], "there is no run here"),
        ([BUILDING, "chain-00000"], "there is no run here"),
    ],
)
def test_only_an_empty_run_may_be_deleted(left: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    for name in left:
        (tmp_path / "state" / name).touch()
    with pytest.raises(StoreError, match=message) as caught:
        read_description(tmp_path)
    assert ("delete" in caught.value.remedy) == ("interrupted" in message)
