"""A sealed file is read as it was written, or from its spare, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from exmc.errors import StoreError
from exmc.trace.sealed import intact, read_sealed, spare_of, write_sealed

DOCUMENT = {"seed": 1, "name": "été", "rows": [1.5, 2.0], "inner": {"1": None, "2": True}}


def flips(content: bytes) -> list[bytes]:
    """`content` with each of its bits flipped in turn."""
    return [
        content[:i] + bytes([content[i] ^ (1 << bit)]) + content[i + 1 :]
        for i in range(len(content))
        for bit in range(8)
    ]


def test_every_flipped_bit_and_every_length_is_found_and_the_spare_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_sealed(path, DOCUMENT)
    assert intact(path)
    whole = path.read_bytes()
    for content in (*flips(whole), *(whole[:n] for n in range(len(whole)))):
        path.write_bytes(content)
        assert read_sealed(path) == DOCUMENT
        spare_of(path).rename(tmp_path / "away")
        refused = None
        try:
            # What was flipped may be a space between two values.
            assert read_sealed(path) == DOCUMENT
        except StoreError as error:
            refused = error
        assert refused is None or "plan.json is damaged" in str(refused)
        (tmp_path / "away").rename(spare_of(path))


def test_a_copy_that_is_missing_or_differs_is_not_intact(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(FileNotFoundError):
        read_sealed(path)
    for gone in (path, spare_of(path)):
        write_sealed(path, DOCUMENT)
        gone.unlink()
        assert read_sealed(path) == DOCUMENT
        assert not intact(path)
    write_sealed(path, {"seed": 2})
    write_sealed(tmp_path / "other.json", DOCUMENT)
    spare_of(tmp_path / "other.json").rename(spare_of(path))
    assert not intact(path)
    assert read_sealed(path) == {"seed": 2}


def test_keys_come_back_as_text(tmp_path: Path) -> None:
    write_sealed(tmp_path / "a.json", {"by": {10: 1, 9: 2}})
    assert read_sealed(tmp_path / "a.json") == {"by": {"10": 1, "9": 2}}
