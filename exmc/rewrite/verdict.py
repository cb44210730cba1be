"""What weighing the data says of one variable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to leave a variable centred, and why."""

    centred: bool
    why: str


NOTHING = Verdict(False, "no data bear on it")
