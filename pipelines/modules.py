"""The modules of one folder, imported from exactly the bytes of which digests are kept."""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from pipelines.installed import installed

# The program itself, wherever it lies.
OURS = ("exmc", "pipelines")
# Python keeps modules by name, process-wide: while names are exchanged, others who do that wait.
_LOCK = threading.RLock()


class Folder:
    """The modules of the folder `path` in one version, as far as this process has imported them.

    `files` has the SHA-256 (hex) of each file that was run, by its path in the folder. `verify` is called with the path
    and the digest before one is run.
    """

    def __init__(self, path: Path, verify: Callable[[str, str], None]) -> None:
        self.path = path
        self.verify = verify
        self.files: dict[str, str] = {}
        self.modules: dict[str, ModuleType] = {}

    def holds(self, top: str) -> bool:
        """Whether there is a module or package `top`, which is none of Python, of exmc, or installed."""
        return top in self._names() and installed(top) is None

    def _names(self) -> set[str]:
        found = {p.stem if p.suffix == ".py" else p.name for p in self.path.iterdir() if p.suffix in ("", ".py")}
        return {name for name in found if name.isidentifier()} - sys.stdlib_module_names - set(OURS)

    def find_spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Where the module `name` of this folder is, `path` being that of its package."""
        places = [str(self.path)] if path is None else [p for p in path if Path(p).is_relative_to(self.path)]
        for place in places:
            finder = FileFinder(place, (functools.partial(_Loader, self), [".py"]))  # type: ignore[arg-type]
            spec = finder.find_spec(name)
            if spec is not None:
                return spec
        return None

    def load(self, name: str) -> ModuleType:
        """The module `name` of this folder, whatever else of that name this process has imported.

        Python's path must lead to `find_spec` of this folder meanwhile. Names that the program around uses for modules
        of its own stay theirs.
        """
        with _LOCK:
            own = {top for top in self._names() if installed(top) is None}
            others = {n: m for n, m in sys.modules.items() if _top(n) in own and self.modules.get(n) is not m}
            for other in others:
                del sys.modules[other]
            sys.modules.update(self.modules)
            try:
                return importlib.import_module(name)
            finally:
                self.modules |= {n: m for n, m in sys.modules.items() if _top(n) in own}
                _give_back(others, self.modules)


def _give_back(others: Mapping[str, ModuleType], own: Mapping[str, ModuleType]) -> None:
    """Let those of `others` that no folder of ours has loaded have their names again, and their packages theirs."""
    foreign = {_top(name) for name, module in others.items() if _is_foreign(module)}
    for name in own:
        if _top(name) in foreign:
            sys.modules.pop(name, None)
    sys.modules.update({name: module for name, module in others.items() if _top(name) in foreign})


def _is_foreign(module: ModuleType) -> bool:
    """Whether the program around has imported it; packages that are mere folders are anybody's."""
    return getattr(module, "__file__", None) is not None and not isinstance(module.__loader__, _Loader)


def _top(name: str) -> str:
    return name.partition(".")[0]


class _Loader(SourceFileLoader):
    """Runs exactly the bytes of which it takes the digest: what is compiled beside them could be older."""

    def __init__(self, folder: Folder, name: str, path: str) -> None:
        super().__init__(name, path)
        self._folder = folder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The module, if this process has it already."""
        return self._folder.modules.get(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, once."""
        modules, name = self._folder.modules, module.__name__
        if modules.get(name) is module:
            return
        modules[name] = module
        try:
            super().exec_module(module)
        except BaseException:
            del modules[name]
            raise

    def get_code(self, fullname: str) -> Any:
        """The module's code, from its source."""
        source, name = self.get_data(self.path), Path(self.path).relative_to(self._folder.path).as_posix()
        digest = hashlib.sha256(source).hexdigest()
        self._folder.verify(name, digest)
        self._folder.files[name] = digest
        return self.source_to_code(source, self.path)
