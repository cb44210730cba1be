"""Which rows of DISTRIBUTIONS have numbers alone for values and parameters, and laws of what a user writes."""

from __future__ import annotations

from typing import Any

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution, Given
from exmc.distributions.law import Law

SCALAR: dict[str, Distribution] = {
    name: distribution
    for name, distribution in DISTRIBUTIONS.items()
    if not distribution.event
    and distribution.form is None
    and all(p.takes == "value" and not p.event for p in distribution.parameters)
}
"""Rows whose values, or parameters, are vectors or distributions have a suite of their own."""


def law(given: Given) -> Law:
    """The law of `given`, whose arguments are numbers, arrays and laws' own."""

    def bound(value: Any) -> Any:
        if isinstance(value, Given):
            return law(value)
        return tuple(map(law, value)) if isinstance(value, tuple) else value

    row = given.distribution
    assert isinstance(row, Distribution)
    defaults = {p.name: p.default for p in row.parameters if p.default is not None}
    return Law(row, defaults | {name: bound(value) for name, value in given.arguments})
