"""A run as Dask tasks, submitted and followed as their completions are pushed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from distributed import Client

from exmc.diagnostics.enough import Verdict
from exmc.errors import ClusterError, ExmcError
from exmc.methods import NUTS
from exmc.trace.journal import Journal
from pipelines import endings, stages
from pipelines.control import SECONDS_BETWEEN_LOOKS, Control, signals_ask
from pipelines.events import Listener
from pipelines.fit_driver import fit_rounds
from pipelines.lengthening import lengthen
from pipelines.plan import Plan
from pipelines.processors import mixed_note, processors
from pipelines.requests import Wish
from pipelines.schedule import Schedule
from pipelines.segments import Outcome, SegmentTask, outcome_of
from pipelines.stages import Diagnosed
from pipelines.task_errors import GivenUpError
from pipelines.tasks import CONNECTION_LOST, Tasks
from pipelines.telling import Telling
from pipelines.worker import draw_segment

# A remote scheduler would keep tasks for ever if no worker came.
WORKER_SECONDS = 120.0
_SECONDS_BETWEEN_COUNTS = 0.1


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
    told = Telling(on_event, started, plan.options.warmup, locate)
    tasks = Tasks(client, plan, control or Control())
    run = _Following(plan, tasks, told, journal or Journal.open(plan.path))
    try:
        with signals_ask(tasks.control, lambda: run.drawing):
            tasks.control.attach(plan.path)
            tasks.workers.watch()
            diagnosed = run.to_the_end()
            tasks.control.clear()
            return diagnosed
    except KeyboardInterrupt:
        raise endings.stopped(plan) from None
    except CONNECTION_LOST as error:
        raise endings.lost(plan) from error
    finally:
        tasks.forget()


@dataclass(slots=True)
class _Following:
    """A run while it is followed: where its chains stand, and what comes next."""

    plan: Plan
    tasks: Tasks
    telling: Telling
    journal: Journal
    schedule: Schedule = field(init=False)
    told: bool = False
    # Segments that wait for a pause to end, and how many were given back undone: keys are not used twice.
    held: list[SegmentTask] = field(default_factory=list)
    undone: int = 0
    holding: bool = False
    drawing: bool = False

    def __post_init__(self) -> None:
        self.schedule = self.first_schedule()

    @property
    def control(self) -> Control:
        """What is asked of the run."""
        return self.tasks.control

    def first_schedule(self) -> Schedule:
        """Of the chains as they are planned now, none of which has begun."""
        options = self.plan.options
        return Schedule(options.chains, options.draws, options.warmup, self.plan.min_chains)

    def to_the_end(self) -> Diagnosed:
        """Every stage of the run; again from what is committed, when workers died until a task was given up."""
        fruitless = 0
        while True:
            before = dict(self.telling.reported)
            try:
                self.prepare()
                self.sample()
                while self.lengthened():
                    self.sample()
                return self.diagnose()
            except GivenUpError as error:
                fruitless = fruitless + 1 if self.telling.reported == before else 0
                if fruitless > self.plan.retries:
                    raise
                self.telling.say("note", f"{error.message} Going on from what is committed")
                self.begin_again()

    def begin_again(self) -> None:
        """Let go of every task, and look anew where the chains stand."""
        self.tasks.begin_again()
        self.held.clear()
        self.drawing = False
        self.schedule = self.first_schedule()
        self.telling.stage_begins()

    def tell_lost_workers(self) -> None:
        for worker in self.tasks.workers.lost():
            self.telling.say("worker_lost", f"the worker {worker} was lost; what it was doing is done again")

    def prepare(self) -> None:
        """Build, rewrite, compile: each a task, the results of which stay on the workers."""
        tasks = self.tasks
        tasks.heed()
        built = tasks.submit("build", stages.load_recorded, self.plan)
        rewritten = tasks.submit("rewrite", stages.rewrite_model, built)
        compiled = tasks.submit("compile", stages.compile_rewritten, rewritten, self.plan)
        self.await_worker()
        for future in tasks.completions(built, rewritten, compiled):
            tasks.result(future)
            self.telling.stage_done(tasks.stage_of(future))
        notes, other = tasks.answer("note", stages.opening_notes, self.plan, compiled)
        self.telling.notes(notes)
        if other:
            self.telling.say("note", other)

    def await_worker(self) -> None:
        """Return once the cluster has a worker. Tasks are waiting by now, which is what lets an adaptive one grow."""
        if self.tasks.workers.count():
            return
        self.telling.say("note", f"the cluster has no worker yet; waiting {WORKER_SECONDS:g} s for one")
        deadline = time.monotonic() + WORKER_SECONDS
        while not self.tasks.workers.count():
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"no worker of the cluster came within {WORKER_SECONDS:g} s.",
                    remedy=f"Start one (dask worker ADDRESS). {endings.how_to_resume(self.plan)}",
                )
            self.tasks.heed()
            time.sleep(_SECONDS_BETWEEN_COUNTS)

    def sample(self) -> None:
        """Warm up and sample every chain, segment by segment."""
        if self.plan.method != NUTS:
            fit_rounds(self.plan, self.tasks, self.telling)
        self.drawing = True
        waiting: dict[str, SegmentTask] = {}
        for chain in range(self.plan.options.chains):
            self.submit_segment(self.replay(chain), waiting)
        warm = self.schedule.everyone_warm
        while self.obey(waiting):
            future = self.tasks.arrival(SECONDS_BETWEEN_LOOKS if self.held else None)
            self.tell_lost_workers()
            if future is None:
                continue
            stage = self.tasks.stage_of(future)
            task, outcome = waiting.pop(stage), self.tasks.result(future)
            # Its record, not its future, is what the next segment goes on from.
            self.tasks.drop(stage, task.chain)
            self.go_on_after(task, outcome, waiting)
            if not warm and self.schedule.everyone_warm:
                warm = True
                self.telling.stage_done("warmup")
        self.drawing = False
        if not self.schedule.complete:
            raise endings.unfinished(self.plan, self.schedule)

    def lengthened(self) -> bool:
        """Whether the run must draw more before it has what it is asked for; it then has room for that."""
        options = self.plan.options
        if self.plan.until is None:
            return False
        verdict: Verdict = self.tasks.answer(f"until-{options.draws}", stages.judge_length, self.plan)
        if verdict.draws > options.draws:
            self.plan = lengthen(self.plan, verdict.draws)
            self.schedule = self.first_schedule()
            message = f"{verdict.reason}: on to {verdict.draws} draws a chain"
            self.telling.say("longer", message, draws=verdict.draws)
            return True
        if not verdict.reached:
            self.telling.say("note", f"drawn no further: {verdict.reason}")
        return False

    def obey(self, waiting: dict[str, SegmentTask]) -> bool:
        """End at once, let chains end, hold, or let those that were held go on, as asked; whether any is left."""
        if self.held:
            self.control.look()
        if self.control.wish is Wish.CANCEL:
            raise endings.stopped(self.plan)
        if self.control.wish is Wish.STOP:
            self.schedule.stopping = True
            self.schedule.stopped.update(task.chain for task in self.held)
            self.held.clear()
            if not self.told:
                self.told = True
                self.telling.say("stopped", f"stopping once its segments are done, asked by {self.control.asker}")
        elif self.control.wish is Wish.PAUSE and self.held and not waiting and not self.holding:
            self.holding = True
            self.telling.say("paused", f"paused; to go on: exmc resume {self.plan.directory}")
        elif self.control.wish is Wish.GO and self.held:
            held, self.held = self.held, []
            for task in held:
                self.submit_segment(task, waiting)
            if self.holding:
                self.holding = False
                self.telling.say("resumed", "goes on")
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
        self.telling.segment(outcome)
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
            self.telling.segment(outcome)
        return following

    def submit_segment(self, task: SegmentTask | None, waiting: dict[str, SegmentTask]) -> None:
        if task is None:
            return
        # Chains that are behind go first, so that all make equal progress.
        again = f"-again{self.undone}" if self.undone else ""
        stage = f"{self.schedule.stage_of(task)}-c{task.chain}-s{task.number}{again}"
        compiled = self.tasks.futures["compile"]
        future = self.tasks.submit_placed(
            stage, task.chain, draw_segment, self.plan, compiled, task, priority=-task.number
        )
        waiting[stage] = task
        self.tasks.track(future)

    def diagnose(self) -> Diagnosed:
        """Derive the remaining groups, finalise the store and judge the draws."""
        self.telling.stage_done("sample")
        drawn_on = processors(self.plan.path)
        if len(drawn_on) > 1:
            self.telling.say("note", mixed_note(drawn_on))
        found: Diagnosed = self.tasks.answer("diagnose", stages.diagnose_run, self.plan, self.tasks.futures["compile"])
        self.tell_lost_workers()
        self.telling.notes(found.notes)
        self.telling.stage_done("diagnose")
        return found
