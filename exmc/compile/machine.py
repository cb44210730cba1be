"""Machine code of densities in this process, each loaded once."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from exmc.compile.lowered import BATCH_SYMBOL, SYMBOL
from exmc.compile.symbols import external_symbols, symbol_address
from exmc.machine_code import LOCK, LoadedCode, Target, emit_object, host_target, load, object_key

_LOADED: dict[str, Code] = {}
"""Loaded code by digest: machine code cannot be unloaded while a density may call it, so each is loaded once."""

BATCH_SIGNATURE = ctypes.CFUNCTYPE(
    None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)
"""Of `Code.batch`: count, positions, values, results, workspace, pointers."""


class Code(NamedTuple):
    """Loaded machine code: the addresses of its two functions, and what keeps it alive."""

    function: int
    batch: int
    loaded: LoadedCode


def loaded(text: str, object_code: bytes, target: Target) -> Code:
    """The code of a module in this process: its object if that was made for this host, else compiled again."""
    here = host_target()
    with LOCK:
        key = object_key(text, here)
        if key not in _LOADED:
            _LOADED[key] = _link(text, object_code if target == here and object_code else emit_object(text))
        return _LOADED[key]


def _link(text: str, code: bytes) -> Code:
    """Load object code into this process."""
    symbols = {f"exmc_{name}": symbol_address(name, arity) for name, arity in sorted(set(external_symbols(text)))}
    found = load(code, symbols)
    return Code(found.address(SYMBOL), found.address(BATCH_SYMBOL), found)
