"""The schemes of adaptation: the table of what warm-up needs to know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exmc.nuts.estimate import FISHER, STAN, Estimators
from exmc.nuts.stages import Stage, fisher_stages, stan_stages


@dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme of adaptation.

    Attributes
    ----------
    name : str
    stages : function of the number of warm-up iterations
        What they learn, in which order.
    estimators : Estimators
        How it estimates metrics from draws; the first metric is the unit one.
    """

    name: str
    stages: Callable[[int], tuple[Stage, ...]]
    estimators: Estimators


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(name="fisher", stages=fisher_stages, estimators=FISHER),
        Scheme(name="stan", stages=stan_stages, estimators=STAN),
    )
}
