"""Pictures of results, drawn by arviz-plots: `plot` draws one, `PLOTS` is the table of all kinds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exmc.viz.draw import Picture, plot
    from exmc.viz.kinds import PLOTS

__all__ = ["PLOTS", "Picture", "plot"]

# arviz-plots takes seconds to import, which the other modules of this package need not wait for.
_PLACES = {"PLOTS": "exmc.viz.kinds", "Picture": "exmc.viz.draw", "plot": "exmc.viz.draw"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'exmc.viz' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
