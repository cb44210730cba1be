"""A run followed on the scheduler that it uses: what is pushed there, and what the scheduler still holds of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from distributed import Client

from exmc.errors import ClusterError, ConfigError, StoreError
from exmc.trace.files import location
from pipelines.cluster import attach
from pipelines.plan import Plan
from pipelines.sections import Cluster, RemoteCluster
from pipelines.topic import RUNS, Announcement, topic_of

Pause = Callable[[float], object]
"""Waits for so many seconds, or until something has happened."""

# What is not pushed, or lost on its way, is found in the log by then.
_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_TO_ANSWER = 5.0
# How often the client is asked, here, whether it has lost its scheduler: nothing is sent for it.
_SECONDS_BETWEEN_GLANCES = 1.0
_SECONDS_TO_BE_HEARD = 0.1
# To judge a run of many scalars takes long.
_SECONDS_FOR_A_WORKER = 60.0

R = TypeVar("R")


@contextlib.contextmanager
def listening(cluster: Cluster, plan: Plan) -> Iterator[Pause]:
    """How to wait for the next event of the run: until it is pushed, if `cluster` can be attached to.

    What happened is then read from the run's log, which is complete for those who come late, too, or missed some.
    """
    if not isinstance(cluster, RemoteCluster):
        yield time.sleep
        return
    woken = threading.Event()

    def pause(seconds: float) -> None:
        woken.wait(max(seconds, _SECONDS_BETWEEN_LOOKS))
        woken.clear()

    impatient = cluster.model_copy(update={"timeout_seconds": min(cluster.timeout_seconds, _SECONDS_TO_ANSWER)})
    with contextlib.ExitStack() as stack:
        try:
            _hear(stack.enter_context(attach(impatient)), {topic_of(plan): lambda message: woken.set()})
        except (ClusterError, OSError):
            pause = time.sleep  # type: ignore[assignment]
        yield pause


def going_on(client: Client) -> list[Announcement]:
    """The runs that go on on the scheduler, in the order in which their drivers announced them."""
    last: dict[str, Announcement] = {}
    for _, message in client.get_events(RUNS):
        # Another version may announce in another way.
        with contextlib.suppress(TypeError):
            announcement = Announcement(**message)
            before = last.get(announcement.topic)
            if not announcement.over:
                last[announcement.topic] = announcement
            elif before is not None and before.driver == announcement.driver:
                del last[announcement.topic]
    return [announcement for announcement in last.values() if _is_there(client, announcement.driver)]


def chosen(runs: list[Announcement], wanted: str | None, address: str) -> Announcement:
    """The one of `runs` that is `wanted`, by its name or by the number that tells it from others of that name.

    Raises
    ------
    ClusterError
        If none goes on.
    ConfigError
        If several do, and which is not said, or none is so called.
    """
    if not runs:
        raise ClusterError(
            "no run goes on on this scheduler.",
            where=(address,),
            remedy="A run that is over, or has a cluster of its own, is shown by its directory: exmc watch DIR",
        )
    fitting = [run for run in runs if wanted in (None, run.label, name_of(run))]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(f"{name_of(run)} (since {run.began}, in {run.directory})" for run in fitting or runs)
    if fitting:
        message, remedy = f"{len(fitting)} runs go on on this scheduler", f"Choose one: --run {name_of(fitting[0])}"
    else:
        message, remedy = f"no run {wanted!r} goes on on this scheduler", f"Name one: --run {name_of(runs[0])}"
    raise ConfigError(f"{message}: {listed}.", where=(address,), remedy=remedy)


def name_of(run: Announcement) -> str:
    """What a run is called where several have its name."""
    return run.topic.removeprefix("exmc-")


class Attachment:
    """One run on a scheduler: its events as they are pushed, and whether somebody drives it.

    `client` may lose its scheduler and find it again: what was missed meanwhile is then asked for.
    """

    def __init__(self, client: Client, run: Announcement) -> None:
        self.client, self.run = client, run
        self._changed = threading.Condition()
        self._pushed: list[str] = []
        self.left = False
        self._refused = 0
        self._connection: Any = client.scheduler_comm
        # From now on what happens is pushed; what happened before is asked for.
        self._listen()
        self.driven = _is_there(client, run.driver)

    def held(self) -> list[str]:
        """What the scheduler still holds of the run's events, a line of JSON each: at most its last 1000."""
        return [_line(message) for _, message in self.client.get_events(self.run.topic)]

    def wait(self, seconds: float) -> list[str]:
        """The events pushed since the last call, as lines of JSON; waited for, `seconds` where nobody drives the run.

        After the scheduler was lost and found, those that it holds are among them, known ones as well. Raises
        `ClusterError` if it is lost for good.
        """
        deadline = time.monotonic() + seconds
        while True:
            with self._changed:
                if not self._pushed:
                    self._changed.wait(min(seconds, 0.1) if not self.driven else _SECONDS_BETWEEN_GLANCES)
                pushed, self._pushed = self._pushed, []
            missed = self._missed()
            if pushed or missed or self.left or (not self.driven and time.monotonic() >= deadline):
                return [*missed, *pushed]

    def leave(self) -> None:
        """Have nobody wait any more."""
        with self._changed:
            self.left = True
            self._changed.notify_all()

    def on_worker(self, function: Callable[..., R], *arguments: Any) -> R:
        """What `function` returns of the run's directory on a worker, which sees that; beside its tasks.

        Raises `StoreError` if no worker answers, whatever the reason.
        """
        directory = self.run.directory
        try:
            workers = sorted(self.client.nthreads())  # type: ignore[no-untyped-call]
            worker = workers[self._refused % len(workers)]
            found = self.client.run(
                _beside, function, directory, *arguments, workers=[worker], callback_timeout=_SECONDS_FOR_A_WORKER
            )
            return found[worker]  # type: ignore[no-any-return]
        except Exception as error:
            # One that is halted, or does not see the directory, is not asked again at once.
            self._refused += 1
            raise StoreError(
                f"no worker reads the run's directory: {type(error).__name__}: {error}.", where=(directory,)
            ) from error

    def _missed(self) -> list[str]:
        """What the scheduler holds, if it was lost and found since the last look."""
        status = self.client.status
        if status == "closed":
            raise ClusterError(
                "the connection to the scheduler is lost.",
                where=(self.run.label,),
                remedy=f"See where the run stands: exmc watch {self.run.directory}",
            )
        # One that is lost and found between two glances is another, too.
        if status != "running" or self.client.scheduler_comm is self._connection:
            return []
        connection = self.client.scheduler_comm
        # Lost again meanwhile, it is asked once more when it is found.
        with contextlib.suppress(OSError):
            self._listen()
            again = [run for run in going_on(self.client) if run.topic == self.run.topic]
            self.driven = bool(again)
            for run in again:
                self._follow(run)
            held = self.held()
            self._connection = connection
            return held
        return []

    def _listen(self) -> None:
        topics = {RUNS: self._on_run, self.run.topic: self._on_event, self.run.driver: self._on_driver}
        _hear(self.client, topics)

    def _follow(self, run: Announcement) -> None:
        self.run = run
        _subscribe(self.client, run.driver, self._on_driver)

    def _on_event(self, message: Any) -> None:
        with self._changed:
            self._pushed.append(_line(message))
            self._changed.notify_all()

    def _on_driver(self, message: Any) -> None:
        if message == _gone(self.run.driver):
            self._drive(False)

    def _on_run(self, message: Any) -> None:
        with contextlib.suppress(TypeError):
            run = Announcement(**message)
            if run.topic == self.run.topic and not run.over:
                # The driver on a worker that died begins again on another.
                self._follow(run)
                self._drive(True)
            elif run.topic == self.run.topic and run.driver == self.run.driver:
                self._drive(False)

    def _drive(self, driven: bool) -> None:
        with self._changed:
            self.driven = driven
            self._changed.notify_all()


