"""What a segment of a chain tells the driver: a few numbers, never draws."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from exmc.errors import StoreError
from exmc.sampling.chain import Block
from exmc.sampling.state import ChainState


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
        At its end.
    acceptance_rate : float or None
        Mean over its draws; None without draws.
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


def receipt(state: ChainState, block: Block, segment: int, seconds: float) -> Receipt:
    """The receipt of a segment that drew `block` and left its chain in `state`."""
    draws, statistics = len(block.positions), block.statistics
    return Receipt(
        chain=state.chain,
        segment=segment,
        warmup=block.warmup,
        first=block.first,
        draws=draws,
        divergences=int(statistics["diverging"].sum()),
        gradients=int(statistics["n_steps"].sum()),
        step_size=state.step_size,
        acceptance_rate=float(statistics["acceptance_rate"].mean()) if draws else None,
        seconds=seconds,
    )
