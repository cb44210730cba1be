"""One segment of one chain: from the commit record before it to its own."""

from __future__ import annotations

import contextlib
import errno
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

from exmc.blame import explained
from exmc.compile.program import CompiledModel
from exmc.density import LogDensity
from exmc.errors import ExmcError, SamplingError, StoreError
from exmc.methods import NUTS, method_of
from exmc.methods.chain import FittedState, advance_fitted
from exmc.sampling import progress
from exmc.sampling.chain import Block, advance, begin
from exmc.sampling.pooling import pooled_at
from exmc.sampling.progress import Receipt
from exmc.sampling.state import ChainState
from exmc.sampling.watchdog import Pulse, StuckError, watched
from exmc.starts import start_of
from exmc.trace.journal import Journal
from exmc.trace.objects import ObjectPath
from exmc.trace.records import NO_RECORD, CommitRecord
from pipelines.fit_tasks import finished_fit, fitted_problem
from pipelines.patience import patiently
from pipelines.plan import Plan, check_versions
from pipelines.pooling import pooled_for
from pipelines.processors import record_processor
from pipelines.reasons import reason
from pipelines.requests import Wish, requested
from pipelines.unwritten import apart, as_arrays, divided, joined
from pipelines.warm_start import carried_by

_LARGEST_SEGMENT_BYTES = 256 << 20
_SECONDS_BETWEEN_LOOKS = 0.2
# A request to an object store takes time, and costs money.
_SECONDS_BETWEEN_REQUESTS = 2.0
# To write a segment takes about as long as to read the state it begins with: both together are 3 % of drawing then,
# where storage is slow or the state large, unless a segment would become this many times as long as was asked for.
_DRAWING_TO_READING = 70.0
_LONGER_AT_MOST = 15.0

State: TypeAlias = ChainState | FittedState


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """Which segment to do; `after` is the digest of the record before it, there only to order the two.

    `iteration` is how many iterations its chain has done by then.
    """

    chain: int
    number: int
    after: str = NO_RECORD
    iteration: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a segment: committed (`receipt`), stopped before its first chunk was full, or failed.

    `iteration`: how many its chain has done, of which the last few may not be among the draws of a receipt yet.
    `stuck`: its chain was given up just now, and still uses the process.
    """

    task: SegmentTask
    digest: str = NO_RECORD
    receipt: Receipt | None = None
    iteration: int = 0
    failure: str = ""
    stuck: bool = False


class Drawn(NamedTuple):
    """A chain's next state, the draws to be written that led there, and those that wait for their chunk to be full."""

    state: State
    block: Block
    unwritten: Block


class _ChainError(Exception):
    """The model, not the infrastructure, ended this chain; the cause is the original exception."""


def run_segment(plan: Plan, compiled: CompiledModel, task: SegmentTask) -> Outcome:
    """Do one segment, unless its record is there already; then this costs a few milliseconds.

    A fault of the model is not raised: it is recorded as the chain's failure, and the other chains go on. Those of the
    infrastructure (`pipelines.patience`) are raised, for whoever runs this to try again; once draws are there to be
    written, that is done here, so that they need not be drawn again.
    """
    began = time.perf_counter()
    journal = Journal.open(plan.path)
    present = journal.record(task.chain, task.number)
    if present is not None:
        return outcome_of(task, present)
    failed = journal.failure(task.chain)
    if failed is not None:
        # It failed in this run, and the worker was lost that knew: who resumes a run forgives its failures first.
        return Outcome(task, failure=reason(failed))
    check_versions(plan)
    before = journal.record(task.chain, task.number - 1) if task.number else None
    if task.number and before is None:
        message = f"the record before segment {task.number} of chain {task.chain} is not there"
        raise FileNotFoundError(errno.ENOENT, f"{message}: are all workers on the same shared storage?", plan.directory)
    try:
        seconds = _seconds_to_draw(plan, reading=time.perf_counter() - began)
        return _draw_and_commit(replace(plan, segment_seconds=seconds), compiled, task, journal, before)
    except _ChainError as error:
        cause = error.__cause__
        patiently(plan.retries, journal.fail, task.chain, "".join(traceback.format_exception(cause)))
        message = str(cause) if isinstance(cause, ExmcError) else f"{type(cause).__name__}: {cause}"
        return Outcome(task, failure=message, stuck=isinstance(cause, StuckError))


