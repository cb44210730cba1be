"""Kernels end to end: compiled, cached, pickled, shared by threads, moved to other hosts."""

from __future__ import annotations

import ctypes
import pickle
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest

import exmc.compile.lower as lowering
from exmc import machine_code, special
from exmc.compile.kernel import Kernel, compile_density, compile_outputs
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.compile.symbols import special_address
from exmc.errors import CompileError, MissingLoweringError
from exmc.machine_code import host_target
from tests.compile.test_record import eight_schools

_RANDOM = np.random.default_rng(3)
DESIGN = _RANDOM.normal(size=(200, 5))
GROUP = _RANDOM.integers(0, 7, 200)
SUCCESS = _RANDOM.integers(0, 2, 200)


def regression(x):
    """A logistic regression with a varying intercept: a gather and a product."""
    slopes, intercepts, log_scale = x[:5], x[5:12], x[12]
    scale = anp.exp(log_scale)
    linear = intercepts[GROUP] * scale + DESIGN @ slopes
    return anp.sum(SUCCESS * linear - special.softplus(linear)) - 0.5 * anp.sum(x**2) + log_scale


DENSITIES = [(eight_schools, 10), (regression, 13)]


@pytest.mark.parametrize(("function", "dimension"), DENSITIES, ids=["eight_schools", "regression"])
def test_density_equals_autograd(function, dimension, tmp_path: Path) -> None:
    density = compile_density(function, dimension, cache=tmp_path).load()
    generator = np.random.default_rng(5)
    for _ in range(20):
        position = generator.uniform(-3, 3, dimension)
        value, gradient = density(position)
        expected = autograd_value_and_gradient(function, position)
        assert value == pytest.approx(float(expected[0]), rel=1e-12)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-10, atol=1e-12)


def test_engines_agree(tmp_path: Path) -> None:
    position = np.linspace(-1, 1, 10)
    native = compile_density(eight_schools, 10, cache=tmp_path).load()(position)
    interpreted = compile_density(eight_schools, 10, engine="autograd").load()(position)
    assert native[0] == pytest.approx(interpreted[0], rel=1e-13)
    np.testing.assert_allclose(native[1], interpreted[1], rtol=1e-12)


def outputs(x):
    return anp.exp(x[0]), anp.outer(x[:2], x[:3]), anp.concatenate([x, x[:0]]), np.arange(2.0), x[1] > 0


@pytest.mark.parametrize("engine", ["native", "autograd"])
@pytest.mark.parametrize("count", [0, 1, 17])
def test_outputs_of_many_positions(engine, count: int, tmp_path: Path) -> None:
    batch = compile_outputs(outputs, 3, engine=engine, cache=tmp_path)
    positions = np.random.default_rng(0).normal(size=(count, 3))
    found = batch(positions)
    assert [a.shape for a in found] == [(count,), (count, 2, 3), (count, 3), (count, 2), (count,)]
    for row in range(count):
        for mine, theirs in zip(found, outputs(positions[row]), strict=True):
            np.testing.assert_allclose(mine[row], theirs, rtol=1e-14)
    with pytest.raises(ValueError, match=r"not \(n, 3\)"):
        batch(np.zeros((2, 4)))


@pytest.mark.parametrize("engine", ["native", "autograd"])
def test_machine_code_alone_may_be_called_with_pythons_lock_held(engine, tmp_path: Path) -> None:
    density = compile_density(eight_schools, 10, engine=engine, cache=tmp_path).load()
    density.pace.note(1, 1e-6)
    assert density.pace.is_short(1, 10) == (engine == "native")


def test_threads_share_a_kernel_and_agree_bit_for_bit(tmp_path: Path) -> None:
    density = compile_density(regression, 13, cache=tmp_path).load()
    positions = np.random.default_rng(9).uniform(-2, 2, (300, 13))
    expected = [density(p) for p in positions]
    found: dict[int, list] = {}

    def work(number: int) -> None:
        found[number] = [density(p) for p in positions]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for results in found.values():
        for (value, gradient), (value0, gradient0) in zip(results, expected, strict=True):
            assert value == value0
            assert gradient.tobytes() == gradient0.tobytes()


