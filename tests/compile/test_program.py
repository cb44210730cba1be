"""Compiled models: what runs where machine code is missing."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from exmc.compile import lower
from exmc.compile.program import compile_model
from exmc.ir.builder import Builder
from exmc.rewrite.run import rewrite
from tests.rewrite.models import schools


def test_a_primitive_without_machine_code_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = Builder().rv("a", "Normal").rv("b", "Normal").det("turned", "arctan(b)").det("plain", "2 * a")
    source = builder.rv("y", "Normal", mu="plain + turned", observed=[0.5, 1.0]).build()
    rewritten = rewrite(source).model
    native = compile_model(source, rewritten, cache=tmp_path / "native")
    assert (native.engine, native.notes) == ("native", ())
    known = {name: kind for name, kind in lower.LOWERINGS.items() if name != "arctan"}
    monkeypatch.setattr(lower, "LOWERINGS", known)
    interpreted = compile_model(source, rewritten, cache=tmp_path / "interpreted")
    assert interpreted.engine == "autograd"
    assert [note.where for note in interpreted.notes] == [("variables", "turned")] * 2
    density, values = (str(note) for note in interpreted.notes)
    assert density == (
        "variables.turned: The log density is computed by autograd, which is much slower: arctan has no machine code."
    )
    assert "Posterior values are computed by autograd" in values
    terms = interpreted.pointwise()
    assert terms.note is not None
    assert terms.note.where == ("variables", "turned")
    position = np.linspace(-1.0, 1.0, native.layout.dimension)
    assert interpreted.density()(position)[0] == pytest.approx(native.density()(position)[0], rel=1e-12)
    expected = native.pointwise().function(position[None])
    for mine, theirs in zip(terms.function(position[None]), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_an_output_that_needs_no_slow_primitive_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Builder().rv("a", "Normal").rv("y", "Normal", mu="arctan(a)", observed=[0.5, 1.0]).build()
    known = {name: kind for name, kind in lower.LOWERINGS.items() if name != "arctan"}
    monkeypatch.setattr(lower, "LOWERINGS", known)
    compiled = compile_model(source, rewrite(source).model, cache=tmp_path)
    assert [note.where for note in compiled.notes] == [("variables", "y")]
    assert "log density" in str(compiled.notes[0])


def test_a_model_of_too_many_operations_is_not_compiled(tmp_path: Path) -> None:
    source = schools().build()
    rewritten = rewrite(source).model
    compiled = compile_model(source, rewritten, cache=tmp_path, most=15)
    assert compiled.engine == "autograd"
    assert "more than 15 operations" in str(compiled.notes[0])
    assert compile_model(source, rewritten, cache=tmp_path, most=1000).notes == ()


def test_it_travels() -> None:
    source = schools().build()
    compiled = compile_model(source, rewrite(source).model)
    position = np.linspace(-1.0, 1.0, compiled.layout.dimension)
    again = pickle.loads(pickle.dumps(compiled))
    assert again.density()(position)[0] == compiled.density()(position)[0]
    assert list(again.constrain(position[None])) == list(compiled.constrain(position[None]))