def _draw_and_commit(
    plan: Plan, compiled: CompiledModel, task: SegmentTask, journal: Journal, before: CommitRecord | None
) -> Outcome:
    started = time.perf_counter()
    density = _guarded(compiled.density)

    def draw(pulse: Pulse) -> Drawn:
        if plan.method != NUTS:
            return _draw_fitted(plan, compiled, task.chain, journal, before, pulse)
        unwritten = None
        if before is not None:
            arrays, unwritten = apart(before.state, before.first + before.count)
            state = ChainState.from_arrays(arrays)
        else:
            state = _guarded(partial(_begin, compiled, density, plan, task.chain, pulse), storage=False)
        stopped, pooled = _stop_flag(plan, pulse), pooled_for(plan, state.iteration)
        step = partial(advance, density, plan.options, should_stop=stopped, pulse=pulse, pooled=pooled)
        return _draw(plan, step, state, journal, stopped, unwritten)

    state, block, unwritten = _guarded(lambda: watched(draw, plan.watchdog))
    if not len(block.positions) and state.iteration == (0 if before is None else _iteration(before)):
        return Outcome(task)
    patiently(plan.retries, record_processor, plan.path)
    written = {}
    if len(block.positions):
        groups = _guarded(lambda: _arrays(compiled, journal, block))
        written = patiently(plan.retries, journal.write_segment, task.chain, block.first, block.warmup, groups)
    receipt = progress.receipt(task.chain, state.step_size, block, task.number, time.perf_counter() - started)
    record = CommitRecord(
        fingerprint=plan.fingerprint,
        chain=task.chain,
        segment=task.number,
        first=block.first,
        count=len(block.positions),
        warmup=block.warmup,
        previous=before.digest if before else NO_RECORD,
        chunks=written,
        state=state.to_arrays() | as_arrays(unwritten),
        receipt=asdict(receipt),
    )
    return outcome_of(task, patiently(plan.retries, _commit, journal, record, before))


def _begin(compiled: CompiledModel, density: LogDensity, plan: Plan, chain: int, pulse: Pulse) -> ChainState:
    try:
        if plan.options.warm_start:
            return begin(density, plan.options, chain, pulse=pulse, carried=carried_by(plan, chain))
        start = start_of(compiled, plan.options, chain, pulse)
        return begin(density, plan.options, chain, start.position, pulse, start.variances)
    except SamplingError as error:
        raise explained(error, compiled) from error


def _draw_fitted(
    plan: Plan, compiled: CompiledModel, chain: int, journal: Journal, before: CommitRecord | None, pulse: Pulse
) -> Drawn:
    """As `_draw`, of a chain whose draws follow from a finished fit."""
    method, fit = method_of(plan.method), finished_fit(plan)
    problem = _guarded(partial(fitted_problem, plan, compiled, pulse), storage=False)
    state = FittedState(chain, 0) if before is None else FittedState.from_arrays(before.state)
    return _draw(plan, partial(advance_fitted, method, problem, fit), state, journal, _stop_flag(plan, pulse))


