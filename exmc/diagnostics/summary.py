"""The summary of a posterior: location, spread and convergence of every scalar, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics import convergence
from exmc.errors import StoreError, suggest
from exmc.late import Late

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = Late("xarray")

FloatArray = NDArray[np.float64]
COLUMNS = ("mean", "sd", "q5", "q95", "mcse_mean", "ess_bulk", "ess_tail", "r_hat")
"""The columns of a summary; sd is over n - 1; q5 and q95 bound the central 90 % of the draws."""
# A sum that is always one differs from draw to draw by a few units in the last place.
_ROUNDING = 16 * np.finfo(np.float64).eps
# Ranks and spectra take twenty times the memory of the draws they are of.
_NUMBERS_AT_ONCE = 1 << 22
FEWEST_DRAWS = 4
"""Draws per chain below which ESS and R-hat, which compare half chains, are not defined."""


class Scalars(NamedTuple):
    """Draws scalar by scalar, shape (scalar, chain, draw), the label of each, and whose element it is."""

    labels: tuple[str, ...]
    variables: tuple[str, ...]
    draws: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What `summarise` tells of each scalar, as arrays of shape (scalar,).

    Attributes
    ----------
    labels, variables
        Of each scalar, as `Scalars` has them.
    columns
        The `COLUMNS` by name.
    constant, finite
        Whether all draws are equal up to rounding; whether all are finite.
    chains, draws
        How many there are; draws are per chain.
    """

    labels: tuple[str, ...]
    variables: tuple[str, ...]
    columns: Mapping[str, FloatArray]
    constant: NDArray[np.bool_]
    finite: NDArray[np.bool_]
    chains: int
    draws: int

    def only(self, rows: NDArray[np.int64]) -> Summary:
        """That of the scalars in these places alone, in this order."""
        return Summary(
            tuple(self.labels[row] for row in rows),
            tuple(self.variables[row] for row in rows),
            {name: column[rows] for name, column in self.columns.items()},
            self.constant[rows],
            self.finite[rows],
            self.chains,
            self.draws,
        )

    def to_dataset(self) -> xr.Dataset:
        """The same as `summarise` gives it."""
        return xr.Dataset(
            {name: ("scalar", self.columns[name]) for name in COLUMNS},
            coords={
                "scalar": np.array(self.labels, dtype=object),
                "variable": ("scalar", np.array(self.variables, dtype=object)),
                "constant": ("scalar", self.constant),
                "finite": ("scalar", self.finite),
            },
            attrs={"chains": self.chains, "draws": self.draws},
        )


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
    return summary_of(posterior_scalars(tree, variables)).to_dataset()


def summary_of(scalars: Scalars) -> Summary:
    """The columns of `summarise`."""
    draws = scalars.draws
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(draws).all(axis=(1, 2)))
    return Summary(
        scalars.labels, scalars.variables, _columns(draws), _constant(draws), finite, draws.shape[1], draws.shape[2]
    )


def posterior_scalars(tree: xr.DataTree, variables: Sequence[str] | None = None) -> Scalars:
    """The posterior of `tree`, or those of its `variables`; errors are those of `summarise`."""
    posterior = group_of(tree, "posterior")
    names = list(map(str, posterior.data_vars)) if variables is None else list(variables)
    for name in names:
        if name not in posterior.data_vars:
            known = map(str, posterior.data_vars)
            raise StoreError(f"the posterior has no variable {name!r}.", remedy=suggest(name, known))
    arrays = {name: posterior[name].transpose("chain", "draw", ...) for name in names}
    axes = {name: _axes(array) for name, array in arrays.items()}
    return scalars_of({name: array.values for name, array in arrays.items()}, axes)


def scalars_of(arrays: Mapping[str, NDArray[Any]], axes: Mapping[str, Sequence[Sequence[Any]]]) -> Scalars:
    """All scalars of `arrays`, shape (chain, draw, ...) by name, whose `axes` behind these two have such labels."""
    labels = {name: tuple(_labels(name, axes[name])) for name in arrays}
    return Scalars(
        tuple(label for name in arrays for label in labels[name]),
        tuple(name for name in arrays for _ in labels[name]),
        _stacked(list(arrays.values())),
    )


def group_of(tree: xr.DataTree, group: str) -> xr.Dataset:
    """A group of `tree`; raises `StoreError` if it is not there."""
    if group not in tree.children:
        raise StoreError(f"there is no group {group!r}.", remedy=f"There are: {', '.join(tree.children) or 'none'}.")
    return tree.children[group].to_dataset()


def stacked(arrays: Sequence[xr.DataArray]) -> FloatArray:
    """All scalars of `arrays`, shape (scalar, chain, draw), in C order of each array's own dims."""
    return _stacked([array.transpose("chain", "draw", ...).values for array in arrays])


def _stacked(arrays: Sequence[NDArray[Any]]) -> FloatArray:
    parts = []
    for array in arrays:
        values = np.asarray(array, dtype=np.float64)
        scalars = int(np.prod(values.shape[2:], dtype=np.int64))
        parts.append(values.reshape(*values.shape[:2], scalars).transpose(2, 0, 1))
    return np.ascontiguousarray(np.concatenate(parts)) if parts else np.empty((0, 0, 0))


def scalar_labels(array: xr.DataArray) -> list[str]:
    """The label of each scalar of `array`, such as ``theta[Choate]`` or ``corr[0, 1]``."""
    return _labels(str(array.name), _axes(array))


def _axes(array: xr.DataArray) -> list[list[Any]]:
    """The labels along each axis of `array` but those of its chains and draws."""
    dims = [d for d in array.dims if d not in ("chain", "draw")]
    return [list(array[d].values) if d in array.coords else list(range(array.sizes[d])) for d in dims]


def _labels(name: str, axes: Sequence[Sequence[Any]]) -> list[str]:
    """The labels of the scalars of `name` in C order."""
    if not axes:
        return [name]
    texts = [[str(label) for label in axis] for axis in axes]
    return [f"{name}[{', '.join(chosen)}]" for chosen in product(*texts)]


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
