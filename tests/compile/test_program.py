"""Compiled models: what runs where machine code is missing."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from exmc.compile import program
from exmc.compile.kernel import compile_density
from exmc.compile.program import compile_model
from exmc.errors import MissingLoweringError
from exmc.rewrite.run import rewrite
from tests.rewrite.models import schools


def test_a_model_without_machine_code_runs_interpreted_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    source = schools().build()
    rewritten = rewrite(source).model
    native = compile_model(source, rewritten)

    def incomplete(function: Any, dimension: int, *, engine: str, **options: Any) -> Any:
        if engine == "native":
            raise MissingLoweringError("the primitive 'cosh' has no machine code.")
        return compile_density(function, dimension, engine=engine, **options)

    monkeypatch.setattr(program, "compile_density", incomplete)
    interpreted = compile_model(source, rewritten)
    assert (native.engine, native.note) == ("native", "")
    assert interpreted.engine == "autograd"
    assert "'cosh'" in interpreted.note
    assert "slower" in interpreted.note
    position = np.linspace(-1.0, 1.0, native.layout.dimension)
    assert interpreted.density()(position)[0] == pytest.approx(native.density()(position)[0], rel=1e-12)


def test_it_travels() -> None:
    source = schools().build()
    compiled = compile_model(source, rewrite(source).model)
    position = np.linspace(-1.0, 1.0, compiled.layout.dimension)
    again = pickle.loads(pickle.dumps(compiled))
    assert again.density()(position)[0] == compiled.density()(position)[0]
    assert list(again.constrain(position[None])) == list(compiled.constrain(position[None]))
