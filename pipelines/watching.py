"""A run followed from outside: its log of events, read as it grows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pipelines.events import Event
from pipelines.plan import EVENTS
from pipelines.standing import being_run

SECONDS_BETWEEN_LOOKS = 0.3
# A driver that lives on a cluster and dies with its worker begins again elsewhere.
SECONDS_WITHOUT_DRIVER = 5.0


def events_of(directory: Path, once: bool = False) -> Iterator[Event]:
    """The events of the run in `directory` since it was begun, or resumed, last; then those to come, until it ends.

    A run that nobody has driven for `SECONDS_WITHOUT_DRIVER` has ended, whatever its log says. With `once`, nothing is
    waited for.
    """
    read, alone_since = 0, time.monotonic()
    while True:
        driven = not once and being_run(directory)
        content = _from(directory / EVENTS, read)
        whole = content[: content.rfind(b"\n") + 1]
        events = [event for line in whole.splitlines() if (event := Event.from_json(line)) is not None]
        if not read:
            begun = [number for number, event in enumerate(events) if event.kind == "started"]
            events = events[begun[-1] :] if begun else events
        read += len(whole)
        yield from events
        if once or any(event.kind in ("finished", "ended") for event in events):
            return
        if driven or events:
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since > SECONDS_WITHOUT_DRIVER:
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _from(path: Path, offset: int) -> bytes:
    """What `path` holds from `offset` on, nothing if it is not there."""
    try:
        with open(path, "rb") as log:
            log.seek(offset)
            return log.read()
    except FileNotFoundError:
        return b""
