"""Generates the kernel's text in LLVM's language from its Python source: the only user of numba, for developers.

`scripts/generate_kernel` writes the text into the package. Nothing else imports this module; a user needs no numba.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core import cgutils, compiler, config, types
from numba.core.funcdesc import ExternalFunctionDescriptor
from numba.core.registry import cpu_target
from numba.extending import lower_builtin, register_jitable, type_callable
from numba.np.arrayobj import populate_array

from exmc.nuts import machine
from exmc.nuts.iterations import entry
from exmc.nuts.kernel import ARGUMENT_KINDS, SYMBOL

Function = TypeVar("Function", bound=Callable[..., Any])

# numba carries no types of its own.
_compile: Any = compiler.compile_extra
_Flags: Any = compiler.Flags
_FunctionDescriptor: Any = ExternalFunctionDescriptor
_fill: Any = populate_array
_pack: Any = cgutils.pack_array
_lower: Any = lower_builtin
_target: Any = cpu_target

# No reference counting: nothing here allocates, and the counters' atomic instructions would be contended between
# chains. Division follows IEEE (no ZeroDivisionError), and no fast-math flag is set, so that the order of every
# sum, and with it every bit, is fixed by the source.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "_nrt": False}

_KINDS: dict[str, Any] = {"double": types.float64, "i64": types.int64}
# What may stay undefined in the kernel: the C library's mathematics. (LLVM defines its own "llvm." functions.)
_LIBM = {"exp", "log1p", "pow", "sqrt"}


def jit(function: Callable[..., Any]) -> Any:
    """`function`, which may call those of the kernel, as numba's machine code: for tests."""
    _register(function)
    return numba.njit(**_OPTIONS)(function)


def generate() -> str:
    """The kernel as one module of LLVM's language, the same for every CPU of 64 bits.

    Raises `RuntimeError` if numba optimises, and `ValueError` if the kernel needs anything but libm, or may raise.
    """
    if int(vars(config)["OPT"]) != 0 or vars(config)["LOOP_VECTORIZE"]:
        raise RuntimeError("start Python with NUMBA_OPT=0 NUMBA_LOOP_VECTORIZE=0, or the text is for this CPU only")
    inner, text = _translate()
    text = _simplified(_with_entry(text, inner))
    _check(text)
    return text


def _translate() -> tuple[str, str]:
    """numba's translation: the name of the function that is `entry`, and the module."""
    _register(entry)
    flags = _Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.error_model, flags.nrt = _OPTIONS["error_model"], _OPTIONS["_nrt"]
    typing, target = _target.typing_context, _target.target_context
    typing.refresh()
    target.refresh()
    kinds = [_KINDS[kind] for kind in ARGUMENT_KINDS]
    compiled = _compile(typing, target, entry, kinds, types.none, flags, {})
    return compiled.fndesc.llvm_func_name, str(compiled.library._final_module)


def _with_entry(text: str, inner: str) -> str:
    """`text` with a C function around `inner`, which takes numba's two additional pointers."""
    parameters = ", ".join(f"{kind} %a{i}" for i, kind in enumerate(ARGUMENT_KINDS))
    return text + (
        f"\ndefine i32 @{SYMBOL}({parameters}) {{\n"
        "  %result = alloca ptr\n  %raised = alloca ptr\n"
        f"  %status = call i32 @{inner}(ptr %result, ptr %raised, {parameters})\n"
        "  ret i32 %status\n}\n"
    )


