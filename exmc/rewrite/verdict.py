"""What weighing the data says of one variable."""

from __future__ import annotations

from dataclasses import dataclass

from exmc.rewrite.partial import Weights


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to leave a variable centred, and why; with `weights`, whether in part."""

    centred: bool
    why: str
    weights: Weights | None = None


NOTHING = Verdict(False, "no data bear on it")
