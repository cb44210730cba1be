"""What is asked of a run while it goes on, by whoever sees its directory: a file, looked for by its chains."""

from __future__ import annotations

from enum import StrEnum

from exmc.trace.files import Location, write_whole
from pipelines.plan import STOP


class Wish(StrEnum):
    """What a run shall do: go on, hold once its segments are done, end after them, or end at once."""

    GO = "go"
    PAUSE = "pause"
    STOP = "stop"
    CANCEL = "cancel"


def request(directory: Location, wish: Wish) -> None:
    """Ask the run in `directory`, whoever drives it, wherever that is; raises `OSError` if that cannot be written.

    Its chains look for the file between draws, five times a second, every two seconds on an object store; its driver
    reads what it says.
    """
    if wish is Wish.GO:
        (directory / STOP).unlink(missing_ok=True)
    else:
        write_whole(directory / STOP, wish.value.encode())


def requested(directory: Location) -> Wish:
    """What was asked of the run in `directory` last; a file that says something else asks it to stop."""
    try:
        return Wish.PAUSE if (directory / STOP).read_bytes() == Wish.PAUSE.value.encode() else Wish.STOP
    except FileNotFoundError:
        return Wish.GO


def let_go(directory: Location) -> bool:
    """Ask the run in `directory` to go on if it was asked to hold, and to do nothing else since; whether it was."""
    held = requested(directory) is Wish.PAUSE
    if held:
        request(directory, Wish.GO)
    return held
