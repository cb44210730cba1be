"""What one transition reports."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Termination(IntEnum):
    """Why a trajectory, or a part of it, stopped growing. Only a `COMPLETE` sub-tree enters the trajectory."""

    COMPLETE = 0
    TURNING = 1
    DIVERGING = 2


class Transition(NamedTuple):
    """The statistics of one transition, each a float, by their names in the ArviZ schema."""

    lp: float
    acceptance_rate: float
    step_size: float
    tree_depth: float
    n_steps: float
    reached_max_treedepth: float
    diverging: float
    energy: float
    energy_error: float
    max_energy_error: float
