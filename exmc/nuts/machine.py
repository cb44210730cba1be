"""Ties the sampler's functions to machine code: their options, their origin, and the two things Python cannot say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba.core import types
from numba.core.funcdesc import ExternalFunctionDescriptor
from numba.extending import intrinsic, register_jitable

_FunctionDescriptor: Any = ExternalFunctionDescriptor
Function = TypeVar("Function", bound=Callable[..., Any])

# No reference counting: nothing here allocates, and the counters' atomic instructions would be contended between
# chains. Division follows IEEE (no ZeroDivisionError), and no fast-math flag is set, so that the order of every
# sum, and with it every bit, is fixed by the source.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "_nrt": False}


def source_digest() -> str:
    """SHA-256 of all sources of this package as they are on disk now."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


# Every other module of the kernel imports this one first. If the sources on disk are still these when the kernel is
# compiled, then these are what was imported.
SOURCES_AT_IMPORT = source_digest()


def compiled(function: Function) -> Function:
    """Mark `function` as part of the kernel: it stays plain Python, and machine code may call it."""
    marked: Function = register_jitable(**OPTIONS)(function)
    return marked


def _instruction(function: Callable[..., Any]) -> Any:
    """What `function` generates, callable from compiled code only."""
    return intrinsic(function)


@_instruction
def call_density(typing: Any, address: Any, position: Any, gradient: Any, workspace: Any, pointers: Any) -> Any:
    """Call the C function at `address` with the addresses of four one-dimensional arrays (`exmc.density`)."""
    arrays = (position, gradient, workspace, pointers)
    signature = types.float64(types.int64, *arrays)
    # The descriptor spares us the types of LLVM, which only `exmc.compile` imports.
    descriptor: Any = _FunctionDescriptor("density", types.float64, (types.voidptr,) * 4)

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        function_type = context.get_external_function_type(descriptor)
        function = builder.inttoptr(values[0], function_type.as_pointer())
        byte_pointer = context.get_value_type(types.voidptr)
        data = [
            builder.bitcast(context.make_array(kind)(context, builder, value).data, byte_pointer)
            for kind, value in zip(arrays, values[1:], strict=True)
        ]
        return builder.call(function, data)

    return signature, generate


@_instruction
def multiply_high(typing: Any, left: Any, right: Any) -> Any:
    """The upper 64 bits of the 128-bit product of two uint64."""

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        narrow = context.get_value_type(types.uint64)
        wide = type(narrow)(128)
        product = builder.mul(builder.zext(values[0], wide), builder.zext(values[1], wide))
        return builder.trunc(builder.lshr(product, wide(64)), narrow)

    return types.uint64(types.uint64, types.uint64), generate
