"""Where each key of a config was written, so that an error can say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from exmc.errors import ConfigError, ExmcError

KeyPath: TypeAlias = tuple[str, ...]


class LocatedError(ConfigError):
    """An error of a config together with the file and line (`place`) that holds its cause."""

    def __init__(self, message: str, *, where: KeyPath = (), remedy: str = "", place: str = "") -> None:
        super().__init__(message, where=where, remedy=remedy)
        self.place = place

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.place}: {text}" if self.place else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.message, self.where, self.remedy, self.place)


def _rebuild(message: str, where: KeyPath, remedy: str, place: str) -> LocatedError:
    return LocatedError(message, where=where, remedy=remedy, place=place)


@dataclass(frozen=True, slots=True)
class Places:
    """The source of a config (a file name) and, for each key path in it, ``file:line`` (or the `--set` option)."""

    source: str
    by_path: Mapping[KeyPath, str]

    def of(self, path: KeyPath) -> str:
        """The place of the deepest key along `path` that was written; the file itself if none was."""
        for length in range(len(path), 0, -1):
            found = self.by_path.get(path[:length])
            if found is not None:
                return found
        return self.source

    def error(self, message: str, where: KeyPath = (), remedy: str = "") -> LocatedError:
        """An error at the key path `where`."""
        return LocatedError(message, where=where, remedy=remedy, place=self.of(where))

    def locate(self, error: ExmcError, *prefix: str) -> LocatedError:
        """`error`, whose `where` is relative to the key path `prefix`, with its place."""
        if isinstance(error, LocatedError):
            return error
        return self.error(error.message, (*prefix, *error.where), error.remedy)
