"""Ranking models of the same data by how well they predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from exmc.diagnostics.elpd import METHODS, Elpd, error_of_sum
from exmc.diagnostics.stacking import stacking_weights
from exmc.diagnostics.summary import group_of
from exmc.errors import ModelError, StoreError, suggest

if TYPE_CHECKING:
    import xarray as xr


class Ranked(NamedTuple):
    """One row of a comparison, all figures on the scale of log densities (more is better).

    `difference` is the best model's elpd minus this one's, `difference_se` its standard error; a difference below
    four, or within twice its standard error, says little. `weight` is that of stacking (see `stacking_weights`): a
    model that adds nothing to better ones has none. `unreliable` counts the points whose estimate cannot be trusted.
    """

    rank: int
    name: str
    elpd: float
    se: float
    p: float
    difference: float
    difference_se: float
    weight: float
    points: int
    unreliable: int


def compare(trees: Mapping[str, xr.DataTree], method: str = "loo", variable: str | None = None) -> tuple[Ranked, ...]:
    """Rank models, best first, by their expected log predictive density.

    Parameters
    ----------
    trees
        Runs by name, each with the groups ``log_likelihood``, ``observed_data`` and ``posterior``.
    method
        ``"loo"`` or ``"waic"``.
    variable
        The observed variable to predict; all of them by default.

    Raises
    ------
    ModelError
        If there is nothing to compare, or two runs saw different data: their densities are then not comparable.
    StoreError
        If a run has no log likelihood, observed data or posterior.
    """
    if len(trees) < 2:
        raise ModelError(f"a comparison needs two models, not {len(trees)}.")
    if method not in METHODS:
        raise ModelError(f"there is no method {method!r}.", remedy=suggest(method, METHODS))
    for name, tree in trees.items():
        _check_groups(name, tree)
    first, *others = trees
    for other in others:
        _check_same_data(first, trees[first], other, trees[other], variable)
    found = {name: METHODS[method](tree, variable) for name, tree in trees.items()}
    _check_same_points(found)
    order = sorted(found, key=lambda name: -found[name].elpd)
    best = found[order[0]]
    weights = stacking_weights(np.stack([found[name].pointwise for name in order], axis=1))
    return tuple(_row(rank, name, found[name], best, float(weights[rank])) for rank, name in enumerate(order))


def _row(rank: int, name: str, this: Elpd, best: Elpd, weight: float) -> Ranked:
    gap = best.pointwise - this.pointwise
    return Ranked(
        rank,
        name,
        this.elpd,
        this.se,
        this.p,
        float(gap.sum()),
        error_of_sum(gap),
        weight,
        len(gap),
        int(this.unreliable.sum()),
    )


def _check_groups(name: str, tree: xr.DataTree) -> None:
    missing = [group for group in ("log_likelihood", "observed_data", "posterior") if group not in tree.children]
    if not missing:
        return
    skipped = tree.attrs.get("skipped_groups", {}).get("log_likelihood")
    if skipped:
        reason = f"it was left out: {skipped}"
    else:
        reason = "Its model observes nothing, or it holds prior draws or unfinished ones only."
    raise StoreError(
        f"the run {name!r} has no {' and no '.join(missing)}. {reason}",
        remedy="Compare finished runs of models that observe the same data.",
    )


def _check_same_data(first: str, one: xr.DataTree, second: str, other: xr.DataTree, variable: str | None) -> None:
    left, right = (group_of(tree, "observed_data") for tree in (one, other))
    names = sorted({*map(str, left.data_vars), *map(str, right.data_vars)}) if variable is None else [variable]
    for name in names:
        for run, group in ((first, left), (second, right)):
            if name not in group.data_vars:
                raise ModelError(
                    f"the run {run!r} did not observe {name!r}.",
                    remedy="Compare runs that observed the same variables, or name one that they share.",
                )
        if left[name].shape != right[name].shape or not np.array_equal(left[name].values, right[name].values):
            raise ModelError(
                f"the runs {first!r} and {second!r} observed different values of {name!r}.",
                remedy="Models are comparable on the same data only, on the same scale.",
            )


def _check_same_points(found: Mapping[str, Elpd]) -> None:
    first = next(iter(found))
    for name, elpd in found.items():
        if elpd.labels != found[first].labels:
            raise ModelError(
                f"the log likelihoods of {first!r} ({len(found[first].labels)} points) and {name!r}"
                f" ({len(elpd.labels)}) are not of the same points.",
                remedy="A masked or jointly observed variable counts differently: make the models agree.",
            )
