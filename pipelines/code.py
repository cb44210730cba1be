"""The Python code that a config may name: what is installed, and the modules in one folder that its user allows."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from exmc.errors import ModelError, StoreError
from exmc.imports import current_importer, importing_by
from exmc.trace.files import location
from pipelines.installed import installed, origin
from pipelines.modules import OURS, Folder
from pipelines.places import LocatedError

# Where functions written in C say that they are from, though it is no module that one would name.
_PYTHONS = sys.stdlib_module_names | {"posix", "nt"}


class CodeError(StoreError):
    """Code that a run was begun with, and that is gone or has changed."""


@dataclass(frozen=True, slots=True)
class Code:
    """A folder of modules that a config may import.

    Attributes
    ----------
    folder
        Its absolute path, the same on every worker.
    files
        SHA-256 (hex) by path in the folder, for the files that the draws of a run depend on.
    """

    folder: str
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of `files`, empty if there are none; where the folder lies does not count."""
        return hashlib.sha256(json.dumps(sorted(self.files.items())).encode()).hexdigest() if self.files else ""


def code_folder(path: str | os.PathLike[str] | None) -> Path | None:
    """The folder that ``--code`` names; raises `LocatedError` if there is none."""
    if path is None:
        return None
    folder = location(os.path.expanduser(path))
    if not isinstance(folder, Path) or not folder.is_dir():
        remedy = "Name one of this machine that holds the modules."
        raise LocatedError(f"{os.fspath(path)} is no folder.", place="--code", remedy=remedy)
    return folder.resolve()


def moved(code: Code | None, path: str | os.PathLike[str] | None) -> Code | None:
    """`code` in the folder that it is in now, if `path` names one; raises `LocatedError` if that is none."""
    folder = code_folder(path)
    return code if folder is None else Code(str(folder), {} if code is None else code.files)


def check_code(code: Code | None) -> None:
    """Raise `CodeError` for the first file of `code` that is not there or not what it was, `OSError` if unreadable."""
    if code is None:
        return
    for name in code.files:
        path = Path(code.folder, name)
        try:
            _verify(code, name, hashlib.sha256(path.read_bytes()).hexdigest())
        except (FileNotFoundError, NotADirectoryError):
            raise _gone(path, "is not there") from None


def _verify(code: Code, name: str, digest: str) -> None:
    if code.files.get(name, digest) != digest:
        raise _gone(Path(code.folder, name), "is not what it was")


def _gone(path: Path, what: str) -> CodeError:
    remedy = "Restore it, or name the folder that it is in now: --code DIR. Or begin a new run beside this one: "
    return CodeError(f"{path}, code that this run was begun with, {what}.", remedy=f"{remedy}--force-restart")


@contextmanager
def permitted(code: Code | None, beside: Path | None = None) -> Iterator[Permission]:
    """In here, and in no other thread, models import nothing but installed packages and modules of `code`.

    `beside` is a folder to be named to whoever has modules in it that may not be imported. Raises `CodeError` if files
    of `code` are gone, or others than they were.
    """
    permission = Permission(None if code is None else _folder_of(code), beside)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    with importing_by(permission):
        yield permission


def run_permitted(code: Code | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)``, `permitted` to import `code`: what tasks are submitted as."""
    try:
        with permitted(code):
            return function(*arguments)
    except CodeError as error:
        remedy = "The folder of --code must lie, unchanged, at its path on every worker: shared or copied."
        raise CodeError(f"a worker on {socket.gethostname()}: {error.message}", remedy=remedy) from None


class Permission:
    """Imports what a config may: see `permitted`."""

    def __init__(self, folder: Folder | None, beside: Path | None) -> None:
        self.folder = folder
        self._beside = beside
        self._found: dict[str, ModuleType] = {}

    def module(self, name: str) -> ModuleType:
        """The module called `name`; raises `ModelError` if it may not be imported."""
        # A density that autograd interprets asks at each gradient.
        if name not in self._found:
            self._found[name] = self._import(name)
        return self._found[name]

    def check(self, found: Any, target: str) -> None:
        """Raise `ModelError` for a function of Python itself, which the module it is named in has but imported."""
        if isinstance(found, FunctionType | BuiltinFunctionType | MethodType | type):
            root = str(found.__module__).partition(".")[0]
            if root in _PYTHONS:
                raise ModelError(f"{target!r} is of Python itself.", remedy="A config names nothing of that.")

    def record(self, targets: Collection[str]) -> Code | None:
        """What a run has to keep of the folder, if `targets` are the functions that its model names."""
        folder = self.folder
        if folder is None:
            return None
        own = any(target.partition(":")[0] in folder.modules for target in targets)
        code = Code(str(folder.path), dict(folder.files) if own else {})
        if code.files:
            _FOLDERS[code.folder, code.digest] = folder
        return code

    def _import(self, name: str) -> ModuleType:
        top = name.partition(".")[0]
        if top in OURS:
            return importlib.import_module(name)
        if top in sys.stdlib_module_names:
            raise ModelError(f"{name!r} is a module of Python itself.", remedy="A config names nothing of that.")
        if self.folder is not None and self.folder.holds(top):
            return self.folder.load(name)
        self._require_installed(name, top)
        return importlib.import_module(name)

    def _require_installed(self, name: str, top: str) -> None:
        there = installed(top)
        if there is None:
            places = [p for p in (self._beside, Path.cwd()) if p is not None and _is_in(p, top)]
            near = os.path.relpath(places[0]) if places else "DIR"
            remedy = f"Install it, or allow the folder that it is in: --code {near} (in Python, code={near!r})."
            where = f", and not in {self.folder.path}" if self.folder is not None else ""
            raise ModelError(f"the module {name!r} is not installed{where}.", remedy=remedy)
        if self.folder is not None and _is_in(self.folder.path, top):
            message = f"{name!r} is in {self.folder.path}, and installed, too ({origin(there)})."
            raise ModelError(message, remedy="Call it by another name.")
        try:
            found = importlib.util.find_spec(top)
        except ValueError:
            found = None
        if found is None or origin(found) != origin(there):
            shadow = "elsewhere" if found is None else origin(found)
            message = f"{name!r} would be imported from {shadow}, not from where it is installed ({origin(there)})."
            raise ModelError(message, remedy="Take that off Python's path (PYTHONPATH).")


class _Finder:
    """Finds what the modules of a permitted folder import of it, whenever they do that."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Called by Python's import, first of all finders."""
        importer, top = current_importer(), name.partition(".")[0]
        if not isinstance(importer, Permission) or importer.folder is None:
            return None
        return importer.folder.find_spec(name, path) if importer.folder.holds(top) else None


# A process imports a module once: here are the folders that runs of this process have imported from, in each version.
_FOLDERS: dict[tuple[str, str], Folder] = {}
_LOCK = threading.Lock()


def _folder_of(code: Code) -> Folder:
    def verify(name: str, digest: str) -> None:
        _verify(code, name, digest)

    if not code.files:
        return Folder(Path(code.folder), verify)
    with _LOCK:
        found = _FOLDERS.get((code.folder, code.digest))
        if found is None:
            check_code(code)
            found = _FOLDERS[code.folder, code.digest] = Folder(Path(code.folder), verify)
        return found


def _is_in(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()
