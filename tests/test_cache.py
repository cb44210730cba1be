"""The object cache: it may be corrupt, full, read-only or gone."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from exmc.cache import ObjectCache, default_directory


def test_round_trip(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "new" / "directory")
    assert cache.get("ab") is None
    cache.put("ab", b"code")
    assert cache.get("ab") == b"code"


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:20], lambda b: b"", lambda b: b[:-1] + b"x"])
def test_damaged_object_is_forgotten(tmp_path: Path, damage) -> None:
    cache = ObjectCache(tmp_path)
    cache.put("ab", b"a longer piece of code")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("ab") is None
    assert list(tmp_path.iterdir()) == []


def test_size_is_bounded_by_dropping_the_least_recently_used(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path, maximum_bytes=3500)
    for number in range(3):
        cache.put(f"{number}", bytes(1000))
        os.utime(tmp_path / f"{number}.o", (number, number))
    assert cache.get("0") is not None
    cache.put("3", bytes(1000))
    assert [cache.get(k) is not None for k in "0123"] == [True, False, True, True]


def test_directory_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    cache = ObjectCache(file / "below")
    cache.put("ab", b"code")
    assert cache.get("ab") is None


def test_readers_never_see_half_an_object(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path)
    payloads = [bytes([n]) * 200_000 for n in range(4)]
    seen: list[bytes | None] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(cache.get("key"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        for payload in payloads:
            cache.put("key", payload)
    stop.set()
    reader.join()
    assert set(seen) - {None} <= set(payloads)
    assert [p.suffix for p in tmp_path.iterdir()] == [".o"]


def test_directory_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXMC_CACHE_DIR", str(tmp_path))
    assert default_directory() == tmp_path
    monkeypatch.delenv("EXMC_CACHE_DIR")
    assert default_directory().name in ("exmc", "Cache")


def test_the_directory_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXMC_CACHE_DIR", str(tmp_path))
    assert default_directory() == tmp_path
    monkeypatch.delenv("EXMC_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "exmc"
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_directory() is None
