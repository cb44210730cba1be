"""Methods of inference beside NUTS, one a file: the table METHODS, and what a method's name and options come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from exmc.errors import SamplingError, suggest
from exmc.methods.advi import ADVI
from exmc.methods.laplace import LAPLACE
from exmc.methods.method import Method
from exmc.methods.pathfinder import PATHFINDER
from exmc.methods.smc import SMC
from exmc.sampling.statistics import STATISTICS, Statistic

NUTS = "nuts"
METHODS: dict[str, Method] = {method.name: method for method in (PATHFINDER, LAPLACE, ADVI, SMC)}
"""Every method but NUTS, which is no approximation and needs no fit."""


def method_of(name: str) -> Method:
    """The row called `name`; raises `SamplingError` if there is none."""
    if name not in METHODS:
        message = f"There is no method {name!r}."
        raise SamplingError(message, where=("method",), remedy=suggest(str(name), (NUTS, *METHODS)))
    return METHODS[name]


def options_of(name: str) -> tuple[str, ...]:
    """The names of the options that are this method's own."""
    return tuple(field.name for field in fields(method_of(name).settings))


def settings_of(name: str, given: Mapping[str, Any]) -> Any:
    """The options `given` of the method called `name`, checked, the others by default; raises `SamplingError`."""
    known = options_of(name)
    for key in given:
        if key not in known:
            remedy = suggest(key, known)
            raise SamplingError(f"{key!r} is no option of the method {name!r}.", where=(key,), remedy=remedy)
    return method_of(name).settings(**given)


def statistics_of(name: str) -> tuple[Statistic, ...]:
    """The statistics of each draw of this method, NUTS among them."""
    return STATISTICS if name == NUTS else method_of(name).statistics


def described(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the attributes of a result say of its method before it is fitted; nothing of NUTS."""
    return {} if name == NUTS else {"method": method_of(name).describe(settings_of(name, given))}
