"""What happens in a run, as values: for the terminal, for callbacks and for events.jsonl."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from exmc.errors import ExmcError
from exmc.sampling.progress import Receipt

Kind: TypeAlias = Literal[
    "started", "stage", "round", "segment", "longer", "note", "worker_lost", "chain_failed", "paused", "resumed",
    "stopped",
    "finished", "ended",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, `seconds` after the run (or its resumption) began.

    Attributes
    ----------
    kind
        ``stage``: the pipeline stage `stage` is done and took `took` seconds. ``round``: one of a method's fit is done;
        how far the fit is, in `message`. ``segment``: see `receipt`. ``longer``: each chain goes on to `draws` draws,
        for the reason in `message`. ``chain_failed``: chain `chain`, for the reason in `message`. ``note``: what the
        user should know, in `message`. ``worker_lost``: which one, in `message`; its work is done again. ``stopped``:
        it was asked to stop. ``ended``: before it was finished, for the reason in `message`; in events.jsonl alone,
        callers get the exception.
    """

    kind: Kind
    seconds: float
    stage: str = ""
    took: float | None = None
    chain: int | None = None
    draws: int | None = None
    receipt: Receipt | None = None
    message: str = ""

    def to_json(self) -> str:
        """One line of JSON without the fields that say nothing."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None and value != ""})

    @classmethod
    def from_json(cls, line: bytes) -> Event | None:
        """What `to_json` wrote; None for a line that is torn, or of another version."""
        try:
            held: dict[str, Any] = json.loads(line)
            receipt = held.pop("receipt", None)
            return cls(**held, receipt=None if receipt is None else Receipt(**receipt))
        except (ValueError, TypeError, AttributeError):
            return None


def ended_by(error: BaseException, seconds: float) -> Event:
    """That a run ended before it was finished, by `error`."""
    message = str(error) if isinstance(error, ExmcError) else f"{type(error).__name__}: {error}"
    return Event(kind="ended", seconds=seconds, message=message)


Listener: TypeAlias = Callable[[Event], None]
