"""What lowering makes of a tape: the text of two functions, and how their data are packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exmc.compile.packing import Packing
from exmc.compile.primitives import Array

SYMBOL = "exmc_program"
BATCH_SYMBOL = "exmc_batch"


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Machine code in the making.

    The function `SYMBOL` has the signature of `exmc.density.DENSITY_SIGNATURE`. With `scalar_first` it returns the
    first output and writes the others to its second argument, one after the other; else it writes all and returns 0.
    The function `BATCH_SYMBOL` calls it for many positions. Its data are packed from `constants`, arrays by value id.
    """

    text: str
    packing: Packing
    workspace_size: int
    constants: Mapping[int, Array]