def _draw(
    plan: Plan,
    step: Callable[..., tuple[Any, Block]],
    state: State,
    journal: Journal,
    stopped: Callable[[], bool],
    unwritten: Block | None = None,
) -> Drawn:
    """Whole chunks until the time is up, the phase ends or others are waited for; a stop drops the chunk begun.

    ``step(state, draws)`` gives the next state, and the draws that led there; the first follow those `unwritten`.
    """
    ends = time.perf_counter() + plan.segment_seconds
    most = _LARGEST_SEGMENT_BYTES // max(journal.schema.bytes_per_draw, 1)
    blocks = [] if unwritten is None else [unwritten]
    drawn = 0 if unwritten is None else len(unwritten.positions)
    phases = (plan.options.warmup, plan.options.warmup + plan.options.draws)
    while True:
        before, wanted = state, journal.chunk_draws - drawn % journal.chunk_draws
        state, block = _guarded(partial(step, before, wanted), storage=False)
        phase_ends, waiting = state.iteration in phases, state.iteration in pooled_at(plan.options)
        if len(block.positions) < wanted and not (phase_ends or waiting):
            state = before
            blocks.append(divided(block, 0)[0])
            break
        blocks.append(block)
        drawn += len(block.positions)
        if phase_ends or waiting or stopped() or time.perf_counter() >= ends or drawn + journal.chunk_draws > most:
            break
    return Drawn(state, *divided(joined(blocks), drawn if phase_ends else drawn - drawn % journal.chunk_draws))


def _arrays(compiled: CompiledModel, journal: Journal, block: Block) -> dict[str, dict[str, NDArray[Any]]]:
    """The draws of `block` as the arrays of the groups that are written while sampling."""
    kept: dict[str, Callable[[], dict[str, NDArray[Any]]]] = {
        "posterior": lambda: compiled.constrain(block.positions),
        "sample_stats": lambda: block.statistics,
        "unconstrained_posterior": lambda: dict(compiled.layout.columns(block.positions)),
    }
    prefix = "warmup_" if block.warmup else ""
    groups = {}
    for group, arrays in kept.items():
        wanted = journal.schema.groups.get(prefix + group)
        if wanted:
            found = arrays()
            groups[prefix + group] = {v.name: found[v.name] for v in wanted}
    return groups


def _seconds_to_draw(plan: Plan, reading: float) -> float:
    """How long a segment shall draw whose state took `reading` seconds to be read."""
    longer = min(_DRAWING_TO_READING * reading, _LONGER_AT_MOST * plan.segment_seconds)
    return max(plan.segment_seconds, longer)


def _commit(journal: Journal, record: CommitRecord, before: CommitRecord | None) -> CommitRecord:
    """Publish `record`, after `before`; the one that counts if another attempt at the same segment was first.

    Attempts end by time, so they may differ in length; their draws are the same, and so are the chunks they share.
    """
    try:
        return journal.commit(record, before)
    except StoreError:
        present = journal.record(record.chain, record.segment)
        if present is None or _iteration(present) == _iteration(record) or present.fingerprint != record.fingerprint:
            raise
        return present


def _iteration(record: CommitRecord) -> int:
    """How many iterations its chain had done by the end of the segment that left `record`."""
    return int(record.state["iteration"])


def outcome_of(task: SegmentTask, record: CommitRecord) -> Outcome:
    """What the segment that left `record` reports."""
    return Outcome(task, record.digest, Receipt(**record.receipt), _iteration(record))


def _stop_flag(plan: Plan, pulse: Pulse) -> Callable[[], bool]:
    """Whether the chain was given up, or the file that asks all chains to stop is there, looked for now and then."""
    pause = _SECONDS_BETWEEN_REQUESTS if isinstance(plan.path, ObjectPath) else _SECONDS_BETWEEN_LOOKS
    looked, answer = -float("inf"), False

    def stopped() -> bool:
        nonlocal looked, answer
        now = time.monotonic()
        if now - looked >= pause:
            looked = now
            # Storage that does not answer, or refuses to, asks nobody to stop.
            with contextlib.suppress(OSError, StoreError):
                answer = requested(plan.path) is not Wish.GO
        return answer or pulse.abandoned

    return stopped


def _guarded(step: Callable[[], Any], *, storage: bool = True) -> Any:
    """What `step` returns; any exception that is not the infrastructure's becomes the chain's own failure.

    Without `storage`, the step reads and writes nothing, and an `OSError` is the chain's too.
    """
    try:
        return step()
    except (MemoryError, _ChainError):
        raise
    except (OSError, StoreError) as error:
        if storage:
            raise
        raise _ChainError from error
    except (Exception, SystemExit) as error:
        raise _ChainError from error
