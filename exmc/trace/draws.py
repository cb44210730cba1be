"""Groups of draws as plain arrays, for what needs no labelled ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from exmc.trace.dataset import build_datatree
from exmc.trace.schema import Schema, label_array

if TYPE_CHECKING:
    import xarray as xr


def axes_of(schema: Schema, group: str) -> dict[str, list[list[Any]]]:
    """The labels along the axes of each variable of `group`, by its name."""
    return {v.name: [list(label_array(schema.coords[dim])) for dim in v.dims] for v in schema.groups[group]}


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Sampled groups in memory.

    Attributes
    ----------
    schema
        Their variables, dims and labels; how many chains and draws there are, the arrays say.
    groups
        Arrays of shape (chain, draw, ...) by group and name.
    chains
        The labels of the chains.
    attributes
        Those of the root.
    """

    schema: Schema
    groups: Mapping[str, Mapping[str, NDArray[Any]]]
    chains: tuple[int, ...]
    attributes: Mapping[str, Any]

    def axes(self, group: str) -> dict[str, list[list[Any]]]:
        """The labels along the axes of each array of `group`, behind its chains and draws."""
        return axes_of(self.schema, group)

    def tree(self) -> xr.DataTree:
        """The same with names of dims and labels."""
        return build_datatree(self.schema, self.groups, self.attributes, chains=self.chains)