def test_pickled_kernel_gives_the_same_bits_in_another_process(tmp_path: Path) -> None:
    kernel = compile_density(regression, 13, cache=tmp_path)
    position = np.linspace(-1.5, 1.5, 13)
    value, gradient = kernel.load()(position)
    (tmp_path / "kernel.pickle").write_bytes(pickle.dumps(kernel))
    script = (
        "import pickle, sys, numpy as np\n"
        "kernel = pickle.load(open(sys.argv[1], 'rb'))\n"
        "value, gradient = kernel.load()(np.linspace(-1.5, 1.5, 13))\n"
        "print(value.hex(), gradient.tobytes().hex())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "kernel.pickle")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [value.hex(), gradient.tobytes().hex()]


def test_kernel_of_another_host_is_compiled_from_its_text(tmp_path: Path) -> None:
    kernel = compile_density(eight_schools, 10, cache=tmp_path)
    foreign = replace(kernel, object_code=b"\x7fELF of some other machine", target=host_target()._replace(cpu="alien"))
    foreign = replace(foreign, text=kernel.text + "\n; elsewhere\n")
    position = np.linspace(-1, 1, 10)
    assert foreign.load()(position)[0] == kernel.load()(position)[0]


def test_loaded_code_is_shared(tmp_path: Path) -> None:
    kernel = compile_density(eight_schools, 10, cache=tmp_path)
    again = pickle.loads(pickle.dumps(kernel))
    assert again.load().address == kernel.load().address
    assert again.digest == kernel.digest


def test_refit_with_new_data_takes_the_object_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(y: np.ndarray) -> Kernel:
        kernel = compile_density(lambda x: -0.5 * anp.sum((y - x[0]) ** 2) - 0.5 * x[0] ** 2, 1, cache=tmp_path)
        assert isinstance(kernel, Kernel)
        return kernel

    first = fit(np.arange(5.0))

    def refuse(text: str) -> bytes:
        raise AssertionError("compiled again")

    monkeypatch.setattr(machine_code, "emit_object", refuse)
    second = fit(np.ones(5))
    assert second.digest == first.digest
    assert second.load()(np.zeros(1))[0] == -2.5
    assert first.load()(np.zeros(1))[0] == -15.0


@pytest.mark.parametrize("damage", [b"", b"rotten"])
def test_damaged_cache_is_compiled_anew(tmp_path: Path, damage: bytes) -> None:
    compile_density(eight_schools, 10, cache=tmp_path)
    (path,) = tmp_path.glob("*.o")
    whole = path.read_bytes()
    path.write_bytes(damage)
    kernel = compile_density(eight_schools, 10, cache=tmp_path)
    assert path.read_bytes() == whole
    assert kernel.object_code


def test_cache_below_a_file_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    compile_density(eight_schools, 10, cache=tmp_path / "file").load()


def test_missing_lowering_is_the_callers_to_handle(tmp_path: Path) -> None:
    def density(x):
        return -anp.trace(anp.linalg.pinv(anp.outer(x, x) + 8.0 * np.eye(3)))

    with pytest.raises(MissingLoweringError, match=r"numpy\.linalg\.pinv"):
        compile_density(density, 3, cache=tmp_path)
    value, _ = compile_density(density, 3, engine="autograd").load()(np.ones(3))
    assert value == pytest.approx(-(2.0 / 8.0 + 1.0 / 11.0))


def test_wrong_machine_code_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = lowering.lower

    def dishonest(tape, *, scalar_first: bool):
        program = honest(tape, scalar_first=scalar_first)
        return replace(program, text=program.text.replace("fmul", "fadd"))

    monkeypatch.setattr(lowering, "lower", dishonest)
    with pytest.raises(CompileError, match="The machine code disagrees with the function"):
        compile_density(eight_schools, 10, cache=tmp_path)


def test_unknown_engine() -> None:
    with pytest.raises(CompileError, match="Known: native, autograd"):
        compile_density(eight_schools, 10, engine="jax")  # type: ignore[arg-type]


def test_density_is_nan_or_infinite_where_autograd_is(tmp_path: Path) -> None:
    def density(x):
        return anp.sum(anp.log(x)) - anp.exp(x[0])

    native = compile_density(density, 2, cache=tmp_path).load()
    for position in ([0.0, 1.0], [-1.0, 1.0], [1000.0, 1.0], [np.nan, 1.0], [np.inf, 1.0]):
        with np.errstate(all="ignore"):
            expected = density(np.array(position))
        np.testing.assert_equal(native(np.array(position))[0], float(expected))


def test_address_of_a_special_function() -> None:
    function = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_int)(special_address("digamma", 1))
    assert function(1.0, 0) == pytest.approx(-0.5772156649015329)
    with pytest.raises(CompileError, match="no zeta of 5"):
        special_address("zeta", 5)
