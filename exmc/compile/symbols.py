"""The addresses of special functions in scipy, for machine code to call."""

from __future__ import annotations

import ctypes
import re

import scipy
import scipy.special.cython_special as cython_special

from exmc.errors import CompileError


def external_symbols(text: str) -> list[tuple[str, int]]:
    """The special functions a module calls, and how many numbers each takes."""
    found = re.findall(r"^declare double @exmc_(\w+)\(([^)]*)\)", text, flags=re.MULTILINE)
    return [(name, kinds.count("double")) for name, kinds in found]


def special_address(name: str, arity: int) -> int:
    """The address of a special function of doubles in scipy."""
    exports: dict[str, object] = dict(cython_special.__pyx_capi__)
    wanted = "double (" + "double, " * arity + "int __pyx_skip_dispatch)"
    known = {"digamma": "psi"}.get(name, name)
    for candidate in (known, f"__pyx_fuse_0{known}", f"__pyx_fuse_1{known}"):
        if candidate in exports and _capsule_name(exports[candidate]).decode() == wanted:
            address: int = _capsule_pointer(exports[candidate], _capsule_name(exports[candidate]))
            return address
    raise CompileError(f"scipy {scipy.__version__} exports no {name} of {arity} doubles.")


_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype, _capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
