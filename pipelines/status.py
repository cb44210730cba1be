"""Where a run of this process stands, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["starting", "running", "paused", "finished", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """Where one chain stands: draws done and divergences of the warm-up or, after it, of sampling."""

    warmup: bool
    draws: int
    divergences: int
    step_size: float
    failure: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands: its state, its chains, and the draws that each chain shall have."""

    state: State
    total: int
    chains: tuple[ChainStatus, ...]

    @property
    def draws(self) -> int:
        """Draws of all chains so far, without warm-up."""
        return sum(chain.draws for chain in self.chains if not chain.warmup)

    @property
    def divergences(self) -> int:
        """Divergences among the `draws`."""
        return sum(chain.divergences for chain in self.chains if not chain.warmup)
