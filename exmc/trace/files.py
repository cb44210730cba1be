"""The files of a run, on local disks and on object stores: every promise about them is kept here."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeAlias, TypeVar

from exmc.trace.objects import ObjectPath

Location: TypeAlias = Path | ObjectPath
"""Where something lies: on a local disk, or on a file system of fsspec."""

ROOT = "zarr.json"
"""The object that makes a store of the others: it is put last and deleted first where folders cannot be renamed."""
_PARTIAL = ".partial"
_CLAIM = ".claim"
_LOCAL = ("file://", "local://")
_AT_ONCE = 16
_SECONDS_BETWEEN_FLUSHES = 5.0

T = TypeVar("T")
R = TypeVar("R")


def location(place: str | os.PathLike[str] | ObjectPath) -> Location:
    """The place that a user names by a path or a URL. Those of local files are paths: fsspec's have fewer promises."""
    if isinstance(place, ObjectPath):
        return place
    text = os.fspath(place)
    for prefix in _LOCAL:
        if text.startswith(prefix):
            return Path(text.removeprefix(prefix))
    return ObjectPath(text.rstrip("/")) if "://" in text else Path(text)


def write_whole(path: Location, content: bytes) -> None:
    """Put `content` at `path` at once: readers see the old file or the new one, never a part.

    A failure of the file system is raised as `OSError`, so that callers can retry it.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
        return
    folder, name = os.path.split(path)
    partial = _partial(folder, name)
    try:
        _write(partial, content)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        _write(partial, content)
    os.replace(partial, path)


def create_new(path: Location, content: bytes) -> bool:
    """Put `content` at `path` at once unless something is there; whether it was put."""
    if isinstance(path, ObjectPath):
        return path.create(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(*os.path.split(path))
    _write(partial, content)
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(partial)
    return True


def create_folder(path: Location) -> None:
    """Make the folder `path`, and those above; of two that do so at once, one gets `FileExistsError`."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()
    elif any(path.iterdir()) or not (path / _CLAIM).create(b""):
        raise FileExistsError(errno.EEXIST, "something is there already", str(path))


def rename(path: Location, target: Location) -> None:
    """Give a file another name, which is free."""
    if isinstance(path, ObjectPath) and isinstance(target, ObjectPath):
        path.copy(target)
        path.unlink()
    else:
        os.rename(str(path), str(target))


def share(path: Location, target: Location) -> None:
    """Have the contents of the file `path` at `target`, too: by a hard link where that can be."""
    if isinstance(path, ObjectPath) and isinstance(target, ObjectPath):
        path.copy(target)
        return
    try:
        os.link(str(path), str(target))
    except OSError as error:
        # File systems without hard links, or with too many of one file.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EMLINK):
            raise
        shutil.copy2(str(path), str(target))


def relative(path: Location, folder: Location) -> str:
    """The name of `path` as seen from `folder`, above it."""
    return str(PurePosixPath(str(path)).relative_to(PurePosixPath(str(folder))))


def tail(path: Location, count: int) -> tuple[int, bytes]:
    """The size of the file `path`, and its last `count` bytes."""
    if isinstance(path, ObjectPath):
        return path.tail(count)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(size - count, 0))
        return size, file.read()


def each(function: Callable[[T], R], items: Iterable[T], at: Location) -> list[R]:
    """What `function` returns for each of `items`, which lie `at` a place: several at once if each is a request."""
    if isinstance(at, Path):
        return [function(item) for item in items]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(function, items))


# Zarr stores


def is_store(path: Location) -> bool:
    """Whether a Zarr store, or the folder of one, is at `path`; one of objects is there as soon as its root is."""
    return path.is_dir() if isinstance(path, Path) else (path / ROOT).is_file()


def move_store(path: Location, target: Location) -> None:
    """Move the store at `path` to `target`, where none may be; a killed move of objects can be made again."""
    if isinstance(path, Path) or isinstance(target, Path):
        os.rename(str(path), str(target))
        return
    remove(target)
    root, to = path / ROOT, target
    inner = [p for p in path.rglob("*") if p != root]
    each(lambda p: p.copy(to / relative(p, path)), inner, path)
    root.copy(target / ROOT)
    remove(path)


def remove(path: Location) -> None:
    """Remove the folder or store at `path`, if it is there."""
    if isinstance(path, Path):
        if path.is_dir():
            shutil.rmtree(path)
        return
    (path / ROOT).unlink(missing_ok=True)
    path.remove_all()


def folders(path: Location) -> dict[str, list[Location]]:
    """The files in each folder below `path`, by its name from there, but for hidden ones; in order of names."""
    found: dict[str, list[Location]] = {}
    if isinstance(path, Path):
        for folder, _, names in os.walk(path):
            here = Path(folder)
            found[relative(here, path)] = [here / name for name in names if not name.startswith(".")]
    else:
        for below in path.rglob("*"):
            if not below.name.startswith("."):
                found.setdefault(relative(below.parent, path), []).append(below)
    found.pop(".", None)
    return {folder: sorted(found[folder], key=lambda p: p.name) for folder in sorted(found)}


def sweep(directory: Location) -> int:
    """Remove what killed writers left half-written under `directory`; only while nobody writes. Objects are never."""
    if isinstance(directory, ObjectPath):
        return 0
    left = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(directory)
        for name in names
        if name.startswith(".") and name.endswith(_PARTIAL)
    ]
    for path in left:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    return len(left)


def free_bytes(path: Location) -> int | None:
    """How much room is left at `path`, which exists; None if nobody can say."""
    return shutil.disk_usage(path).free if isinstance(path, Path) else None


# Logs


class Log(Protocol):
    """What lines can be appended to."""

    def write(self, content: bytes, /) -> Any:
        """Append `content`."""

    def close(self) -> None:
        """Write what is not yet written."""


def open_log(path: Location) -> Log:
    """A log at `path`, continued if it is there. One of objects is a folder of parts: nothing is appended to those."""
    return open(path, "ab", buffering=0) if isinstance(path, Path) else _Parts(path)


def read_log(path: Location, offset: int) -> bytes:
    """What the log at `path` holds from `offset` on, nothing if it is not there."""
    if isinstance(path, ObjectPath):
        return b"".join(each(ObjectPath.read_bytes, list(path.iterdir()), path))[offset:]
    try:
        with open(path, "rb") as log:
            log.seek(offset)
            return log.read()
    except FileNotFoundError:
        return b""


class _Parts:
    """Lines kept until some seconds have passed since the last part was put; only one may write at a time."""

    def __init__(self, path: ObjectPath) -> None:
        self.path = path
        self.number = max((int(p.name) for p in path.iterdir() if p.name.isdigit()), default=0)
        self.lines: list[bytes] = []
        self.flushed = time.monotonic()

    def write(self, content: bytes) -> None:
        self.lines.append(content)
        if time.monotonic() - self.flushed >= _SECONDS_BETWEEN_FLUSHES:
            self.close()

    def close(self) -> None:
        self.flushed = time.monotonic()
        if self.lines:
            (self.path / f"{self.number + 1:06d}").write_bytes(b"".join(self.lines))
            self.number += 1
            self.lines.clear()


def _partial(folder: str, name: str) -> str:
    """A name that no other writer uses, in the same folder."""
    return f"{folder}/.{name}.{os.getpid()}-{os.urandom(4).hex()}{_PARTIAL}"


def _write(path: str, content: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        view = memoryview(content)
        while view:
            # A single write takes at most 2 GiB.
            view = view[file.write(view) or 0 :]
