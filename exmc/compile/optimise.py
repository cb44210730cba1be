"""What is done to a recorded tape before it is made machine code: the passes, in order."""

from __future__ import annotations

from exmc.compile.borders import cut_borders
from exmc.compile.columns import split_columns
from exmc.compile.scan_split import split_scans
from exmc.compile.simplify import simplify
from exmc.compile.tape import Tape


def optimised(tape: Tape) -> Tape:
    """A tape that computes the same in fewer and longer loops."""
    return cut_borders(split_columns(split_scans(simplify(tape))))
