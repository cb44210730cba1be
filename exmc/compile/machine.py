"""From LLVM IR text to machine code of this process: the only user of llvmlite."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import threading
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import scipy

from exmc.compile.lower import BATCH_SYMBOL, SYMBOL
from exmc.compile.symbols import external_symbols, symbol_address
from exmc.errors import CompileError

_LOCK = threading.RLock()
_LOADED: dict[str, Code] = {}
"""Loaded code by digest: machine code cannot be unloaded while a density may call it, so each is loaded once."""

BATCH_SIGNATURE = ctypes.CFUNCTYPE(
    None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)
"""Of `Code.batch`: count, positions, values, results, workspace, pointers."""


class Target(NamedTuple):
    """What machine code depends on besides its source."""

    triple: str
    cpu: str
    features: str
    versions: str


class Code(NamedTuple):
    """Loaded machine code: the addresses of its two functions, and what keeps it alive."""

    function: int
    batch: int
    engine: Any


def object_key(text: str, target: Target) -> str:
    """The digest under which machine code is known."""
    return hashlib.sha256("\0".join((*target, text)).encode()).hexdigest()


def loaded(text: str, object_code: bytes, target: Target) -> Code:
    """The code of a module in this process: its object if that was made for this host, else compiled again."""
    here = host_target()
    with _LOCK:
        key = object_key(text, here)
        if key not in _LOADED:
            _LOADED[key] = _link(text, object_code if target == here and object_code else emit_object(text))
        return _LOADED[key]


@functools.cache
def host_target() -> Target:
    """What code compiled in this process depends on."""
    _initialise()
    triple = llvm.get_process_triple()
    features = llvm.get_host_cpu_features().flatten()
    if triple.startswith("x86"):
        # Gather instructions are slower than scalar loads on the machines that have them.
        features += ",+prefer-no-gather,+prefer-no-scatter"
    version = ".".join(map(str, llvm.llvm_version_info))
    versions = f"llvmlite {llvmlite.__version__}, LLVM {version}, scipy {scipy.__version__}"
    return Target(triple, llvm.get_host_cpu_name(), features, versions)


@functools.cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _machine() -> Any:
    target = host_target()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="jitdefault", jit=True
    )


def emit_object(text: str) -> bytes:
    """The object code of a module."""
    with _LOCK:
        machine = _machine()
        try:
            module = llvm.parse_assembly(text)
            module.verify()
        except RuntimeError as error:
            raise CompileError(
                f"LLVM rejects the generated code: {error}",
                remedy="This is a defect of exmc; engine: autograd avoids it.",
            ) from error
        module.triple = host_target().triple
        module.data_layout = str(machine.target_data)
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        options.slp_vectorization = False
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        code: bytes = machine.emit_object(module)
        return code


def _link(text: str, code: bytes) -> Code:
    """Load object code into this process."""
    for name, arity in sorted(set(external_symbols(text))):
        llvm.add_symbol(f"exmc_{name}", symbol_address(name, arity))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Code(engine.get_function_address(SYMBOL), engine.get_function_address(BATCH_SYMBOL), engine)
