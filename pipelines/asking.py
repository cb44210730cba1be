"""What the commands ask of a run whose driver is another process: to hold, to go on, to end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from exmc.errors import StoreError
from exmc.trace.files import Location
from pipelines.exits import PASSED
from pipelines.locks import being_run, owner_of
from pipelines.remote import at_directory, attachment_to
from pipelines.requests import Wish, let_go, request


def ask(directory: Location, wish: Wish) -> int:
    """Ask the run in `directory` for `wish`; `StoreError` if nobody runs it, or if that cannot be written."""
    if not being_run(directory):
        raise StoreError("nobody runs this run.", where=(str(directory),), remedy=f"See: exmc summary {directory}")
    owner = owner_of(directory)
    with _asking(str(directory), wish, f", or send SIGTERM to {owner}" if owner else ""):
        request(directory, wish)
    return _say_asked(str(directory), wish, f"exmc resume {directory}")


def ask_on(address: str, wanted: str | None, wish: Wish) -> int:
    """Ask the run that goes on on the scheduler at `address`, the one that is `wanted`, for `wish`.

    Raises as `pipelines.attached` does.
    """
    with attachment_to(address, wanted) as attachment:
        run = attachment.run
        with _asking(run.directory, wish):
            at_directory(attachment, request, wish)
    # One that is stopped is no longer known to its scheduler.
    command = _command("resume", address, wanted) if wish is Wish.PAUSE else f"exmc resume {run.directory}"
    return _say_asked(f"{run.label}, in {run.directory},", wish, command)


def let_go_on_at(address: str, wanted: str | None) -> int:
    """Let the run that is held on the scheduler at `address`, the one that is `wanted`, go on.

    Raises as `pipelines.attached` does; `StoreError` for a run that is not held.
    """
    follow = f"To follow it: {_command('watch', address, wanted)}"
    with attachment_to(address, wanted) as attachment:
        run = attachment.run
        with _asking(run.directory, Wish.GO):
            held = at_directory(attachment, let_go)
    if not held:
        raise StoreError(f"{run.label} is not held.", where=(run.directory,), remedy=follow)
    print(f"exmc: {run.label}, in {run.directory}, goes on. {follow}", file=sys.stderr)
    return PASSED


@contextlib.contextmanager
def _asking(directory: str, wish: Wish, otherwise: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the run could not be asked to {wish}: {error.strerror or error}."
        remedy = f"Try again once its storage can be written{otherwise}."
        raise StoreError(message, where=(directory,), remedy=remedy) from None


def _say_asked(run: str, wish: Wish, command: str) -> int:
    then = f"To {'go on' if wish is Wish.PAUSE else 'finish it'}: {command}"
    print(f"exmc: {run} was asked to {wish}, which it does once its segments are done. {then}", file=sys.stderr)
    return PASSED


def _command(name: str, address: str, wanted: str | None) -> str:
    return f"exmc {name} {address}{f' --run {wanted}' if wanted is not None else ''}"
