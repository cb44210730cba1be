"""A run as Dask tasks, submitted and followed as their completions are pushed."""

from __future__ import annotations

import contextlib
import math
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from distributed import CancelledError, Client, Future
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError

from exmc.diagnostics.enough import Verdict
from exmc.errors import ClusterError, ExmcError
from exmc.methods import NUTS
from exmc.trace.journal import Journal
from pipelines import endings, stages
from pipelines.code import run_permitted
from pipelines.control import SECONDS_BETWEEN_LOOKS, Control, signals_ask
from pipelines.events import Event, Kind, Listener
from pipelines.fit_driver import fit_rounds
from pipelines.lengthening import lengthen
from pipelines.losses import Losses
from pipelines.patience import patiently
from pipelines.plan import Plan
from pipelines.processors import mixed_note, processors
from pipelines.requests import Wish
from pipelines.schedule import Schedule
from pipelines.segments import Outcome, SegmentTask, outcome_of
from pipelines.stages import Diagnosed
from pipelines.task_errors import GivenUpError, meaning
from pipelines.worker import draw_segment

# A remote scheduler would keep tasks for ever if no worker came.
WORKER_SECONDS = 120.0
_SECONDS_BETWEEN_COUNTS = 0.1

# What the client raises, depending on what it was doing just then.
CONNECTION_LOST = (CommClosedError, ClosedClientError, CancelledError)


