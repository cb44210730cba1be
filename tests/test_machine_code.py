"""Modules of LLVM's language: compiled, cached, loaded, rejected."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from exmc import machine_code
from exmc.cache import ObjectCache
from exmc.errors import CompileError

TEXT = "define double @twice(double %x) {\n  %y = fadd double %x, %x\n  ret double %y\n}\n"
UNARY = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)


def test_a_module_is_compiled_once_and_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ObjectCache(tmp_path)
    made = machine_code.object_code(TEXT, cache)
    monkeypatch.setattr(machine_code, "emit_object", lambda text: pytest.fail("compiled again"))
    found = machine_code.object_code(TEXT, cache)
    assert found == made
    loaded = machine_code.load(found)
    assert UNARY(loaded.address("twice"))(21.0) == 42.0


def test_undefined_names_stand_for_the_addresses_given_or_for_libm() -> None:
    text = (
        "declare double @exmc_test_callback(double)\ndeclare double @log1p(double)\n"
        "define double @both(double %x) {\n  %a = call double @exmc_test_callback(double %x)\n"
        "  %b = call double @log1p(double %a)\n  ret double %b\n}\n"
    )
    callback = UNARY(lambda x: x - 1.0)
    address = ctypes.cast(callback, ctypes.c_void_p).value
    assert address is not None
    loaded = machine_code.load(machine_code.object_code(text, None), {"exmc_test_callback": address})
    assert UNARY(loaded.address("both"))(1.0) == 0.0


def test_text_that_is_no_module_is_an_error_that_says_why() -> None:
    with pytest.raises(CompileError, match="LLVM rejects"):
        machine_code.object_code("define nonsense", None)


def test_the_key_is_that_of_text_and_target() -> None:
    here = machine_code.host_target()
    other = here._replace(cpu="another")
    keys = {machine_code.object_key(text, target) for text in (TEXT, TEXT + "; more") for target in (here, other)}
    assert len(keys) == 4
