"""The choice among many scalars: those a user names, and of these the ones that deserve a look first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.checks import CHECKS
from exmc.diagnostics.summary import scalar_labels
from exmc.errors import StoreError, suggest
from exmc.late import Late

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = Late("xarray")

_ANY = frozenset({"*", ":"})
SLASH = "∕"
"""U+2215, which looks like the slash."""
_MIXED = next(check.threshold for check in CHECKS if check.name == "r_hat")


class Scalar(NamedTuple):
    """One number of a variable: its label, ``theta[Choate]``, and where it is among the variable's, in C order."""

    label: str
    variable: str
    place: int


def scalars_of(group: xr.Dataset) -> list[Scalar]:
    """Every scalar of the variables of `group`, in order."""
    return [
        Scalar(label, str(name), place)
        for name, array in group.data_vars.items()
        for place, label in enumerate(scalar_labels(array))
    ]


def named_scalars(group: xr.Dataset, wanted: Sequence[str]) -> list[Scalar]:
    """The scalars of `group` that `wanted` names, each once; all of them if nothing is wanted.

    A name is that of a variable (``theta``), a scalar's label (``theta[Choate]``), or a variable with a label or ``*``
    for each of its dims, or for the first ones (``corr[*, 1]``), which may be named (``theta[school=Choate]``).

    Raises
    ------
    StoreError
        For a name that is nobody's.
    """
    known = scalars_of(group)
    if not wanted:
        return known
    found: dict[str, Scalar] = {}
    for name in wanted:
        matching = [s for s in known if name in (s.label, s.variable)] or _matching(group, known, name)
        found |= {scalar.label: scalar for scalar in matching}
    return list(found.values())


def _matching(group: xr.Dataset, known: list[Scalar], pattern: str) -> list[Scalar]:
    """The scalars that a variable with labels in brackets stands for."""
    parts = re.fullmatch(r"\s*([^\[\]]+?)\s*\[(.*)\]\s*", pattern, re.DOTALL)
    name = parts[1] if parts else pattern
    if name not in group.data_vars:
        raise StoreError(f"there is no variable {name!r}.", remedy=suggest(name, map(str, group.data_vars)))
    array = group[name]
    dims = [str(dim) for dim in array.dims if dim not in ("chain", "draw")]
    assert parts is not None
    chosen = [np.ones(array.sizes[dim], dtype=bool) for dim in dims]
    keys = [key.strip() for key in parts[2].split(",")]
    for position, key in enumerate(keys):
        dim, label = _dim_and_label(key, position, dims, pattern)
        if label in _ANY:
            continue
        labels = [str(v) for v in (array[dim].values if dim in array.coords else range(array.sizes[dim]))]
        if label not in labels:
            raise StoreError(f"{pattern!r}: {dim} has no label {label!r}.", remedy=suggest(label, labels[:50]))
        chosen[dims.index(dim)] &= np.array([each == label for each in labels])
    mask = np.array(True)
    for along in chosen:
        mask = np.logical_and.outer(mask, along)
    places = set(np.flatnonzero(mask).tolist())
    return [scalar for scalar in known if scalar.variable == name and scalar.place in places]


def _dim_and_label(key: str, position: int, dims: list[str], pattern: str) -> tuple[str, str]:
    dim, equals, label = key.partition("=")
    if equals and dim.strip() in dims:
        return dim.strip(), label.strip()
    if position >= len(dims):
        has = f"dims {', '.join(dims)}" if dims else "no dims"
        raise StoreError(f"{pattern!r} has more labels than the variable, which has {has}.")
    return dims[position], key


def worst_first(summary: xr.Dataset) -> NDArray[np.int64]:
    """The places of the scalars of `summary`, those that deserve a look before the others.

    First those with draws that are not finite; then those whose R-hat fails its check, the largest first; then the
    others, the smallest effective sample size (of bulk and tail) first; and constants, which have neither, last.
    """
    r_hat, constant = summary["r_hat"].values, summary["constant"].values
    least = np.fmin(summary["ess_bulk"].values, summary["ess_tail"].values)
    apart = np.where(r_hat > _MIXED, r_hat, 0.0)
    # The last key is the first to sort by; a sort is stable, so that equals stay in the model's order.
    order = np.lexsort((np.nan_to_num(least, nan=np.inf), -apart, constant & summary["finite"].values,
                        summary["finite"].values))  # fmt: skip
    return np.asarray(order, dtype=np.int64)


def flattened(group: xr.Dataset, scalars: Iterable[Scalar]) -> xr.Dataset:
    """The draws of `scalars` of `group`, each a variable of its own with the dims chain and draw, by its label.

    No variable of a tree may have a slash in its name: there is a `SLASH` instead.
    """
    arrays: dict[str, NDArray[np.float64]] = {}
    found: dict[str, tuple[tuple[str, str], NDArray[np.float64]]] = {}
    for label, name, place in scalars:
        if name not in arrays:
            values = group[name].transpose("chain", "draw", ...).values
            arrays[name] = values.reshape(*values.shape[:2], -1)
        found[label.replace("/", SLASH)] = (("chain", "draw"), arrays[name][:, :, place].astype(np.float64))
    return xr.Dataset(found, coords={dim: group[dim] for dim in ("chain", "draw") if dim in group.coords})
