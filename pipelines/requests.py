"""What is asked of a run while it goes on, by whoever sees its directory: a file, looked for by its chains."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from exmc.trace.chunks import replace_file
from pipelines.plan import STOP


class Wish(StrEnum):
    """What a run shall do: go on, hold once its segments are done, end after them, or end at once."""

    GO = "go"
    PAUSE = "pause"
    STOP = "stop"
    CANCEL = "cancel"


def request(directory: Path, wish: Wish) -> None:
    """Ask the run in `directory`, whoever drives it, wherever that is; raises `OSError` if that cannot be written.

    Its chains look for the file between draws, five times a second; its driver reads what it says.
    """
    if wish is Wish.GO:
        (directory / STOP).unlink(missing_ok=True)
    else:
        replace_file(directory / STOP, wish.value.encode())


def requested(directory: Path) -> Wish:
    """What was asked of the run in `directory` last; a file that says something else asks it to stop."""
    try:
        return Wish.PAUSE if (directory / STOP).read_bytes() == Wish.PAUSE.value.encode() else Wish.STOP
    except FileNotFoundError:
        return Wish.GO
