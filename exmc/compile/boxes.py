"""The box of a value that is being recorded: it has a shape, but no number that Python code may look at."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import Box
from autograd.numpy.numpy_boxes import ArrayBox

from exmc.errors import CompileError

_OWN_MODULES = ("exmc.compile.", "exmc.special", "exmc.linalg", "exmc.logspace", "autograd", "numpy")


def plain(value: Any) -> Any:
    """The array or number inside of boxes."""
    while isinstance(value, Box):
        value = value._value
    return value


def line_of_user() -> tuple[str, ...]:
    """The file and line of the user's function that is being run, or nothing in a derivative."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _starts_recording(frame):
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(_OWN_MODULES):
            return (f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}",)
        frame = frame.f_back
    return ()


def _starts_recording(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "exmc.compile.tracing" and frame.f_code.co_name == "trace"


class RecordBox(ArrayBox):  # type: ignore[misc]
    """A value while recording: it has a shape but no number that Python code may look at."""

    __slots__ = []

    def _refuse(self, use: str) -> CompileError:
        return CompileError(
            f"The function takes {use} of a value that depends on the parameters (shape {self.shape}).",
            where=self._node.recorder.where(),
            remedy="Recorded once, it would keep one branch or number for ever: use np.where, np.maximum or "
            "another function of autograd.numpy instead.",
        )

    def __bool__(self) -> bool:
        raise self._refuse("the truth (if, while, and, or, not)")

    def __float__(self) -> float:
        raise self._refuse("float()")

    def __int__(self) -> int:
        raise self._refuse("int()")

    def __index__(self) -> int:
        raise self._refuse("an index or range()")

    def __complex__(self) -> complex:
        raise self._refuse("complex()")

    def __and__(self, other: Any) -> Any:
        return _of_truths(anp.logical_and, self, other)

    def __or__(self, other: Any) -> Any:
        return _of_truths(anp.logical_or, self, other)

    def __invert__(self) -> Any:
        return _of_truths(anp.logical_not, self)

    __rand__, __ror__ = __and__, __or__

    def __hash__(self) -> int:
        return id(self)


def _of_truths(function: Any, *operands: Any) -> Any:
    return function(*operands) if all(plain(o).dtype == np.bool_ for o in operands) else NotImplemented
