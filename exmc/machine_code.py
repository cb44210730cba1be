"""LLVM's text to machine code, and machine code into this process: the only user of llvmlite at run time."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm

from exmc.cache import ObjectCache
from exmc.errors import CompileError

LOCK = threading.RLock()
"""Held while code is made or loaded; who keeps loaded code looks it up under this lock too."""

_NO_SYMBOLS: Mapping[str, int] = MappingProxyType({})


class Target(NamedTuple):
    """What machine code depends on besides its source."""

    triple: str
    cpu: str
    features: str
    versions: str


class LoadedCode:
    """Machine code in this process; it stays for as long as this object lives."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def address(self, symbol: str) -> int:
        """The address of the function called `symbol`."""
        found: int = self._engine.get_function_address(symbol)
        return found


@functools.cache
def host_target() -> Target:
    """What code compiled in this process depends on."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_process_triple()
    features = llvm.get_host_cpu_features().flatten()
    if triple.startswith("x86"):
        # Gather instructions are slower than scalar loads on the machines that have them.
        features += ",+prefer-no-gather,+prefer-no-scatter"
    version = ".".join(map(str, llvm.llvm_version_info))
    return Target(triple, llvm.get_host_cpu_name(), features, f"llvmlite {llvmlite.__version__}, LLVM {version}")


def object_key(text: str, target: Target) -> str:
    """The digest under which the machine code of a module is known."""
    return hashlib.sha256("\0".join((*target, text)).encode()).hexdigest()


def object_code(text: str, cache: ObjectCache | None) -> bytes:
    """The object code of the module `text` for this machine, from the cache if it is there.

    Raises `CompileError` if LLVM rejects the text.
    """
    key = object_key(text, host_target())
    code = cache.get(key) if cache else None
    if code is None:
        code = emit_object(text)
        if cache:
            cache.put(key, code)
    return code


def emit_object(text: str) -> bytes:
    """The object code of the module `text` for this machine; raises `CompileError` if LLVM rejects it."""
    with LOCK:
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


def load(code: bytes, symbols: Mapping[str, int] = _NO_SYMBOLS) -> LoadedCode:
    """Load object code, whose undefined names stand for the addresses in `symbols`, or for functions of libm."""
    with LOCK:
        for name, address in symbols.items():
            llvm.add_symbol(name, address)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return LoadedCode(engine)


def _machine() -> Any:
    target = host_target()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="jitdefault", jit=True
    )
