"""The arguments of a recorded call: values that depend on the position, numbers in the code, data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from exmc.compile.tape import TapeBuilder


class Traced(NamedTuple):
    """An argument that is traced: the id of its value, and whether that depends on data alone."""

    ident: int
    fixed: bool = False


class Unsupported(Exception):  # noqa: N818 - a signal between a rule and the recorder, not an error for users
    """This call has no meaning in primitives; it is recorded as an external call."""


Rule = Callable[..., int]


def operand(builder: TapeBuilder, argument: Any) -> int:
    """The value id of an argument: traced, a number in the code, or data."""
    if isinstance(argument, Traced):
        if builder.types[argument.ident].dtype == "object":
            raise Unsupported
        return argument.ident
    # np.float64 is a float, but comes from data more often than from code.
    if type(argument) in (bool, int, float):
        return builder.literal(argument)
    array = np.asarray(argument) if not isinstance(argument, np.ndarray) else argument
    if array.dtype.kind not in "biuf" or array.dtype == np.longdouble:
        raise Unsupported
    return builder.constant(array)
