"""Evaluating a call of a distribution: its arguments, bounds and log density at values of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exmc.distributions import DISTRIBUTIONS
from exmc.ir.nodes import Call
from exmc.ir.operations import as_number, evaluate


def call_bounds(call: Call, values: Mapping[str, Any]) -> list[Any]:
    """The bounds of the support of `call`, names looked up in `values` (arrays or traced values)."""
    arguments = call.arguments
    return [as_number(evaluate(arguments[b], values)) for b in DISTRIBUTIONS[call.distribution].bounds]


def call_log_density(call: Call, value: Any, values: Mapping[str, Any]) -> Any:
    """The log density of `value` under `call`, elementwise. Bools count as 0 and 1, in the value as well."""
    arguments = {name: as_number(evaluate(e, values)) for name, e in call.parameters}
    return DISTRIBUTIONS[call.distribution].log_density(as_number(value), **arguments)
