"""The expected log predictive density of new data, by PSIS-LOO and by WAIC, point by point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.diagnostics.arviz import psis_loo
from exmc.diagnostics.convergence import ess_mean
from exmc.diagnostics.summary import group_of, scalar_labels, stacked
from exmc.errors import StoreError, suggest
from exmc.late import Late

if TYPE_CHECKING:
    import xarray as xr
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")

FloatArray = NDArray[np.float64]
P_WAIC_LIMIT = 0.4
"""A pointwise p_waic above it makes WAIC unreliable (Vehtari, Gelman and Gabry 2017, section 2.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Elpd:
    """An estimate of the expected log pointwise predictive density.

    Attributes
    ----------
    method
        ``"loo"`` or ``"waic"``.
    labels
        The data points, such as ``y[Choate]``.
    pointwise, p_pointwise
        The estimate, and its effective number of parameters, for each point, shape (points,).
    pareto_k
        LOO: the shape of each point's importance weights' tail (Vehtari et al. 2024), shape (points,); else None.
    unreliable
        Whether a point's estimate cannot be trusted, shape (points,): k above min(1 - 1/log10(draws), 0.7), or
        p_waic above `P_WAIC_LIMIT`.
    """

    method: str
    labels: tuple[str, ...]
    pointwise: FloatArray
    p_pointwise: FloatArray
    pareto_k: FloatArray | None
    unreliable: NDArray[np.bool_]

    @property
    def elpd(self) -> float:
        """The estimate, summed over the points."""
        return float(self.pointwise.sum())

    @property
    def se(self) -> float:
        """Its standard error, see `error_of_sum`."""
        return error_of_sum(self.pointwise)

    @property
    def p(self) -> float:
        """Effective number of parameters."""
        return float(self.p_pointwise.sum())


def error_of_sum(terms: FloatArray) -> float:
    """The standard error of a sum over data points, from the spread of its `terms`; NaN for a single one.

    Vehtari, Gelman and Gabry (2017), equations 23 and 24, where the variance is that of a sample, over n - 1.
    """
    return float(np.sqrt(len(terms) * terms.var(ddof=1))) if len(terms) > 1 else float("nan")


def loo(tree: xr.DataTree, variable: str | None = None) -> Elpd:
    """PSIS leave-one-out cross-validation (Vehtari, Gelman and Gabry 2017), computed by arviz-stats.

    Points of all observed variables count, or those of `variable`; points whose log likelihood is zero in every draw
    (masked ones) are left out. Raises `StoreError` if the log likelihood is missing or not finite.
    """
    labels, terms = pointwise_terms(tree, variable)
    draws = terms.shape[1] * terms.shape[2]
    pointwise, pareto_k, p = psis_loo(terms, _relative_efficiency(tree))
    limit = min(1.0 - 1.0 / np.log10(draws), 0.7)
    return Elpd("loo", labels, np.asarray(pointwise), np.asarray(p), np.asarray(pareto_k), pareto_k > limit)


def waic(tree: xr.DataTree, variable: str | None = None) -> Elpd:
    """The widely applicable information criterion (Watanabe 2010), as in Gelman, Hwang and Vehtari (2014), eq. 11-13.

    Points are those of `loo`, which is to be preferred: WAIC fails without a diagnostic as good as Pareto's k.
    """
    labels, terms = pointwise_terms(tree, variable)
    flat = terms.reshape(len(labels), -1)
    predictive = scipy_special.logsumexp(flat, axis=1) - np.log(flat.shape[1])
    p = flat.var(axis=1, ddof=1)
    return Elpd("waic", labels, predictive - p, p, None, p > P_WAIC_LIMIT)


METHODS: dict[str, Callable[[xr.DataTree, str | None], Elpd]] = {"loo": loo, "waic": waic}
"""Every way to estimate the elpd."""
Terms: TypeAlias = tuple[tuple[str, ...], FloatArray]


def pointwise_terms(tree: xr.DataTree, variable: str | None = None) -> Terms:
    """Labels of the data points that count, and their log likelihood, shape (points, chain, draw)."""
    group = group_of(tree, "log_likelihood")
    names = list(map(str, group.data_vars)) if variable is None else [variable]
    for name in names:
        if name not in group.data_vars:
            known = map(str, group.data_vars)
            raise StoreError(f"the log likelihood has no variable {name!r}.", remedy=suggest(name, known))
    arrays = [group[name] for name in names]
    labels = np.array([label for array in arrays for label in scalar_labels(array)], dtype=object)
    terms = stacked(arrays)
    counted = (terms != 0.0).any(axis=(1, 2))
    if not counted.any():
        raise StoreError("the log likelihood holds no data point.", where=("log_likelihood",))
    broken = ~np.isfinite(terms).all(axis=(1, 2))
    if broken.any():
        raise StoreError(
            f"the log likelihood of {labels[broken][0]} is not finite in some draws.", where=("log_likelihood",)
        )
    return tuple(labels[counted]), terms[counted]


def _relative_efficiency(tree: xr.DataTree) -> float:
    """ESS per draw, averaged over the posterior's scalars; 1 for a single chain (ArviZ's convention)."""
    posterior = group_of(tree, "posterior")
    draws = stacked(list(posterior.data_vars.values()))
    if draws.shape[1] == 1:
        return 1.0
    return float(np.nanmean(ess_mean(draws)) / (draws.shape[1] * draws.shape[2]))
