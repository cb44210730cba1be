"""Functions that a model names by where they are imported from: ``package.module:function``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from exmc.errors import ModelError, suggest


def import_function(target: str, where: tuple[str, ...]) -> Callable[..., Any]:
    """The function that `target` names; raises `ModelError` at the path `where` if there is none."""
    module_name, _, path = target.partition(":")
    if not path or not all(name.isidentifier() for part in (module_name, path) for name in part.split(".")):
        raise ModelError(f"{target!r} names no function.", where=where, remedy="Write package.module:function.")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise ModelError(
            f"cannot import {module_name!r}: {type(error).__name__}: {error}.",
            where=where,
            remedy="Install it, or put it beside the config.",
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
    function: Callable[..., Any] = found
    return function
