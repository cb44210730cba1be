"""A run as Dask tasks, submitted and followed as their completions are pushed; the only user of dask."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, as_completed
from threadpoolctl import threadpool_limits

from exmc.errors import ClusterError, ExmcError
from exmc.trace.journal import Journal
from pipelines import stages
from pipelines.events import Event, Listener
from pipelines.plan import STOP, Plan
from pipelines.schedule import Schedule
from pipelines.sections import Cluster, FactoryCluster, RemoteCluster
from pipelines.sections import LocalCluster as LocalClusterSection
from pipelines.segments import Outcome, SegmentTask, outcome_of, run_segment
from pipelines.stages import Diagnosed

# `retries` counts exceptions only. A worker's death is charged to each task it had, hence the high limit; and a worker
# is given no more tasks than it has threads, so that its death is charged to as few as possible.
_SCHEDULER = {
    "distributed.scheduler.allowed-failures": 50,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.worker-ttl": "60 s",
    "distributed.scheduler.no-workers-timeout": "120 s",
    "distributed.scheduler.http.routes": [],
}
_LOGGERS = ("distributed", "tornado.application", "asyncio")


class StoppedError(ExmcError):
    """A run that was stopped on request; it can be resumed."""


@contextlib.contextmanager
def connect(cluster: Cluster, chains: int) -> Iterator[Client]:
    """A client of the cluster that the section describes; what was started here is closed again.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached, or the cluster cannot be started.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_logs())
        stack.enter_context(dask.config.set(_SCHEDULER))
        if isinstance(cluster, RemoteCluster):
            yield stack.enter_context(_client(cluster.address, cluster.timeout_seconds))
            return
        if isinstance(cluster, FactoryCluster):
            started = stack.enter_context(_from_factory(cluster))
            client = stack.enter_context(_client(started, cluster.timeout_seconds))
            _await_workers(client, cluster)
            yield client
            return
        if not cluster.processes:
            # Worker processes are started with one BLAS thread each; worker threads share this process's BLAS, and the
            # last bits of a matrix product depend on its number of threads.
            stack.enter_context(threadpool_limits(limits=1))
        with _interrupts_blocked():
            started = stack.enter_context(_start_local(cluster, chains))
        yield stack.enter_context(_client(started, 30.0))


