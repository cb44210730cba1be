"""Packages that are imported when something of theirs is first used, for the time that takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from exmc.garbage import promote, uncollected


@contextmanager
def importing() -> Iterator[None]:
    """For imports, which take a quarter less time if Python does not look for garbage among all that they make.

    Nearly all of it stays.
    """
    with uncollected():
        yield
        promote()


def imported(name: str) -> ModuleType:
    """The module called `name`, imported if it is not yet."""
    if name in sys.modules:
        return import_module(name)
    with importing():
        return import_module(name)


class Late:
    """Stands for the module `name`, which is imported when an attribute of it is first asked for.

    For packages that this one depends on alone: that one is missing is then found late, too. Written so, where types
    are checked, the module is itself (compare the standard library's LazyLoader, which puts what is not imported yet
    among ``sys.modules``, where others find it)::

        if TYPE_CHECKING:
            import xarray as xr
        else:
            xr = Late("xarray")
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(imported(self._name), attribute)
