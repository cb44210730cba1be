from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from exmc.trace import arrays, chunks
from exmc.trace.schema import Variable

X = Variable("x", (2,), ("i",))


def read(folder: Path, chains: int, rows: int) -> np.ndarray:
    blocks = []
    for chain in range(chains):
        raw = [chunks.chunk_path(folder, chain, n, 0).read_bytes() for n in range(-(-rows // 10))]
        blocks.append(np.concatenate([np.frombuffer(r[:-4]).reshape(10, 2) for r in raw])[:rows])
    return np.stack(blocks)


@pytest.mark.parametrize("rows", [25, 20, 13, 10, 3])
def test_links_hold_the_first_rows_of_the_chains_asked_for(tmp_path: Path, rows: int) -> None:
    values = np.random.default_rng(0).normal(size=(3, 25, 2))
    arrays.write(tmp_path / "a", values, 10)
    (tmp_path / "b").mkdir()
    arrays.link(tmp_path / "a", tmp_path / "b", X, [0, 2], rows, 10)
    np.testing.assert_array_equal(read(tmp_path / "b", 2, rows), values[[0, 2], :rows])
    arrays.write(tmp_path / "c", values[[0, 2], :rows], 10)
    for path in (p for p in (tmp_path / "c").rglob("*") if p.is_file()):
        assert (tmp_path / "b" / path.relative_to(tmp_path / "c")).read_bytes() == path.read_bytes()


def test_a_last_chunk_without_surplus_is_shared_too(tmp_path: Path) -> None:
    """A run of many chains has as many last chunks as chains."""
    arrays.write(tmp_path / "a", np.random.default_rng(0).normal(size=(1, 25, 2)), 10)
    for rows in (25, 24):
        (tmp_path / f"{rows}").mkdir()
        arrays.link(tmp_path / "a", tmp_path / f"{rows}", X, [0], rows, 10)
    last = [chunks.chunk_path(tmp_path / name, 0, 2, 0) for name in ("a", "25", "24")]
    assert [path.samefile(last[0]) for path in last] == [True, True, False]


def test_missing_chunks_stay_away(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    arrays.link(tmp_path / "a", tmp_path / "b", X, [0], 25, 10)
    assert not [p for p in (tmp_path / "b").rglob("*") if p.is_file()]


def test_a_file_system_without_hard_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    values = np.ones((1, 20, 2))
    arrays.write(tmp_path / "a", values, 10)
    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "b").mkdir()
    arrays.link(tmp_path / "a", tmp_path / "b", X, [0], 20, 10)
    np.testing.assert_array_equal(read(tmp_path / "b", 1, 20), values)
    assert chunks.chunk_path(tmp_path / "b", 0, 0, 0).stat().st_nlink == 1


def test_an_error_of_the_disk_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    (tmp_path / "b").mkdir()
    arrays.write(tmp_path / "a", np.ones((1, 20, 2)), 10)
    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="full"):
        arrays.link(tmp_path / "a", tmp_path / "b", X, [0], 20, 10)