def _simplified(text: str) -> str:
    """The module with its one public function, inlined and simplified by what every CPU profits from."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    for function in module.functions:
        if not function.is_declaration and function.name != SYMBOL:
            function.linkage = "internal"
    for variable in module.global_variables:
        variable.linkage = "internal"
    # No CPU is named, so that nothing depends on the one at hand; unrolling and vectorising come later, for that CPU.
    target = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_strip_symbols_pass()
    passes.add_strip_dead_prototype_pass()
    passes.run(module, builder)
    # Out with what remains of numba's names, with this machine's, and with what only this version of LLVM can read:
    # all of it is found again where the text is compiled.
    text = re.sub(r",? !(noalias|alias\.scope|prof) ![0-9]+", "", str(module))
    text = re.sub(r" (captures\(none\)|nocreateundeforpoison|initializes\(\([^)]*\)\))", "", text)
    dropped = ("!", "target ", "source_filename", "; ModuleID")
    body = "\n".join(line for line in text.splitlines() if not line.startswith(dropped)).strip()
    versions = f"Python {platform.python_version()}, numba {numba.__version__}, llvmlite {llvmlite.__version__}"
    return f"; Generated by scripts/generate_kernel with {versions}. Not to be edited.\n\n{body}\n"


def _check(text: str) -> None:
    module = llvm.parse_assembly(text)
    module.verify()
    foreign = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")} - _LIBM
    public = {f.name for f in module.functions if not f.is_declaration and f.linkage != llvm.Linkage.internal}
    if foreign or public != {SYMBOL}:
        raise ValueError(f"the kernel calls {sorted(foreign)} and defines {sorted(public)}")
    (body,) = re.findall(rf"^define [^\n]*@{SYMBOL}\(.*?^}}", text, flags=re.MULTILINE | re.DOTALL)
    if set(re.findall(r"^  ret (.*)$", body, flags=re.MULTILINE)) != {"i32 0"}:
        raise ValueError("something in the kernel may raise an exception")


def _register(function: Callable[..., Any]) -> None:
    """Let numba compile the kernel's functions that `function` calls, and those that they call."""
    for found in _reachable(function, set()):
        register_jitable(**_OPTIONS)(found)


def _reachable(function: Any, seen: set[int]) -> Iterator[FunctionType]:
    """The marked functions that `function` refers to, as a global, as an attribute of a module, or in its closure."""
    code, cells = function.__code__, function.__closure__ or ()
    values = [function.__globals__.get(name) for name in code.co_names] + [cell.cell_contents for cell in cells]
    modules = [value for value in values if isinstance(value, ModuleType)]
    values += [getattr(module, name, None) for module in modules for name in code.co_names]
    for value in values:
        if isinstance(value, FunctionType) and machine.is_compiled(value) and id(value) not in seen:
            seen.add(id(value))
            yield value
            yield from _reachable(value, seen)


def _lowers(function: Callable[..., Any], *kinds: Any) -> Callable[[Function], Function]:
    """Says that what is decorated generates the code of `function` of arguments of these kinds."""
    register: Callable[[Function], Function] = _lower(function, *kinds)
    return register


@type_callable(machine.call_density)
def _type_call(context: Any) -> Any:
    return lambda address, position, gradient, workspace, pointers: types.float64


@_lowers(machine.call_density, types.int64, *[types.Array] * 4)
def _lower_call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    descriptor = _FunctionDescriptor("density", types.float64, (types.voidptr,) * 4)
    function_type = context.get_external_function_type(descriptor)
    function = builder.inttoptr(values[0], function_type.as_pointer())
    byte_pointer = context.get_value_type(types.voidptr)
    data = [
        builder.bitcast(context.make_array(kind)(context, builder, value).data, byte_pointer)
        for kind, value in zip(signature.args[1:], values[1:], strict=True)
    ]
    return builder.call(function, data)


@type_callable(machine.multiply_high)
def _type_multiply(context: Any) -> Any:
    return lambda left, right: types.uint64


@_lowers(machine.multiply_high, types.uint64, types.uint64)
def _lower_multiply(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    narrow = context.get_value_type(types.uint64)
    wide = type(narrow)(128)
    product = builder.mul(builder.zext(values[0], wide), builder.zext(values[1], wide))
    return builder.trunc(builder.lshr(product, wide(64)), narrow)


@type_callable(machine.vector)
def _type_vector(context: Any) -> Any:
    return lambda address, size: types.Array(types.float64, 1, "C")


@type_callable(machine.matrix)
def _type_matrix(context: Any) -> Any:
    return lambda address, rows, columns: types.Array(types.float64, 2, "C")


@type_callable(machine.words)
def _type_words(context: Any) -> Any:
    return lambda address, size: types.Array(types.uint64, 1, "C")


@_lowers(machine.vector, types.int64, types.int64)
@_lowers(machine.words, types.int64, types.int64)
@_lowers(machine.matrix, types.int64, types.int64, types.int64)
def _lower_array(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """An array of doubles or words, of eight bytes each, over memory that belongs to somebody else."""
    array = context.make_array(signature.return_type)(context, builder)
    address, *shape = values
    size = context.get_constant(types.intp, 8)
    strides = [size] if len(shape) == 1 else [builder.mul(shape[1], size), size]
    _fill(
        array,
        data=builder.inttoptr(address, array.data.type),
        shape=_pack(builder, shape),
        strides=_pack(builder, strides),
        itemsize=size,
        meminfo=None,
    )
    return array._getvalue()
