"""The statistics that accompany each draw: their names, types and meanings, declared once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exmc.nuts.outcome import Transition


class Statistic(NamedTuple):
    """A per-draw statistic: its name in the ArviZ schema, its numpy dtype, what it means."""

    name: str
    dtype: str
    description: str


STATISTICS: tuple[Statistic, ...] = (
    Statistic("lp", "float64", "Joint log posterior density of the draw, on the unconstrained scale"),
    Statistic("acceptance_rate", "float64", "Mean over the trajectory's points of min(1, exp(-energy error))"),
    Statistic("step_size", "float64", "Step size of the leapfrog integrator"),
    Statistic("tree_depth", "int64", "Number of doublings that the trajectory kept"),
    Statistic("n_steps", "int64", "Leapfrog steps taken, that is, gradients evaluated"),
    Statistic("reached_max_treedepth", "bool", "The trajectory ended only because of max_treedepth"),
    Statistic("diverging", "bool", "The trajectory met an energy error above 1000 or a density that is not finite"),
    Statistic("energy", "float64", "Potential plus kinetic energy of the draw"),
    Statistic("energy_error", "float64", "Energy of the draw minus that of the trajectory's start"),
    Statistic("max_energy_error", "float64", "Energy error of the largest magnitude along the trajectory"),
)


def columns(table: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
    """The kernel's table, shape (draws, statistics), as one array of the declared type per statistic."""
    return {row.name: table[:, Transition._fields.index(row.name)].astype(row.dtype) for row in STATISTICS}