def _start_local(section: LocalClusterSection, chains: int) -> LocalCluster:
    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=section.workers or max(1, min(chains, len(os.sched_getaffinity(0)))),
        threads_per_worker=section.threads_per_worker,
        processes=section.processes,
        # With None, Dask would still open its HTTP port 8787, to everybody, and warn where that is taken.
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Threads and processes begun in here, and those that they begin, do not get the SIGINT of a Ctrl-C.

    A terminal sends it to worker processes too, which would die of it just when they are asked to stop in good order.
    """
    # multiprocessing would start its tracker along with the first worker, and unblock the signal at that.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow(client: Client, plan: Plan, on_event: Listener, started: float) -> Diagnosed:
    """Run `plan`, whose run directory exists, to its end.

    Every completion is pushed here by the scheduler; the chain's next segment is then submitted. Ctrl-C asks all
    chains to stop, waits until what they have drawn is committed and raises `StoppedError`; a second one does not wait.

    Raises
    ------
    StoppedError
        If it was stopped on request.
    ClusterError
        If the connection to the cluster is lost.
    ExmcError
        Whatever a stage raised, and if fewer than ``plan.min_chains`` chains finished.
    """
    run = _Following(client, plan, on_event, started)
    try:
        with _stopped_by_interrupt(run):
            run.prepare()
            run.sample()
            return run.diagnose()
    except KeyboardInterrupt:
        raise run.stopped() from None
    finally:
        run.forget()


@dataclass(slots=True)
class _Following:
    """A run while it is followed: the futures that are alive, and where its chains stand."""

    client: Client
    plan: Plan
    on_event: Listener
    started: float
    futures: dict[str, Future[Any]] = field(default_factory=dict)
    schedule: Schedule = field(init=False)
    stage_began: float = field(init=False)
    told: bool = False
    # Of two tasks with one key a scheduler ignores the second: runs of one name must not meet on a shared one.
    token: str = field(default_factory=lambda: secrets.token_hex(2))

    def __post_init__(self) -> None:
        options = self.plan.options
        self.schedule = Schedule(options.chains, options.draws, options.warmup, self.plan.min_chains)
        self.stage_began = time.perf_counter()

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, priority: int = 0) -> Future[Any]:
        """Submit one task under a readable key."""
        future = self.client.submit(
            function,
            *arguments,
            key=f"exmc-{self.plan.label}-{self.token}-{stage}",
            pure=False,
            retries=self.plan.retries,
            priority=priority,
        )
        self.futures[stage] = future
        return future

    def completions(self, *futures: Future[Any]) -> Any:
        """Iterates over futures in the order in which they finish, as the scheduler says so; more can be added."""
        return as_completed(list(futures), loop=self.client.loop)  # type: ignore[no-untyped-call]

    def forget(self) -> None:
        """Release every task, so that the scheduler drops what has not begun."""
        with contextlib.suppress(Exception):
            self.client.cancel(list(self.futures.values()), force=True)  # type: ignore[no-untyped-call]
        self.futures.clear()

    def prepare(self) -> None:
        """Build, rewrite, compile: each a task, the results of which stay on the workers."""
        built = self.submit("build", stages.load_recorded, self.plan)
        rewritten = self.submit("rewrite", stages.rewrite_model, built)
        compiled = self.submit("compile", stages.compile_rewritten, rewritten, self.plan)
        names = {built.key: "build", rewritten.key: "rewrite", compiled.key: "compile"}
        for future in self.completions(built, rewritten, compiled):
            self.result(future)
            self.stage_done(names[future.key])
        note = self.result(next(self.completions(self.submit("note", stages.note_on, compiled))))
        if note:
            self.tell(Event(kind="note", seconds=self.elapsed(), message=note))

    def sample(self) -> None:
        """Warm up and sample every chain, segment by segment."""
        completions = self.completions()
        waiting: dict[str, SegmentTask] = {}
        journal = Journal.open(self.plan.path)
        for chain in range(self.plan.options.chains):
            self.submit_segment(self.replay(journal, chain), completions, waiting)
        warm = self.everyone_warm()
        while waiting:
            future = next(completions)
            self.tell_stopping()
            task = waiting.pop(str(future.key))
            outcome: Outcome = self.result(future)
            following = self.schedule.after(outcome)
            self.report(outcome)
            self.submit_segment(following, completions, waiting)
            self.release(task)
            if not warm and self.everyone_warm():
                warm = True
                self.stage_done("warmup")
        if not self.schedule.complete:
            raise self.unfinished()
        self.stage_done("sample")

    def replay(self, journal: Journal, chain: int) -> SegmentTask | None:
        """The first segment of `chain` that is not committed, or None if all are; a new run has none committed."""
        following: SegmentTask | None = self.schedule.first(chain)
        for record in journal.committed(chain):
            assert following is not None
            outcome = outcome_of(following, record)
            following = self.schedule.after(outcome)
            self.report(outcome)
        return following

    def everyone_warm(self) -> bool:
        return len(self.schedule.warm | set(self.schedule.failed)) == self.schedule.chains

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
        found: Diagnosed = self.result(future)
        self.stage_done("diagnose")
        return found

    def result(self, future: Future[Any]) -> Any:
        """What a finished task returned; raises what it raised, and `ClusterError` if the cluster lost it."""
        if future.status == "finished":
            return future.result()
        resume = f"What was drawn is kept: exmc resume {self.plan.directory}"
        if future.status == "error":
            error = future.exception()  # type: ignore[no-untyped-call]
            if isinstance(error, ExmcError):
                raise error
            kind = type(error).__name__
            if type(error).__module__.startswith("distributed"):
                raise ClusterError(f"the task {future.key} was given up: {kind}: {error}.", remedy=resume) from error
            if isinstance(error, OSError):
                raise ClusterError(f"the task {future.key} failed for good: {kind}: {error}.", remedy=resume) from error
            raise error
        raise ClusterError("the connection to the scheduler was lost.", remedy=resume)

    def report(self, outcome: Outcome) -> None:
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

    def tell(self, event: Event) -> None:
        self.on_event(event)

    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    def ask_to_stop(self) -> None:
        """Every chain stops when it looks next. This is called by a signal handler, so it prints nothing."""
        self.schedule.stopping = True
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


@contextlib.contextmanager
def _stopped_by_interrupt(run: _Following) -> Iterator[None]:
    """Ctrl-C asks the run to stop, instead of raising wherever this process happens to be; a second one raises."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        if run.schedule.stopping:
            raise KeyboardInterrupt
        run.ask_to_stop()

    # Batch systems send SIGTERM some time before they kill.
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextlib.contextmanager
def _client(target: Any, timeout: float) -> Iterator[Client]:
    try:
        client = Client(target, timeout=timeout, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"the scheduler at {target} did not answer within {timeout:g} s ({type(error).__name__}).",
            where=("cluster", "address"),
            remedy="Check the address and that it is running.",
        ) from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=5)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _from_factory(section: FactoryCluster) -> Iterator[Any]:
    module, _, name = section.factory.rpartition(".")
    try:
        factory = getattr(importlib.import_module(module), name)
        cluster = factory(**section.kwargs)
        cluster.scale(section.workers)
    except Exception as error:
        raise ClusterError(
            f"{section.factory} could not be started: {type(error).__name__}: {error}.",
            where=("cluster", "factory"),
            remedy="Check that its package is installed and that kwargs are its arguments.",
        ) from error
    try:
        yield cluster
    finally:
        with contextlib.suppress(Exception):
            cluster.close()


def _await_workers(client: Client, section: FactoryCluster) -> None:
    try:
        client.wait_for_workers(1, timeout=section.timeout_seconds)
    except TimeoutError as error:
        raise ClusterError(
            f"no worker of {section.factory} came within {section.timeout_seconds:g} s.",
            where=("cluster", "timeout_seconds"),
            remedy="Raise timeout_seconds if jobs wait in a queue.",
        ) from error


@contextlib.contextmanager
def _quiet_logs() -> Iterator[None]:
    """Dask's own log of lost connections and closing workers is no news for whoever runs a model."""
    # Dask gives several of its loggers a level of their own, so that silencing the parent is not enough.
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    before = {name: logging.getLogger(name).level for name in (*known, *_LOGGERS)}
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
