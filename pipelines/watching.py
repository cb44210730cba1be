"""A run followed from outside: its log of events, read as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from exmc.trace.files import Location, read_log
from pipelines.events import Event
from pipelines.locks import being_run
from pipelines.plan import EVENTS

SECONDS_BETWEEN_LOOKS = 0.3
# A driver that lives on a cluster and dies with its worker begins again elsewhere.
SECONDS_WITHOUT_DRIVER = 5.0


class EventLog:
    """The events that a run's directory holds, each given once.

    The first look gives those since the run was begun, or resumed, last: whoever drives it tells anew of all that is
    committed.
    """

    def __init__(self, directory: Location) -> None:
        self._path = directory / EVENTS
        self._read = 0

    def new(self) -> list[Event]:
        """The events that came since the last look."""
        content = read_log(self._path, self._read)
        whole = content[: content.rfind(b"\n") + 1]
        events = [event for line in whole.splitlines() if (event := Event.from_json(line)) is not None]
        if not self._read:
            begun = [number for number, event in enumerate(events) if event.kind == "started"]
            events = events[begun[-1] :] if begun else events
        self._read += len(whole)
        return events


def events_of(
    directory: Location,
    once: bool = False,
    pause: Callable[[float], object] | None = None,
    driven: Callable[[], bool] | None = None,
) -> Iterator[Event]:
    """The events of the run in `directory` since it was begun, or resumed, last; then those to come, until it ends.

    A run that nobody has driven for `SECONDS_WITHOUT_DRIVER` has ended, whatever its log says. With `once`, nothing is
    waited for. `pause` waits for so many seconds, or until it knows that something has happened; `driven` knows whether
    somebody drives the run, else the lock on its directory says it.
    """
    log, alone_since = EventLog(directory), time.monotonic()
    while True:
        alive = not once and (driven() if driven is not None else being_run(directory))
        events = log.new()
        yield from events
        if once or any(event.kind in ("finished", "ended") for event in events):
            return
        if alive or events:
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since > SECONDS_WITHOUT_DRIVER:
            return
        (pause or time.sleep)(SECONDS_BETWEEN_LOOKS)
