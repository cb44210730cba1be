"""The events of a run on the scheduler that it uses: announced and pushed there for whoever listens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from distributed import Client

from exmc.trace.description import read_description
from pipelines.events import Event, Listener, ended_by
from pipelines.plan import Plan

RUNS = "exmc-runs"
"""The topic in which drivers announce their runs, and that they have let go of them."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a driver tells its scheduler of a run: as it takes it up, and again, `over`, as it lets go of it.

    Attributes
    ----------
    topic
        Where its events are pushed.
    label, directory, began
        The run's name, its directory as workers see it, and when this driver began.
    driver
        The driver's client: its end is told by the scheduler, in the topic of this name.
    options
        Those of the sampler, by name.
    """

    topic: str
    label: str
    directory: str
    began: str
    driver: str
    options: Mapping[str, Any]
    over: bool = False


def topic_of(plan: Plan) -> str:
    """The topic of this run and of no other, the same wherever its directory is mounted."""
    created = read_description(plan.path).attributes.get("created_at", "")
    return f"exmc-{plan.label}-{hashlib.sha256(f'{plan.fingerprint} {created}'.encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def announced(client: Client, plan: Plan, on_event: Listener) -> Iterator[Listener]:
    """`on_event`, and after it the scheduler, is told each event: a few hundred bytes; its end as well.

    A scheduler that lives within this process nobody else can reach.
    """
    address = str(client.scheduler_info().get("address", ""))
    if not address or address.startswith("inproc"):
        yield on_event
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    topic, options = topic_of(plan), json.loads(json.dumps(asdict(plan.options)))
    announcement = Announcement(topic, plan.label, plan.directory, now, str(client.id), options)

    def push(where: str, message: Mapping[str, Any]) -> None:
        # That the scheduler is gone, the run finds out by its tasks; to tell it nevertheless would take half a minute.
        if client.status == "running":
            with contextlib.suppress(Exception):
                client.log_event(where, dict(message))

    def tell(event: Event) -> None:
        on_event(event)
        push(topic, json.loads(event.to_json()))

    push(RUNS, asdict(announcement))
    began = time.perf_counter()
    try:
        yield tell
    except BaseException as error:
        push(topic, json.loads(ended_by(error, time.perf_counter() - began).to_json()))
        raise
    finally:
        push(RUNS, asdict(replace(announcement, over=True)))
