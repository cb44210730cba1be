"""What a run shall reach before it ends."""

from __future__ import annotations

from dataclasses import dataclass

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
