"""Workers that go without having been asked to, as the scheduler tells of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from distributed import Client

_TOPIC = "all"


@dataclass(slots=True)
class Losses:
    """Filled by the client's own thread, emptied by whoever tells of them."""

    workers: deque[str] = field(default_factory=deque)

    def watch(self, client: Client) -> None:
        """Note each worker that is lost from now on."""
        client.subscribe_topic(_TOPIC, self._note)  # type: ignore[no-untyped-call]

    def ignore(self, client: Client) -> None:
        """Note none any more."""
        client.unsubscribe_topic(_TOPIC)  # type: ignore[no-untyped-call]

    def take(self) -> Iterator[str]:
        """The addresses of those lost since the last call."""
        while self.workers:
            yield self.workers.popleft()

    def _note(self, event: tuple[float, Any]) -> None:
        _, message = event
        if isinstance(message, dict) and message.get("action") == "remove-worker" and not message.get("expected"):
            self.workers.append(str(message["worker"]))
