"""What a function of the position computes according to autograd and numpy themselves, interpreted."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from autograd.core import VJPNode, backward_pass, vspace
from autograd.tracer import Box, new_box, trace_stack

from exmc.compile.primitives import Array
from exmc.errors import CompileError

# Held by whoever runs autograd, whose trace stack all threads share; set when the holder was given up.
_LOCK = threading.RLock()
_LOST = threading.Event()
_SECONDS_BETWEEN_LOOKS = 0.2


@contextlib.contextmanager
def autograd_held() -> Iterator[None]:
    """Have autograd to oneself. Raises `CompileError` if the thread that has it was given up (`give_autograd_up`)."""
    while not _LOCK.acquire(timeout=_SECONDS_BETWEEN_LOOKS):
        if _LOST.is_set():
            raise CompileError(
                "autograd is held by a function that does not return.",
                remedy="Mend the function, and start a new Python process: this one cannot end it.",
            )
    try:
        _LOST.clear()
        yield
    finally:
        _LOCK.release()


def give_autograd_up() -> None:
    """Let nobody wait for the thread that runs autograd now, if one does; once it is done, all is as before."""
    if _LOCK.acquire(blocking=False):
        _LOCK.release()
    else:
        _LOST.set()


def evaluate(function: Callable[[Any], Any], position: Array) -> tuple[Array, ...]:
    """What a function of arrays returns at a position, without recording, as a tuple of float64 arrays."""
    with autograd_held(), np.errstate(all="ignore"):
        result = function(position.copy())
    return tuple(np.asarray(array, dtype=np.float64) for array in result)


def autograd_value_and_gradient(function: Callable[[Any], Any], position: Array) -> tuple[Array, Array]:
    """The value, shape (), and the gradient, shape (dimension,), by autograd itself, interpreted."""
    with autograd_held(), np.errstate(all="ignore"):
        depth = trace_stack.top
        try:
            with trace_stack.new_trace() as level:
                result = function(new_box(position.copy(), level, VJPNode.new_root()))
            # An output that does not depend on the input is a legal density; autograd's own driver warns of it.
            dependent = isinstance(result, Box) and result._trace == level
            value = result._value if dependent else result
            if np.shape(value) != ():
                raise CompileError(f"A log density is a scalar; this one has shape {np.shape(value)}.")
            seed = vspace(value).ones() if dependent else 0.0
            slope = backward_pass(seed, result._node) if dependent else np.zeros(position.shape)
        finally:
            trace_stack.top = depth
    return np.asarray(value, dtype=np.float64), np.asarray(slope, dtype=np.float64)
