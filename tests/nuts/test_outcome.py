from __future__ import annotations

from exmc.nuts import trajectory
from exmc.nuts.outcome import Termination


def test_the_kernels_numbers_are_those_of_the_enumeration() -> None:
    codes = (trajectory.COMPLETE, trajectory.TURNING, trajectory.DIVERGING)
    assert codes == tuple(int(member) for member in Termination)
