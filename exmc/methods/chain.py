"""A chain of draws from a finished fit, advanced by any number of draws at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import StoreError
from exmc.methods.method import Arrays, Method, Problem
from exmc.sampling.chain import Block


@dataclass(frozen=True, slots=True)
class FittedState:
    """A chain between two draws: its number, and how many draws it has done."""

    chain: int
    iteration: int

    @property
    def step_size(self) -> float:
        """0: it has none."""
        return 0.0

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state as named arrays."""
        return {"chain": np.array(self.chain, dtype=np.int64), "iteration": np.array(self.iteration, dtype=np.int64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> FittedState:
        """The state that `to_arrays` wrote; raises `StoreError` for another's."""
        if set(arrays) != {"chain", "iteration"}:
            raise StoreError(f"These arrays are not the state of a chain that follows a fit: {sorted(arrays)}.")
        return cls(int(arrays["chain"]), int(arrays["iteration"]))


def advance_fitted(
    method: Method, problem: Problem, fit: Arrays, state: FittedState, count: int
) -> tuple[FittedState, Block]:
    """Up to `count` more draws of the chain, and not beyond the end of the run; raises as ``method.draw`` does."""
    count = max(0, min(count, problem.options.draws - state.iteration))
    drawn = method.draw(problem, fit, state.chain, state.iteration, count)
    names = [statistic.name for statistic in method.statistics]
    block = Block(state.iteration, False, drawn.positions, {name: drawn.statistics[name] for name in names})
    return FittedState(state.chain, state.iteration + count), block
