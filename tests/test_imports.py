"""Functions by import path: found, or refused with the place."""

from __future__ import annotations

import math

import pytest

from exmc.errors import ModelError
from exmc.imports import import_function


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
