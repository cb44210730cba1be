"""What the page says of a run beside its draws: how far it is, and what each chain is at."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Request: TypeAlias = Literal["pause", "go", "stop"]
"""What the page's buttons ask of a run."""


class ChainStatus(NamedTuple):
    """One chain; `done` and `total` are draws of the phase it is in."""

    phase: str
    done: int
    total: int
    divergences: int
    step_size: float
    gradients_per_draw: float
    draws_per_second: float


class Status(NamedTuple):
    """One run.

    Attributes
    ----------
    standing
        ``starting``, ``running``, ``paused``, ``finished`` or ``ended``; ``away`` once nobody runs it.
    stages
        The pipeline stages, what people call them, and the seconds that each took; None for those to come.
    done, total
        Iterations of all chains, of the warm-up too.
    seconds_left
        For people; a dash where nobody knows.
    """

    name: str
    standing: str
    message: str
    stages: tuple[tuple[str, float | None], ...]
    chains: tuple[ChainStatus, ...]
    done: int
    total: int
    divergences: int
    seconds_left: str
