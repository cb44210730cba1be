"""Functions by import path: found, or refused with the place."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest

from exmc.errors import ModelError
from exmc.imports import import_function, importing_by


def test_a_function_is_found() -> None:
    assert import_function("math:hypot", ("from",)) is math.hypot


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("math", "names no function"),
        ("math:", "names no function"),
        ("../x:f", "names no function"),
        ("no_such:f", "cannot import 'no_such'"),
        ("math:hypott", "Did you mean 'hypot'"),
        ("math:pi", "is not a function"),
    ],
)
def test_what_is_none_is_refused(target: str, expected: str) -> None:
    with pytest.raises(ModelError, match=expected) as caught:
        import_function(target, ("model", "from"))
    assert caught.value.where == ("model", "from")


class Suspicious:
    """An importer that allows one module, and one function of it."""

    def module(self, name: str) -> ModuleType:
        if name != "math":
            raise ModelError(f"{name!r} may not be imported.", remedy="Do without.")
        return math

    def check(self, found: Any, target: str) -> None:
        if found is not math.hypot:
            raise ModelError(f"{target!r} may not be used.")


def test_whoever_has_the_context_decides() -> None:
    with importing_by(Suspicious()):
        assert import_function("math:hypot", ()) is math.hypot
        for target in ("math:cos", "json:dumps"):
            with pytest.raises(ModelError, match="may not be") as caught:
                import_function(target, ("model", "from"))
            assert caught.value.where == ("model", "from")
    assert import_function("math:cos", ()) is math.cos
