"""A function of the position whose data are arguments, so that it can be known without them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exmc.compile.primitives import Array

Place = tuple[str, ...]
"""Where something stands in a model, as keys such as ("variables", "theta"); empty if that is not known."""

Visit = Callable[[Place], None]


@dataclass(frozen=True, slots=True, eq=False)
class DataFunction:
    """A function of a flat vector and of data. Called, it is the function of the vector alone.

    Attributes
    ----------
    function
        Called with the position, then each array of `data`; and, if it `visits`, with `visit=`, a function that it
        tells which part of the model it is about to evaluate.
    data
        Float, integer or boolean arrays.
    identity
        What the function is, its data's values apart: two functions of one identity do the same to data of the same
        shapes and dtypes, in every process and for ever. Empty where nothing is known; such a function is recorded
        whenever it is compiled.
    visits
        Whether `function` takes `visit`.
    """

    function: Callable[..., Any]
    data: tuple[Array, ...] = ()
    identity: str = ""
    visits: bool = False

    def __call__(self, position: Any) -> Any:
        """The function of the position alone."""
        return self.function(position, *self.data)

    def apply(self, position: Any, data: tuple[Any, ...], visit: Visit) -> Any:
        """The function at other data, which may be traced."""
        return self.function(position, *data, visit=visit) if self.visits else self.function(position, *data)


def with_data(function: Callable[[Any], Any]) -> DataFunction:
    """A function of the position alone as one that has no other data."""
    return function if isinstance(function, DataFunction) else DataFunction(function)


def identity_of(document: Any) -> str:
    """What a function is, of JSON values that say so: their digest.

    Empty where they name code of the user by import path: nobody knows what that code does tomorrow.
    """
    return "" if names_code(document) else hashlib.sha256(json.dumps(document).encode()).hexdigest()


def names_code(document: Any) -> bool:
    """Whether JSON values hold a text of the form ``package.module:function``, of another package than this.

    The sources of exmc are known: what is compiled is kept under their digest (`exmc.compile.library`).
    """
    if isinstance(document, dict):
        return any(names_code(value) for value in document.values())
    if isinstance(document, list):
        return any(names_code(value) for value in document)
    return isinstance(document, str) and ":" in document and not document.startswith("exmc.")
