"""A run as Dask tasks, submitted and followed as their completions are pushed."""

from __future__ import annotations

import contextlib
import secrets
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from distributed import CancelledError, Client, Future, KilledWorker, as_completed
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError

from exmc.errors import ClusterError, ExmcError
from exmc.trace.journal import Journal
from pipelines import stages
from pipelines.events import Event, Listener
from pipelines.patience import patiently
from pipelines.plan import STOP, Plan
from pipelines.processors import mixed_note, processors
from pipelines.schedule import Schedule
from pipelines.segments import Outcome, SegmentTask, outcome_of, run_segment
from pipelines.stages import Diagnosed

# A remote scheduler would keep tasks for ever if no worker came.
WORKER_SECONDS = 120.0

# What the client raises, depending on what it was doing just then.
_CONNECTION_LOST = (CommClosedError, ClosedClientError, CancelledError)


class StoppedError(ExmcError):
    """A run that was stopped on request; it can be resumed."""


class _GivenUpError(ClusterError):
    """A task whose workers died again and again, so that the scheduler does not give it to another."""


def _unlocated(error: ExmcError) -> ExmcError:
    return error


def follow(
    client: Client,
    plan: Plan,
    on_event: Listener,
    started: float,
    locate: Callable[[ExmcError], ExmcError] = _unlocated,
) -> Diagnosed:
    """Run `plan`, whose run directory exists, to its end; `locate` says where in the config a note belongs.

    Every completion is pushed here by the scheduler; the chain's next segment is then submitted. Ctrl-C while chains
    draw asks them to stop, waits until what they have drawn is committed and raises `StoppedError`; a second one, or
    one in another stage, does not wait. Where the scheduler gives a task up because its workers died, the run begins
    again from what is committed, unless it did so ``plan.retries`` times without a segment more.

    Raises
    ------
    StoppedError
        If it was stopped on request.
    ClusterError
        If the connection to the cluster is lost.
    ExmcError
        Whatever a stage raised, and if fewer than ``plan.min_chains`` chains finished.
    """
    run = _Following(client, plan, on_event, started, locate)
    try:
        with _stopped_by_interrupt(run):
            run.watch_workers()
            return run.to_the_end()
    except KeyboardInterrupt:
        raise run.stopped() from None
    except _CONNECTION_LOST as error:
        raise run.lost() from error
    finally:
        run.forget()


