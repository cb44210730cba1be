"""Which packages are installed, whatever else lies on Python's path."""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def installed(top: str) -> ModuleSpec | None:
    """Where the package or module `top` is installed, in place or in development mode; None if it is not.

    Modules of Python itself are none of these.
    """
    found = PathFinder.find_spec(top, list(_places()))
    if found is not None:
        return found
    for finder in sys.meta_path:
        # Those that setuptools, hatchling, meson-python and scikit-build-core leave for packages in development.
        if "editable" in str(getattr(finder, "__module__", "")):
            found = finder.find_spec(top, None)
            if found is not None:
                return found
    return None


def origin(spec: ModuleSpec) -> str:
    """The file, or the folder, that a module is in."""
    if spec.has_location and spec.origin:
        return os.path.realpath(spec.origin)
    places = list(spec.submodule_search_locations or ())
    return os.path.realpath(places[0]) if places else str(spec.origin)


@functools.cache
def _places() -> tuple[str, ...]:
    """The folders in which packages are installed, and those that files of theirs (``.pth``) put on the path."""
    folders = [*site.getsitepackages(), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    folders = list(dict.fromkeys(folders))
    files = [(folder, file) for folder in folders for file in sorted(Path(folder).glob("*.pth"))]
    added = [os.path.join(folder, line) for folder, file in files for line in _lines(file)]
    # What a package of setuptools in development has on the path is no folder, but is named like this.
    return (*folders, *(a for a in added if os.path.exists(a)), *(p for p in sys.path if "__editable__" in p))


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith(("#", "import ", "import\t"))]
