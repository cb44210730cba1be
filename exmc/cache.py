"""Keeps machine code, and what belongs to it, on disk, by the digest of what it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MAXIMUM_BYTES = 256 * 2**20
"""Code, its text and how its data are prepared take about 60 kB; this holds some four thousand models."""

_MAGIC = b"exmc-object-1\n"
_DIGEST_SIZE = 32


def default_directory() -> Path | None:
    """$EXMC_CACHE_DIR, or "exmc" in the platform's place for caches; None for a user without a home."""
    chosen = os.environ.get("EXMC_CACHE_DIR")
    if chosen:
        return Path(chosen)
    home = Path(os.path.expanduser("~"))
    if sys.platform == "darwin":
        caches = home / "Library" / "Caches"
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return caches / "exmc" if caches.is_absolute() else None


def default_cache() -> ObjectCache | None:
    """The cache in the default directory, if there is one."""
    directory = default_directory()
    return None if directory is None else ObjectCache(directory)


@dataclass(frozen=True, slots=True)
class ObjectCache:
    """Objects by key in one directory. It may vanish, fill up or rot at any time: then it answers with nothing.

    Parameters
    ----------
    directory
        Made on first use.
    maximum_bytes
        Beyond it, the objects unused for longest are deleted.
    """

    directory: Path
    maximum_bytes: int = MAXIMUM_BYTES

    def get(self, key: str, suffix: str = ".o") -> bytes | None:
        """The object stored under a hexadecimal key and a suffix for its kind, if it is there and whole."""
        path = self._path(key, suffix)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        head = len(_MAGIC) + _DIGEST_SIZE
        payload = content[head:]
        if content[:head] != _MAGIC + hashlib.sha256(payload).digest():
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        # Its age says when it was last of use.
        with contextlib.suppress(OSError):
            os.utime(path)
        return payload

    def put(self, key: str, payload: bytes, suffix: str = ".o") -> None:
        """Store an object; readers see all of it or nothing. A directory that cannot be written is no error."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self.directory, suffix=".partial")
        except OSError:
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
            os.replace(name, self._path(key, suffix))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            return
        self._trim()

    def _path(self, key: str, suffix: str) -> Path:
        return self.directory / f"{key}{suffix}"

    def _trim(self) -> None:
        entries: list[tuple[float, int, Path]] = []
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.directory):
                # Another process may delete a file between the listing and the look at it.
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    entries.append((status.st_mtime, status.st_size, Path(entry.path)))
        excess = sum(size for _, size, _ in entries) - self.maximum_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            excess -= size