def _hear(client: Client, listeners: Mapping[str, Callable[[Any], None]]) -> None:
    """Have each of `listeners` told what is pushed in its topic; return once that is so.

    The scheduler takes subscriptions in order, but in its own time.
    """
    for topic, listener in listeners.items():
        _subscribe(client, topic, listener)
    heard, own = threading.Event(), f"exmc-{client.id}"
    _subscribe(client, own, lambda message: heard.set())
    deadline = time.monotonic() + _SECONDS_TO_ANSWER
    while time.monotonic() < deadline:
        client.log_event(own, {})
        if heard.wait(_SECONDS_TO_BE_HEARD):
            return


def _subscribe(client: Client, topic: str, listener: Callable[[Any], None]) -> None:
    client.subscribe_topic(topic, lambda event: listener(event[1]))  # type: ignore[no-untyped-call]


def _line(message: Any) -> str:
    return json.dumps(message)


def _gone(driver: str) -> dict[str, str]:
    """What the scheduler says when it has lost a client."""
    return {"action": "remove-client", "client": driver}


def _is_there(client: Client, driver: str) -> bool:
    events = client.get_events(driver)
    return bool(events) and events[-1][1] != _gone(driver)


async def _beside(function: Callable[..., R], directory: str, *arguments: Any) -> R:
    """What `function` returns of `directory`, computed in a thread: a worker goes on answering meanwhile."""
    return await asyncio.to_thread(function, location(directory), *arguments)
