"""The summary of a posterior: location, spread and convergence of every scalar, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from exmc.diagnostics import convergence
from exmc.errors import StoreError, suggest

FloatArray = NDArray[np.float64]
COLUMNS = ("mean", "sd", "q5", "q95", "mcse_mean", "ess_bulk", "ess_tail", "r_hat")
"""The columns of a summary; sd is over n - 1; q5 and q95 bound the central 90 % of the draws."""
# A sum that is always one differs from draw to draw by a few units in the last place.
_ROUNDING = 16 * np.finfo(np.float64).eps
# Ranks and spectra take twenty times the memory of the draws they are of.
_NUMBERS_AT_ONCE = 1 << 22
FEWEST_DRAWS = 4
"""Draws per chain below which ESS and R-hat, which compare half chains, are not defined."""


def summarise(tree: xr.DataTree, variables: Sequence[str] | None = None) -> xr.Dataset:
    """The posterior of `tree`, one row per scalar.

    R-hat (rank-normalised, split) and the effective sample sizes for bulk and tail are those of Vehtari et al. (2021),
    "Rank-normalization, folding, and localization".

    Returns
    -------
    Dataset
        The `COLUMNS` along the dim ``scalar``, labelled ``theta[Choate]``, with the coordinates ``variable``,
        ``constant`` (all draws equal up to rounding: it has no R-hat and no effective sample size, which are NaN) and
        ``finite`` (all draws are).

    Raises
    ------
    StoreError
        If there is no posterior, or no variable of a name that is asked for.
    """
    posterior = group_of(tree, "posterior")
    names = list(map(str, posterior.data_vars)) if variables is None else list(variables)
    for name in names:
        if name not in posterior.data_vars:
            known = map(str, posterior.data_vars)
            raise StoreError(f"the posterior has no variable {name!r}.", remedy=suggest(name, known))
    labels = [label for name in names for label in scalar_labels(posterior[name])]
    owners = [name for name in names for _ in range(_scalars(posterior[name]))]
    draws = stacked([posterior[name] for name in names])
    columns = _columns(draws)
    finite = np.isfinite(draws).all(axis=(1, 2))
    return xr.Dataset(
        {name: ("scalar", columns[name]) for name in COLUMNS},
        coords={
            "scalar": np.array(labels, dtype=object),
            "variable": ("scalar", np.array(owners, dtype=object)),
            "constant": ("scalar", _constant(draws)),
            "finite": ("scalar", finite),
        },
        attrs={"chains": draws.shape[1], "draws": draws.shape[2]},
    )


def group_of(tree: xr.DataTree, group: str) -> xr.Dataset:
    """A group of `tree`; raises `StoreError` if it is not there."""
    if group not in tree.children:
        raise StoreError(f"there is no group {group!r}.", remedy=f"There are: {', '.join(tree.children) or 'none'}.")
    return tree.children[group].to_dataset()


def stacked(arrays: Sequence[xr.DataArray]) -> FloatArray:
    """All scalars of `arrays`, shape (scalar, chain, draw), in C order of each array's own dims."""
    parts = []
    for array in arrays:
        values = np.asarray(array.transpose("chain", "draw", ...).values, dtype=np.float64)
        scalars = int(np.prod(values.shape[2:], dtype=np.int64))
        parts.append(values.reshape(*values.shape[:2], scalars).transpose(2, 0, 1))
    return np.ascontiguousarray(np.concatenate(parts)) if parts else np.empty((0, 0, 0))


def scalar_labels(array: xr.DataArray) -> list[str]:
    """The label of each scalar of `array`, such as ``theta[Choate]`` or ``corr[0, 1]``."""
    dims = [d for d in array.dims if d not in ("chain", "draw")]
    if not dims:
        return [str(array.name)]
    axes: list[list[Any]] = [list(array[d].values) if d in array.coords else list(range(array.sizes[d])) for d in dims]
    shape = tuple(len(axis) for axis in axes)
    return [
        f"{array.name}[{', '.join(str(axis[i]) for axis, i in zip(axes, index, strict=True))}]"
        for index in np.ndindex(*shape)
    ]


def _scalars(array: xr.DataArray) -> int:
    return int(np.prod([n for d, n in array.sizes.items() if d not in ("chain", "draw")], dtype=np.int64))


def _constant(draws: FloatArray) -> NDArray[np.bool_]:
    if not draws.size:
        return np.zeros(len(draws), dtype=bool)
    top, bottom = draws.max(axis=(1, 2)), draws.min(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return np.asarray(top - bottom <= _ROUNDING * np.maximum(np.abs(top), np.abs(bottom)))


def _columns(draws: FloatArray) -> dict[str, FloatArray]:
    """The `COLUMNS`, of some scalars at a time."""
    at_once = max(1, _NUMBERS_AT_ONCE // max(draws.shape[1] * draws.shape[2], 1))
    parts = [_columns_of(draws[first : first + at_once]) for first in range(0, len(draws), at_once)]
    return {name: np.concatenate([part[name] for part in parts] or [np.empty(0)]) for name in COLUMNS}


def _columns_of(draws: FloatArray) -> dict[str, FloatArray]:
    count = len(draws)
    columns = {name: np.full(count, np.nan) for name in COLUMNS}
    usable = np.isfinite(draws).all(axis=(1, 2)) if draws.size else np.zeros(count, dtype=bool)
    if not usable.any():
        return columns
    flat = draws[usable].reshape(int(usable.sum()), -1)
    columns["mean"][usable] = flat.mean(axis=1)
    columns["sd"][usable] = flat.std(axis=1, ddof=min(1, flat.shape[1] - 1))
    columns["q5"][usable], columns["q95"][usable] = np.quantile(flat, [0.05, 0.95], axis=1)
    moving = usable & ~_constant(draws)
    columns["mcse_mean"][usable & ~moving] = 0.0
    if not moving.any() or draws.shape[2] < FEWEST_DRAWS:
        return columns
    columns["mcse_mean"][moving] = convergence.mcse_mean(draws[moving])
    columns["ess_bulk"][moving] = convergence.ess_bulk(draws[moving])
    columns["ess_tail"][moving] = convergence.ess_tail(draws[moving])
    columns["r_hat"][moving] = _r_hat(draws[moving])
    return columns


def _r_hat(draws: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat of each scalar; a single chain is compared with itself, half by half."""
    if draws.shape[1] == 1:
        half = draws.shape[2] // 2
        draws = np.stack([draws[:, 0, :half], draws[:, 0, -half:]], axis=1)
    return convergence.r_hat(draws)