@dataclass(slots=True)
class _Following:
    """A run while it is followed: the futures that are alive, and where its chains stand."""

    client: Client
    plan: Plan
    on_event: Listener
    started: float
    locate: Callable[[ExmcError], ExmcError]
    futures: dict[str, Future[Any]] = field(default_factory=dict)
    schedule: Schedule = field(init=False)
    stage_began: float = field(init=False)
    told: bool = False
    # Filled by the client's own thread.
    lost_workers: deque[str] = field(default_factory=deque)
    drawing: bool = False
    # Segments that were told of, by chain and number: a run that begins again meets them again.
    reported: set[tuple[int, int]] = field(default_factory=set)
    # Of two tasks with one key a scheduler ignores the second: runs of one name must not meet on a shared one.
    token: str = field(default_factory=lambda: secrets.token_hex(2))

    def __post_init__(self) -> None:
        options = self.plan.options
        self.schedule = Schedule(options.chains, options.draws, options.warmup, self.plan.min_chains)
        self.stage_began = time.perf_counter()

    def to_the_end(self) -> Diagnosed:
        """Every stage of the run; again from what is committed, when workers died until a task was given up."""
        fruitless = 0
        while True:
            before = len(self.reported)
            try:
                self.prepare()
                self.sample()
                return self.diagnose()
            except _GivenUpError as error:
                fruitless = fruitless + 1 if len(self.reported) == before else 0
                if fruitless > self.plan.retries:
                    raise
                message = f"{error.message} Going on from what is committed"
                self.tell(Event(kind="note", seconds=self.elapsed(), message=message))
                self.begin_again()

    def begin_again(self) -> None:
        """Let go of every task, and look anew where the chains stand."""
        self.client.cancel(list(self.futures.values()), force=True)  # type: ignore[no-untyped-call]
        self.futures.clear()
        stopping, self.token = self.schedule.stopping, secrets.token_hex(2)
        self.__post_init__()
        self.schedule.stopping, self.drawing = stopping, False

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, priority: int = 0) -> Future[Any]:
        """Submit one task under a readable key. Dask's own `retries` would repeat the errors of a model, too."""
        future = self.client.submit(
            patiently,
            self.plan.retries,
            function,
            *arguments,
            key=f"exmc-{self.plan.label}-{self.token}-{stage}",
            pure=False,
            priority=priority,
        )
        self.futures[stage] = future
        return future

    def completions(self, *futures: Future[Any]) -> Any:
        """Iterates over futures in the order in which they finish, as the scheduler says so; more can be added."""
        return as_completed(list(futures), loop=self.client.loop)  # type: ignore[no-untyped-call]

    def watch_workers(self) -> None:
        """Note each worker that goes without having been asked to."""

        def handler(event: tuple[float, Any]) -> None:
            _, message = event
            if isinstance(message, dict) and message.get("action") == "remove-worker" and not message.get("expected"):
                self.lost_workers.append(str(message["worker"]))

        self.client.subscribe_topic("all", handler)  # type: ignore[no-untyped-call]

    def tell_lost_workers(self) -> None:
        while self.lost_workers:
            message = f"the worker {self.lost_workers.popleft()} was lost; what it was doing is done again"
            self.tell(Event(kind="worker_lost", seconds=self.elapsed(), message=message))

    def forget(self) -> None:
        """Release every task, so that the scheduler drops what has not begun."""
        with contextlib.suppress(Exception):
            self.client.unsubscribe_topic("all")  # type: ignore[no-untyped-call]
        with contextlib.suppress(Exception):
            self.client.cancel(list(self.futures.values()), force=True)  # type: ignore[no-untyped-call]
        self.futures.clear()

    def prepare(self) -> None:
        """Build, rewrite, compile: each a task, the results of which stay on the workers."""
        built = self.submit("build", stages.load_recorded, self.plan)
        rewritten = self.submit("rewrite", stages.rewrite_model, built)
        compiled = self.submit("compile", stages.compile_rewritten, rewritten, self.plan)
        self.await_worker()
        names = {built.key: "build", rewritten.key: "rewrite", compiled.key: "compile"}
        for future in self.completions(built, rewritten, compiled):
            self.result(future)
            self.stage_done(names[future.key])
        self.tell_notes(self.result(next(self.completions(self.submit("note", stages.notes_on, compiled)))))
        other = self.result(next(self.completions(self.submit("processor", stages.processor_note, self.plan))))
        if other:
            self.tell(Event(kind="note", seconds=self.elapsed(), message=other))

    def await_worker(self) -> None:
        """Return once the cluster has a worker. Tasks are waiting by now, which is what lets an adaptive one grow."""
        if self.client.nthreads():  # type: ignore[no-untyped-call]
            return
        waiting = f"the cluster has no worker yet; waiting {WORKER_SECONDS:g} s for one"
        self.tell(Event(kind="note", seconds=self.elapsed(), message=waiting))
        try:
            self.client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise ClusterError(
                f"no worker of the cluster came within {WORKER_SECONDS:g} s.",
                remedy=f"Start one (dask worker ADDRESS). {self.how_to_resume()}",
            ) from error

    def sample(self) -> None:
        """Warm up and sample every chain, segment by segment."""
        self.drawing = True
        completions = self.completions()
        waiting: dict[str, SegmentTask] = {}
        journal = Journal.open(self.plan.path)
        for chain in range(self.plan.options.chains):
            self.submit_segment(self.replay(journal, chain), completions, waiting)
        warm = self.schedule.everyone_warm
        while waiting:
            future = next(completions)
            self.tell_stopping()
            self.tell_lost_workers()
            task = waiting.pop(str(future.key))
            outcome: Outcome = self.result(future)
            following = self.schedule.after(outcome)
            self.report(outcome)
            self.submit_segment(following, completions, waiting)
            self.release(task)
            if not warm and self.schedule.everyone_warm:
                warm = True
                self.stage_done("warmup")
        self.drawing = False
        if not self.schedule.complete:
            raise self.unfinished()
        self.stage_done("sample")
        drawn_on = processors(self.plan.path)
        if len(drawn_on) > 1:
            self.tell(Event(kind="note", seconds=self.elapsed(), message=mixed_note(drawn_on)))

    def replay(self, journal: Journal, chain: int) -> SegmentTask | None:
        """The first segment of `chain` that is not committed, or None if all are; a new run has none committed."""
        following: SegmentTask | None = self.schedule.first(chain)
        for record in journal.committed(chain):
            assert following is not None
            outcome = outcome_of(following, record)
            following = self.schedule.after(outcome)
            self.report(outcome)
        return following

    def submit_segment(self, task: SegmentTask | None, completions: Any, waiting: dict[str, SegmentTask]) -> None:
        if task is None:
            return
        # Chains that are behind go first, so that all make equal progress.
        future = self.submit(
            self.stage_label(task), run_segment, self.plan, self.futures["compile"], task, priority=-task.number
        )
        waiting[str(future.key)] = task
        completions.add(future)

    def stage_label(self, task: SegmentTask) -> str:
        return f"{self.schedule.stage_of(task)}-c{task.chain}-s{task.number}"

    def release(self, task: SegmentTask) -> None:
        """Let go of a segment that is done: its record, not its future, is what the next one goes on from."""
        for stage in (f"warmup-c{task.chain}-s{task.number}", f"sample-c{task.chain}-s{task.number}"):
            self.futures.pop(stage, None)

    def diagnose(self) -> Diagnosed:
        """Derive the remaining groups, finalise the store and judge the draws."""
        future = self.submit("diagnose", stages.diagnose_run, self.plan, self.futures["compile"])
        next(self.completions(future))
        self.tell_lost_workers()
        found: Diagnosed = self.result(future)
        self.tell_notes(found.notes)
        self.stage_done("diagnose")
        return found

    def result(self, future: Future[Any]) -> Any:
        """What a finished task returned; raises what it raised, and `ClusterError` if the cluster lost it."""
        if future.status == "finished":
            return future.result()
        if future.status == "error":
            error = future.exception()  # type: ignore[no-untyped-call]
            if isinstance(error, ClusterError):
                message = f"the task {future.key} failed for good: {error.message}"
                raise ClusterError(message, remedy=self.how_to_resume()) from error
            if isinstance(error, ExmcError):
                raise error
            what = f"{type(error).__name__}: {error}."
            if isinstance(error, KilledWorker):
                message = f"the task {future.key} was given up: {what}"
                raise _GivenUpError(message, remedy=self.how_to_resume()) from error
            # Packages that a worker lacks are the infrastructure's too.
            if isinstance(error, ImportError) or type(error).__module__.startswith("distributed"):
                message = f"the task {future.key} failed for good: {what}"
                raise ClusterError(message, remedy=self.how_to_resume()) from error
            raise error
        raise self.lost()

    def lost(self) -> ClusterError:
        return ClusterError("the connection to the scheduler was lost.", remedy=self.how_to_resume())

    def how_to_resume(self) -> str:
        return f"What was drawn is kept: exmc resume {self.plan.directory}"

    def report(self, outcome: Outcome) -> None:
        segment = (outcome.task.chain, outcome.task.number)
        if segment in self.reported:
            return
        self.reported.add(segment)
        if outcome.failure:
            self.tell(
                Event(kind="chain_failed", seconds=self.elapsed(), chain=outcome.task.chain, message=outcome.failure)
            )
        elif outcome.receipt is not None:
            receipt = outcome.receipt
            self.tell(Event(kind="segment", seconds=self.elapsed(), chain=receipt.chain, receipt=receipt))

    def stage_done(self, stage: str) -> None:
        now = time.perf_counter()
        self.tell(Event(kind="stage", seconds=self.elapsed(), stage=stage, took=now - self.stage_began))
        self.stage_began = now

    def tell_notes(self, notes: tuple[ExmcError, ...]) -> None:
        """Say what is slow, and where in the config that comes from."""
        for note in notes:
            self.tell(Event(kind="note", seconds=self.elapsed(), message=str(self.locate(note))))

    def tell(self, event: Event) -> None:
        self.on_event(event)

    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    def ask_to_stop(self) -> None:
        """Every chain stops when it looks next. This is called by a signal handler, so it prints nothing."""
        self.schedule.stopping = True
        # On a full disk chains are not asked; those under way end with their segments, and no others begin.
        with contextlib.suppress(OSError):
            (self.plan.path / STOP).touch()

    def tell_stopping(self) -> None:
        if self.schedule.stopping and not self.told:
            self.told = True
            self.tell(Event(kind="stopped", seconds=self.elapsed(), message="stopping; Ctrl-C again: do not wait"))

    def stopped(self) -> StoppedError:
        return StoppedError("the run was stopped.", remedy=f"Go on with: exmc resume {self.plan.directory}")

    def unfinished(self) -> ExmcError:
        schedule = self.schedule
        if schedule.hopeless:
            chain, reason = min(schedule.failed.items())
            return ExmcError(
                f"{len(schedule.failed)} of {schedule.chains} chains failed, and {self.plan.min_chains} must finish; "
                f"chain {chain}: {reason}",
                remedy=f"Tracebacks: {self.plan.directory}/state/chain-*/failed.json",
            )
        return self.stopped()


def for_each(
    client: Client, label: str, function: Callable[..., Any], shared: Any, items: Iterable[Any], retries: int
) -> Iterator[Any]:
    """What ``function(shared, item)`` returns for each of `items`, a task each, in the order in which they finish.

    Raises what a task raised, and `ClusterError` if the cluster is lost.
    """
    token = secrets.token_hex(2)
    sent = client.scatter(shared, hash=False)  # type: ignore[no-untyped-call]
    futures = [
        client.submit(patiently, retries, function, sent, item, key=f"exmc-{label}-{token}-{item}", pure=False)
        for item in items
    ]
    try:
        for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]
            yield future.result()
    except _CONNECTION_LOST as error:
        raise ClusterError("the connection to the scheduler was lost.", remedy="What is done is kept.") from error
    finally:
        with contextlib.suppress(Exception):
            client.cancel(futures, force=True)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _stopped_by_interrupt(run: _Following) -> Iterator[None]:
    """Ctrl-C asks the run to stop, instead of raising wherever this process happens to be; a second one raises."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        if run.schedule.stopping or not run.drawing:
            raise KeyboardInterrupt
        run.ask_to_stop()

    # Batch systems send SIGTERM some time before they kill.
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
