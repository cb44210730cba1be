"""The workers of a cluster as they come and go, as the scheduler tells of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from distributed import Client

from pipelines.placement import Placement

_TOPIC = "all"


@dataclass(slots=True)
class Workers:
    """Who is there, for `placement`: what the client's own thread is told is looked at when its user asks."""

    client: Client
    placement: Placement = field(default_factory=Placement)
    changes: deque[dict[str, Any]] = field(default_factory=deque)

    def watch(self) -> None:
        """Hear of each worker that comes or goes from now on."""
        self.client.subscribe_topic(_TOPIC, self._note)  # type: ignore[no-untyped-call]

    def ignore(self) -> None:
        """Hear of none any more."""
        self.client.unsubscribe_topic(_TOPIC)  # type: ignore[no-untyped-call]

    def count(self) -> int:
        """How many there are now, asked of the scheduler."""
        threads: dict[str, int] = self.client.nthreads()  # type: ignore[no-untyped-call]
        self.placement.renew(threads)
        return len(threads)

    def lost(self) -> list[str]:
        """The addresses of those that went without having been asked to since the last call."""
        joined, lost = False, []
        while self.changes:
            event = self.changes.popleft()
            if event["action"] == "add-worker":
                joined = True
                continue
            worker = str(event["worker"])
            self.placement.lose(worker)
            if not event.get("expected"):
                lost.append(worker)
        if joined:
            self.count()
        return lost

    def _note(self, event: tuple[float, Any]) -> None:
        _, message = event
        if isinstance(message, dict) and message.get("action") in ("add-worker", "remove-worker"):
            self.changes.append(message)
