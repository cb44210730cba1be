"""Functions that a model names by where they are imported from: ``package.module:function``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Protocol

from exmc.errors import ExmcError, ModelError, suggest


class Importer(Protocol):
    """Decides which modules may be imported for a model."""

    def module(self, name: str) -> ModuleType:
        """The module called `name`; raises `ModelError` if it may not be imported."""

    def check(self, found: Any, target: str) -> None:
        """Raise `ModelError` if `found`, which `target` names in a module that may be imported, may not be used."""


class _Anywhere:
    """Whatever Python finds: a model that is built in Python is part of a program that can import it all itself."""

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(name)

    def check(self, found: Any, target: str) -> None:
        del found, target


_ANYWHERE = _Anywhere()
_IMPORTER: ContextVar[Importer] = ContextVar("importer")


@contextmanager
def importing_by(importer: Importer) -> Iterator[None]:
    """Within this context, and in no other thread, `import_function` asks `importer`."""
    token = _IMPORTER.set(importer)
    try:
        yield
    finally:
        _IMPORTER.reset(token)


def current_importer() -> Importer:
    """The importer of this context."""
    return _IMPORTER.get(_ANYWHERE)


def import_function(target: str, where: tuple[str, ...]) -> Callable[..., Any]:
    """The function that `target` names; raises `ModelError` at the path `where` if there is none."""
    module_name, _, path = target.partition(":")
    if not path or not all(name.isidentifier() for part in (module_name, path) for name in part.split(".")):
        raise ModelError(f"{target!r} names no function.", where=where, remedy="Write package.module:function.")
    importer = current_importer()
    try:
        found: Any = importer.module(module_name)
    except ModelError as error:
        raise error.within(*where) from None
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"cannot import {module_name!r}: {type(error).__name__}: {error}.",
            where=where,
            remedy=error.remedy if isinstance(error, ExmcError) else "Install it, or what it needs.",
        ) from error
    for name in path.split("."):
        if not hasattr(found, name):
            known = [n for n in dir(found) if not n.startswith("_")]
            near = suggest(name, known)
            near = near if near.startswith("Did") else ""
            raise ModelError(f"{module_name!r} has no {path!r}.", where=where, remedy=near)
        found = getattr(found, name)
    if not callable(found):
        raise ModelError(f"{target!r} is not a function.", where=where)
    try:
        importer.check(found, target)
    except ModelError as error:
        raise error.within(*where) from None
    function: Callable[..., Any] = found
    return function
