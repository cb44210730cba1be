"""The stages as tasks: configs, the graph on Dask, the run directory and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.handle import RunHandle, resume, start
    from pipelines.live import Live
    from pipelines.remote import attached

__all__ = ["Live", "RunHandle", "attached", "resume", "start"]

_MODULES = {"Live": "pipelines.live", "attached": "pipelines.remote"}


# The command line answers before what these need is imported.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "pipelines.handle")), name)
