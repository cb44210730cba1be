from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from exmc.density import from_function
from exmc.nuts import machine


def test_the_digest_covers_every_source_of_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in Path(machine.__file__).parent.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "machine.py"))
    digests = {machine.SOURCES_AT_IMPORT, machine.source_digest()}
    assert len(digests) == 1
    sources = sorted(tmp_path.glob("*.py"))
    for path in sources:
        path.write_text(path.read_text() + "# edited\n")
        digests.add(machine.source_digest())
    assert len(digests) == len(sources) + 1 > 10


def test_a_density_is_called_through_its_address() -> None:
    @numba.njit(**machine.OPTIONS)
    def call(address, position, gradient, workspace, pointers):  # type: ignore[no-untyped-def]
        return machine.call_density(address, position, gradient, workspace, pointers)

    density = from_function(2, lambda x: (float(x[0] * x[1]), x[::-1]))
    gradient, position = np.zeros(2), np.array([3.0, 5.0])
    assert call(density.address, position, gradient, np.zeros(1), density.pointers) == 15.0
    assert list(gradient) == [5.0, 3.0]


def test_high_words_are_those_of_exact_products() -> None:
    @numba.njit(**machine.OPTIONS)
    def high(left: Any, right: Any) -> Any:
        return machine.multiply_high(left, right)

    random = np.random.default_rng(0)
    pairs = [(2**64 - 1, 2**64 - 1), (0, 5), *random.integers(0, 2**64, size=(50, 2), dtype=np.uint64).tolist()]
    for left, right in pairs:
        assert int(high(np.uint64(left), np.uint64(right))) == (left * right) >> 64
