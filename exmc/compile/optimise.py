"""What is done to a recorded tape before it is made machine code: the passes, in order."""

from __future__ import annotations

from collections.abc import Callable

from exmc.compile.borders import cut_borders
from exmc.compile.columns import split_columns
from exmc.compile.scan_split import split_scans
from exmc.compile.simplify import simplify
from exmc.compile.tape import Tape


def optimised(tape: Tape, absorb: Callable[[Tape], Tape]) -> Tape:
    """A tape that computes the same in fewer and longer loops.

    `absorb` takes out what a pass has prepared (`Preparation.absorb`), before the next one.
    """
    tape = split_scans(absorb(simplify(tape)), absorb)
    for improve in (split_columns, cut_borders):
        tape = absorb(improve(tape))
    return tape
