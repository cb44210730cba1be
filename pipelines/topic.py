"""The events of a run on the scheduler that it uses: pushed there, and from there to whoever listens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from distributed import Client

from exmc.errors import ClusterError
from exmc.trace.description import read_description
from pipelines.cluster import connect
from pipelines.events import Event, Listener
from pipelines.plan import Plan
from pipelines.sections import Cluster, RemoteCluster

Pause = Callable[[float], object]
"""Waits for so many seconds, or until something has happened."""

# What is not pushed, or lost on its way, is found in the log by then.
_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_TO_ANSWER = 5.0


def topic_of(plan: Plan) -> str:
    """The topic of this run and of no other, the same wherever its directory is mounted."""
    created = read_description(plan.path).attributes.get("created_at", "")
    return f"exmc-{plan.label}-{hashlib.sha256(f'{plan.fingerprint} {created}'.encode()).hexdigest()[:12]}"


def pushing(client: Client, plan: Plan, on_event: Listener) -> Listener:
    """`on_event`, and after it the scheduler, is told each event: a few hundred bytes.

    One that lives within this process nobody else can reach.
    """
    address = str(client.scheduler_info().get("address", ""))
    if not address or address.startswith("inproc"):
        return on_event
    topic = topic_of(plan)

    def tell(event: Event) -> None:
        on_event(event)
        # That the scheduler is gone, the run finds out by its tasks.
        with contextlib.suppress(Exception):
            client.log_event(topic, json.loads(event.to_json()))

    return tell


@contextlib.contextmanager
def listening(cluster: Cluster, plan: Plan) -> Iterator[Pause]:
    """How to wait for the next event of the run: until it is pushed, if `cluster` can be attached to.

    What happened is then read from the run's log, which is complete for those who come late, too, or missed some.
    """
    if not isinstance(cluster, RemoteCluster):
        yield time.sleep
        return
    woken = threading.Event()

    def handler(event: tuple[float, Any]) -> None:
        del event
        woken.set()

    def pause(seconds: float) -> None:
        woken.wait(max(seconds, _SECONDS_BETWEEN_LOOKS))
        woken.clear()

    impatient = cluster.model_copy(update={"timeout_seconds": min(cluster.timeout_seconds, _SECONDS_TO_ANSWER)})
    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(connect(impatient, plan.options.chains))
        except ClusterError:
            pause = time.sleep  # type: ignore[assignment]
        else:
            client.subscribe_topic(topic_of(plan), handler)  # type: ignore[no-untyped-call]
        yield pause
