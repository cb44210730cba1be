"""The schemes of adaptation: the table of what warm-up needs to know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exmc.nuts.estimate import FISHER, STAN, Estimators
from exmc.nuts.stages import Stage, fisher_stages, stan_stages

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme of adaptation.

    Attributes
    ----------
    name : str
    stages : function of the number of warm-up iterations
        What they learn, in which order.
    first_variances : function of the gradient at the starting point
        The diagonal of the first inverse mass matrix, shape (dimension,).
    estimators : Estimators
        Of all later ones.
    """

    name: str
    stages: Callable[[int], tuple[Stage, ...]]
    first_variances: Callable[[FloatArray], FloatArray]
    estimators: Estimators


def _unit(gradient: FloatArray) -> FloatArray:
    return np.ones(gradient.size)


def _by_gradient(gradient: FloatArray) -> FloatArray:
    """1 / |gradient|: of a normal density with scale s at distance x that is s² / |x|."""
    with np.errstate(divide="ignore", over="ignore"):
        found = 1.0 / np.abs(gradient)
    return np.where(np.isfinite(found) & (found > 0.0), found, 1.0)


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(name="fisher", stages=fisher_stages, first_variances=_by_gradient, estimators=FISHER),
        Scheme(name="stan", stages=stan_stages, first_variances=_unit, estimators=STAN),
    )
}
