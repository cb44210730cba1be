"""The model as a value that shows itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exmc.ir.declarations import Declarations
from exmc.late import Late

if TYPE_CHECKING:
    from exmc.ir import html
else:
    # Only a notebook needs what draws.
    html = Late("exmc.ir.html")


@dataclass(frozen=True, slots=True, eq=False)
class Model(Declarations):
    """Nodes in the order they were declared, data by name and coordinate labels by dim.

    A model built by `Builder` (or read by `exmc.ir.serial`) has been checked by `exmc.ir.check.check`; passes
    that make new models are checked by the runner. Two models mean the same if their `digest`s are equal.
    """

    def _repr_html_(self) -> str:
        """How notebooks show it: drawn, as mathematics, and its data."""
        return html.model_html(self)
