"""What a run shall reach before it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from exmc.errors import SamplingError, brief, suggest

MAX_DRAWS = 20_000
"""Draws a chain after which a run ends that was given no other number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """What a run shall reach, and what it may cost at most.

    Attributes
    ----------
    ess : float or None
        The effective sample size that every scalar shall have, of the bulk and of the tails.
    rhat : float or None
        What the R-hat of every scalar shall not exceed.
    max_draws : int
        Draws a chain after which it ends, reached or not.
    max_seconds : float or None
        Seconds of drawing, warm-up included, of the slowest chain after which it ends, reached or not.
    """

    ess: float | None = None
    rhat: float | None = None
    max_draws: int = MAX_DRAWS
    max_seconds: float | None = None


def until_of(given: Mapping[str, Any], draws: int) -> Until:
    """What the keys `given` ask for, of chains that begin with `draws` draws; raises `SamplingError` for nonsense."""
    known = [field.name for field in fields(Until)]
    for key, value in given.items():
        if key not in known:
            raise SamplingError(f"{key!r} is nothing to be reached.", where=("until", key), remedy=suggest(key, known))
        least = {"rhat": 1.0}.get(key, 0.0)
        number = isinstance(value, int if key == "max_draws" else int | float) and not isinstance(value, bool)
        if (value is not None and not (number and value > least)) or (value is None and key == "max_draws"):
            kind = "a whole number" if key == "max_draws" else "a number"
            raise SamplingError(f"{brief(value)} is not {kind} above {least:g}.", where=("until", key))
    until = Until(**given)
    if until.ess is None and until.rhat is None:
        raise SamplingError("nothing is asked of the draws.", where=("until",), remedy="Give ess, rhat or both.")
    if until.max_draws < draws:
        message = f"the chains begin with {draws} draws, and may have {until.max_draws}."
        raise SamplingError(message, where=("until", "max_draws"), remedy="Raise it, or lower draws.")
    return until
