"""What a segment of a chain tells the driver: a few numbers, never draws."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.sampling.chain import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The summary of one segment.

    Attributes
    ----------
    chain, segment : int
        Their numbers.
    warmup : bool
        Whether the segment belongs to warm-up.
    first, draws : int
        The number of its first draw, within warm-up or sampling, and how many it has.
    divergences, gradients : int
        In this segment.
    step_size : float
        At its end; 0 for a method that has none.
    acceptance_rate : float or None
        Mean over its draws; None without draws, and for a method that accepts all.
    seconds : float
        Wall-clock time it took.
    """

    chain: int
    segment: int
    warmup: bool
    first: int
    draws: int
    divergences: int
    gradients: int
    step_size: float
    acceptance_rate: float | None
    seconds: float

    @property
    def draws_done(self) -> int:
        """Draws of this phase (warm-up or sampling) that the chain has done by the segment's end."""
        return self.first + self.draws

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """What `to_json` wrote; raises `StoreError` if it did not."""
        try:
            held: dict[str, Any] = json.loads(text)
            return cls(**held)
        except (ValueError, TypeError) as error:
            raise StoreError(f"This is not a segment's receipt: {text[:80]!r} ({error}).") from None


def receipt(chain: int, step_size: float, block: Block, segment: int, seconds: float) -> Receipt:
    """The receipt of a segment of `chain` that drew `block`, at the end of which it had this step size."""
    draws, statistics = len(block.positions), block.statistics
    accepted = statistics.get("acceptance_rate")
    return Receipt(
        chain=chain,
        segment=segment,
        warmup=block.warmup,
        first=block.first,
        draws=draws,
        divergences=_total(statistics, "diverging"),
        gradients=_total(statistics, "n_steps"),
        step_size=step_size,
        acceptance_rate=float(accepted.mean()) if draws and accepted is not None else None,
        seconds=seconds,
    )


def _total(statistics: Mapping[str, NDArray[np.generic]], name: str) -> int:
    """The sum of a statistic, which methods other than NUTS may not have."""
    return int(np.sum(statistics[name])) if name in statistics else 0
