"""The addresses of functions in scipy, for machine code to call."""

from __future__ import annotations

import ctypes
import re
from importlib import import_module

import scipy

from exmc.errors import CompileError


def external_symbols(text: str) -> list[tuple[str, int]]:
    """The functions of scipy a module calls, and how many arguments each takes (0 for one of LAPACK or BLAS)."""
    found = re.findall(r"^declare (double|void) @exmc_(\w+)\(([^)]*)\)", text, flags=re.MULTILINE)
    return [(name, kinds.count("double") if result == "double" else 0) for result, name, kinds in found]


def symbol_address(name: str, arity: int) -> int:
    """The address of a function that `external_symbols` found."""
    return special_address(name, arity) if arity else linear_address(name)


def linear_address(name: str) -> int:
    """The address of a routine of the LAPACK or BLAS that scipy brings."""
    for module in _LINEAR:
        exports = _exports(module)
        if name in exports:
            address: int = _capsule_pointer(exports[name], _capsule_name(exports[name]))
            return address
    raise CompileError(f"scipy {scipy.__version__} exports no {name}.")


def special_address(name: str, arity: int) -> int:
    """The address of a special function of doubles in scipy."""
    exports = _exports(_SPECIAL)
    wanted = "double (" + "double, " * arity + "int __pyx_skip_dispatch)"
    known = {"digamma": "psi"}.get(name, name)
    for candidate in (known, f"__pyx_fuse_0{known}", f"__pyx_fuse_1{known}"):
        if candidate in exports and _capsule_name(exports[candidate]).decode() == wanted:
            address: int = _capsule_pointer(exports[candidate], _capsule_name(exports[candidate]))
            return address
    raise CompileError(f"scipy {scipy.__version__} exports no {name} of {arity} doubles.")


# Most models call none of them, and scipy.linalg takes longer to import than such a model to compile.
_LINEAR = ("scipy.linalg.cython_lapack", "scipy.linalg.cython_blas")
_SPECIAL = "scipy.special.cython_special"


def _exports(module: str) -> dict[str, object]:
    """The C functions that one of scipy's modules exports."""
    return dict(import_module(module).__pyx_capi__)


_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype, _capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