def follow(
    client: Client,
    plan: Plan,
    on_event: Listener,
    started: float,
    locate: Callable[[ExmcError], ExmcError] = lambda error: error,
    control: Control | None = None,
    journal: Journal | None = None,
) -> Diagnosed:
    """Run `plan`, whose run directory has the `journal`, to its end; `locate` says where in the config a note belongs.

    Every completion is pushed here by the scheduler; the chain's next segment is then submitted. By `control` the run
    is paused, and stopped: while chains draw, what they have drawn is then committed first; in another stage, or
    cancelled, it ends at once. Ctrl-C and SIGTERM stop it, a second one cancels it. Where the scheduler gives a task up
    because its workers died, the run begins again from what is committed, unless it did so ``plan.retries`` times
    without a segment more.

    Raises
    ------
    StoppedError
        If it was stopped on request.
    ClusterError
        If the connection to the cluster is lost.
    ExmcError
        Whatever a stage raised, and if fewer than ``plan.min_chains`` chains finished.
    """
    known = journal or Journal.open(plan.path)
    run = _Following(client, plan, on_event, started, locate, control or Control(), known)
    try:
        with signals_ask(run.control, lambda: run.drawing):
            run.control.attach(plan.path)
            run.losses.watch(client)
            diagnosed = run.to_the_end()
            run.control.clear()
            return diagnosed
    except KeyboardInterrupt:
        raise endings.stopped(plan) from None
    except CONNECTION_LOST as error:
        raise endings.lost(plan) from error
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
    control: Control
    journal: Journal
    futures: dict[str, Future[Any]] = field(default_factory=dict)
    schedule: Schedule = field(init=False)
    stage_began: float = field(init=False)
    told: bool = False
    # Segments that wait for a pause to end, and how many were given back undone: keys are not used twice.
    held: list[SegmentTask] = field(default_factory=list)
    undone: int = 0
    holding: bool = False
    losses: Losses = field(default_factory=Losses)
    drawing: bool = False
    # How far each chain was told of, by iterations: a run that begins again meets its segments again.
    reported: dict[int, float] = field(default_factory=dict)
    # Of two tasks with one key a scheduler ignores the second: runs of one name must not meet on a shared one.
    token: str = field(default_factory=lambda: secrets.token_hex(2))

    def __post_init__(self) -> None:
        self.schedule = self.first_schedule()
        self.stage_began = time.perf_counter()

    def first_schedule(self) -> Schedule:
        """Of the chains as they are planned now, none of which has begun."""
        options = self.plan.options
        return Schedule(options.chains, options.draws, options.warmup, self.plan.min_chains)

    @property
    def prefix(self) -> str:
        """What the keys of this run's tasks begin with."""
        return f"exmc-{self.plan.label}-{self.token}-"

    def to_the_end(self) -> Diagnosed:
        """Every stage of the run; again from what is committed, when workers died until a task was given up."""
        fruitless = 0
        while True:
            before = dict(self.reported)
            try:
                self.prepare()
                self.sample()
                while self.lengthened():
                    self.sample()
                return self.diagnose()
            except GivenUpError as error:
                fruitless = fruitless + 1 if self.reported == before else 0
                if fruitless > self.plan.retries:
                    raise
                self.say("note", f"{error.message} Going on from what is committed")
                self.begin_again()

    def begin_again(self) -> None:
        """Let go of every task, and look anew where the chains stand."""
        self.client.cancel(list(self.futures.values()), force=True)  # type: ignore[no-untyped-call]
        self.futures.clear()
        self.held.clear()
        self.token, self.drawing = secrets.token_hex(2), False
        self.__post_init__()

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, priority: int = 0) -> Future[Any]:
        """Submit one task under a readable key. Dask's own `retries` would repeat the errors of a model, too."""
        future = self.client.submit(
            run_permitted,
            self.plan.code,
            patiently,
            self.plan.retries,
            function,
            *arguments,
            key=f"{self.prefix}{stage}",
            pure=False,
            priority=priority,
        )
        self.futures[stage] = future
        return future

    def track(self, *futures: Future[Any]) -> None:
        """Have `futures` put before this driver when they are done."""
        for future in futures:
            future.add_done_callback(self.control.put)  # type: ignore[no-untyped-call]

    def arrival(self, patience: float | None = None) -> Future[Any] | None:
        """The next task that is done; None if there may be something else to look at, or it was let go of before."""
        future = self.control.get(patience)
        return future if future is not None and str(future.key).startswith(self.prefix) else None

    def completions(self, *futures: Future[Any]) -> Iterator[Future[Any]]:
        """The `futures` in the order in which they finish; ends the run if that is asked for meanwhile."""
        self.track(*futures)
        for _ in futures:
            while (future := self.arrival()) is None:
                self.heed()
            yield future

    def heed(self) -> None:
        """End the run, by `StoppedError`, if it was asked to end and has no draws to wait for."""
        if self.control.wish is Wish.CANCEL or (self.control.wish is Wish.STOP and not self.drawing):
            raise endings.stopped(self.plan)

    def tell_lost_workers(self) -> None:
        for worker in self.losses.take():
            self.say("worker_lost", f"the worker {worker} was lost; what it was doing is done again")

    def forget(self) -> None:
        """Release every task, so that the scheduler drops what has not begun."""
        with contextlib.suppress(Exception):
            self.losses.ignore(self.client)
        with contextlib.suppress(Exception):
            self.client.cancel(list(self.futures.values()), force=True)  # type: ignore[no-untyped-call]
        self.futures.clear()

    def prepare(self) -> None:
        """Build, rewrite, compile: each a task, the results of which stay on the workers."""
        self.heed()
        built = self.submit("build", stages.load_recorded, self.plan)
        rewritten = self.submit("rewrite", stages.rewrite_model, built)
        compiled = self.submit("compile", stages.compile_rewritten, rewritten, self.plan)
        self.await_worker()
        names = {built.key: "build", rewritten.key: "rewrite", compiled.key: "compile"}
        for future in self.completions(built, rewritten, compiled):
            self.result(future)
            self.stage_done(names[future.key])
        noting = self.submit("note", stages.opening_notes, self.plan, compiled)
        notes, other = self.result(next(self.completions(noting)))
        self.tell_notes(notes)
        if other:
            self.say("note", other)

    def await_worker(self) -> None:
        """Return once the cluster has a worker. Tasks are waiting by now, which is what lets an adaptive one grow."""
        if self.client.nthreads():  # type: ignore[no-untyped-call]
            return
        self.say("note", f"the cluster has no worker yet; waiting {WORKER_SECONDS:g} s for one")
        deadline = time.monotonic() + WORKER_SECONDS
        while not self.client.nthreads():  # type: ignore[no-untyped-call]
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"no worker of the cluster came within {WORKER_SECONDS:g} s.",
                    remedy=f"Start one (dask worker ADDRESS). {endings.how_to_resume(self.plan)}",
                )
            self.heed()
            time.sleep(_SECONDS_BETWEEN_COUNTS)

    def sample(self) -> None:
        """Warm up and sample every chain, segment by segment."""
        if self.plan.method != NUTS:
            fit_rounds(self)
        self.drawing = True
        waiting: dict[str, SegmentTask] = {}
        for chain in range(self.plan.options.chains):
            self.submit_segment(self.replay(chain), waiting)
        warm = self.schedule.everyone_warm
        while self.obey(waiting):
            future = self.arrival(SECONDS_BETWEEN_LOOKS if self.held else None)
            self.tell_lost_workers()
            if future is None:
                continue
            task = waiting.pop(str(future.key))
            self.go_on_after(task, self.result(future), waiting)
            # Its record, not its future, is what the next segment goes on from.
            self.futures.pop(str(future.key).removeprefix(self.prefix), None)
            if not warm and self.schedule.everyone_warm:
                warm = True
                self.stage_done("warmup")
        self.drawing = False
        if not self.schedule.complete:
            raise endings.unfinished(self.plan, self.schedule)

    def lengthened(self) -> bool:
        """Whether the run must draw more before it has what it is asked for; it then has room for that."""
        options = self.plan.options
        if self.plan.until is None:
            return False
        future = self.submit(f"until-{options.draws}", stages.judge_length, self.plan)
        verdict: Verdict = self.result(next(self.completions(future)))
        if verdict.draws > options.draws:
            self.plan = lengthen(self.plan, verdict.draws)
            self.schedule = self.first_schedule()
            message = f"{verdict.reason}: on to {verdict.draws} draws a chain"
            self.tell(Event(kind="longer", seconds=self.elapsed(), draws=verdict.draws, message=message))
            return True
        if not verdict.reached:
            self.say("note", f"drawn no further: {verdict.reason}")
        return False

    def obey(self, waiting: dict[str, SegmentTask]) -> bool:
        """End at once, let chains end, hold, or let those that were held go on, as asked; whether any is left."""
        if self.held:
            self.control.look()
        self.heed()
        if self.control.wish is Wish.STOP:
            self.schedule.stopping = True
            self.schedule.stopped.update(task.chain for task in self.held)
            self.held.clear()
            if not self.told:
                self.told = True
                self.say("stopped", f"stopping once its segments are done, asked by {self.control.asker}")
        elif self.control.wish is Wish.PAUSE and self.held and not waiting and not self.holding:
            self.holding = True
            self.say("paused", f"paused; to go on: exmc resume {self.plan.directory}")
        elif self.control.wish is Wish.GO and self.held:
            held, self.held = self.held, []
            for task in held:
                self.submit_segment(task, waiting)
            if self.holding:
                self.holding = False
                self.say("resumed", "goes on")
        return bool(waiting or self.held)

    def go_on_after(self, task: SegmentTask, outcome: Outcome, waiting: dict[str, SegmentTask]) -> None:
        """Submit what follows `outcome`, unless the run is asked to hold or to end."""
        if not outcome.failure and outcome.receipt is None:
            # The chain found a request, perhaps of another process, before it had a chunk.
            self.control.look()
            if not self.control.ending:
                self.undone += 1
                self.held.append(task)
                return
            self.schedule.stopping = True
        following = self.schedule.after(outcome)
        self.report(outcome)
        if following is not None and self.control.wish is Wish.PAUSE:
            self.held.append(following)
        else:
            self.submit_segment(following, waiting)

    def replay(self, chain: int) -> SegmentTask | None:
        """The first segment of `chain` that is not committed, or None if all are; a new run has none committed."""
        following: SegmentTask | None = self.schedule.first(chain)
        for record in self.journal.committed(chain):
            assert following is not None
            outcome = outcome_of(following, record)
            following = self.schedule.after(outcome)
            self.report(outcome)
        return following

    def submit_segment(self, task: SegmentTask | None, waiting: dict[str, SegmentTask]) -> None:
        if task is None:
            return
        # Chains that are behind go first, so that all make equal progress.
        again = f"-again{self.undone}" if self.undone else ""
        stage = f"{self.schedule.stage_of(task)}-c{task.chain}-s{task.number}{again}"
        compiled = self.futures["compile"]
        future = self.submit(stage, draw_segment, self.plan, compiled, task, priority=-task.number)
        waiting[str(future.key)] = task
        self.track(future)

    def diagnose(self) -> Diagnosed:
        """Derive the remaining groups, finalise the store and judge the draws."""
        self.stage_done("sample")
        drawn_on = processors(self.plan.path)
        if len(drawn_on) > 1:
            self.say("note", mixed_note(drawn_on))
        future = self.submit("diagnose", stages.diagnose_run, self.plan, self.futures["compile"])
        next(self.completions(future))
        self.tell_lost_workers()
        found: Diagnosed = self.result(future)
        self.tell_notes(found.notes)
        self.stage_done("diagnose")
        return found

    def result(self, future: Future[Any]) -> Any:
        """What a finished task returned; raises what it raised, and of `CONNECTION_LOST` if the scheduler is gone."""
        # A result dies with the worker that holds it. The task is then done again, for which this waits.
        try:
            return future.result()
        except Exception as error:
            if future.status != "error":
                raise
            meant = meaning(error, str(future.key), endings.how_to_resume(self.plan))
            raise meant from (None if meant is error else error)

    def report(self, outcome: Outcome) -> None:
        chain, receipt = outcome.task.chain, outcome.receipt
        reached = math.inf if outcome.failure else 0.0
        if receipt is not None:
            reached = receipt.draws_done + (0 if receipt.warmup else self.plan.options.warmup)
        if reached <= self.reported.get(chain, 0.0):
            return
        self.reported[chain] = reached
        kind: Kind = "chain_failed" if outcome.failure else "segment"
        self.tell(Event(kind=kind, seconds=self.elapsed(), chain=chain, receipt=receipt, message=outcome.failure))

    def stage_done(self, stage: str) -> None:
        now = time.perf_counter()
        self.tell(Event(kind="stage", seconds=self.elapsed(), stage=stage, took=now - self.stage_began))
        self.stage_began = now

    def tell_notes(self, notes: tuple[ExmcError, ...]) -> None:
        """Say what is slow, and where in the config that comes from."""
        for note in notes:
            self.say("note", str(self.locate(note)))

    def say(self, kind: Kind, message: str) -> None:
        """Tell of what is said in words alone."""
        self.tell(Event(kind=kind, seconds=self.elapsed(), message=message))

    def tell(self, event: Event) -> None:
        self.on_event(event)

    def elapsed(self) -> float:
        return time.perf_counter() - self.started
