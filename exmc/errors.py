"""Every exception of exmc, each carrying what a user needs to mend its cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ExmcError(Exception):
    """Base of all errors that exmc raises on purpose.

    Parameters
    ----------
    message
        What is wrong, with the offending value.
    where
        Where it came from: a path of keys such as ``("variables", "theta", "sigma")``, relative to the
        model until a caller that knows more prefixes it.
    remedy
        What to do about it, if the message does not say so already.
    """

    def __init__(self, message: str, *, where: tuple[str, ...] = (), remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = tuple(where)
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{'.'.join(self.where)}: " if self.where else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{place}{self.message}{remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders; keyword-only arguments do not survive the default pickling.
        return _rebuild, (type(self), self.message, self.where, self.remedy)

    def within(self, *prefix: str) -> ExmcError:
        """The same error, its place prefixed by the keys of an enclosing structure."""
        return type(self)(self.message, where=(*prefix, *self.where), remedy=self.remedy)


def _rebuild(kind: type[ExmcError], message: str, where: tuple[str, ...], remedy: str) -> ExmcError:
    return kind(message, where=where, remedy=remedy)


class ModelError(ExmcError):
    """A model that means nothing: unknown names, shapes that do not fit, values outside a support."""


class ExpressionError(ModelError):
    """An expression that cannot be read or lies outside the whitelist."""


class DataError(ModelError):
    """Data that cannot be read or used: a missing file or column, NaN, ragged rows."""


class ConfigError(ExmcError):
    """A configuration that cannot be run."""


class CompileError(ExmcError):
    """A density that cannot be recorded, lowered or verified."""


class MissingLoweringError(CompileError):
    """A primitive without a lowering; the model still runs with ``engine: autograd``."""


class TooLargeError(CompileError):
    """A density whose machine code would take too long to make; it still runs with ``engine: autograd``."""


class SamplingError(ExmcError):
    """A chain that cannot go on: no valid starting point, a flat posterior, a failing density."""


class StoreError(ExmcError):
    """A run directory that is missing, foreign, incomplete or damaged."""


class ClusterError(ExmcError):
    """A cluster that cannot be reached or started."""


def suggest(name: str, known: Iterable[str]) -> str:
    """``"Did you mean 'x'?"`` for the nearest known name, or the list of known names, or nothing."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not close:
        folded = {n.casefold(): n for n in names}
        close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
        close = [folded[c] for c in close]
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}." if names else ""


def brief(value: object) -> str:
    """`value` as Python writes it, if that is one short line; else what type it has, for messages."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a value of type {type(value).__name__}"
