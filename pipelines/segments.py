"""One segment of one chain: from the commit record before it to its own."""

from __future__ import annotations

import contextlib
import errno
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.blame import explained
from exmc.compile.program import CompiledModel
from exmc.density import LogDensity
from exmc.errors import ExmcError, SamplingError, StoreError
from exmc.methods import NUTS, method_of
from exmc.methods.chain import FittedState, advance_fitted
from exmc.sampling import progress
from exmc.sampling.chain import Block, advance, begin
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
from pipelines.processors import record_processor
from pipelines.reasons import reason
from pipelines.requests import Wish, requested
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
    """Which segment to do; `after` is the digest of the record before it, there only to order the two."""

    chain: int
    number: int
    after: str = NO_RECORD


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a segment: committed (`receipt`), stopped before its first chunk was full, or failed.

    `stuck`: its chain was given up just now, and still uses the process.
    """

    task: SegmentTask
    digest: str = NO_RECORD
    receipt: Receipt | None = None
    failure: str = ""
    stuck: bool = False


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

    def draw(pulse: Pulse) -> tuple[State, Block]:
        if plan.method != NUTS:
            return _draw_fitted(plan, compiled, task.chain, journal, before, pulse)
        if before is not None:
            state = ChainState.from_arrays(before.state)
        else:
            state = _guarded(partial(_begin, compiled, density, plan, task.chain, pulse), storage=False)
        stopped = _stop_flag(plan, pulse)
        step = partial(advance, density, plan.options, should_stop=stopped, pulse=pulse)
        return _draw(plan, step, state, journal, stopped)

    state, block = _guarded(lambda: watched(draw, plan.watchdog))
    if not len(block.positions):
        return Outcome(task)
    groups = _guarded(lambda: _arrays(compiled, journal, block))
    patiently(plan.retries, record_processor, plan.path)
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
        state=state.to_arrays(),
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
) -> tuple[State, Block]:
    """As `_draw`, of a chain whose draws follow from a finished fit."""
    method, fit = method_of(plan.method), finished_fit(plan)
    problem = _guarded(partial(fitted_problem, plan, compiled, pulse), storage=False)
    state = FittedState(chain, 0) if before is None else FittedState.from_arrays(before.state)
    return _draw(plan, partial(advance_fitted, method, problem, fit), state, journal, _stop_flag(plan, pulse))


def _draw(
    plan: Plan, step: Callable[..., tuple[Any, Block]], state: State, journal: Journal, stopped: Callable[[], bool]
) -> tuple[State, Block]:
    """Whole chunks until the time is up or the phase ends; what a stop leaves of a chunk is dropped.

    ``step(state, draws)`` gives the next state, and the draws that led there.
    """
    ends = time.perf_counter() + plan.segment_seconds
    most = _LARGEST_SEGMENT_BYTES // max(journal.schema.bytes_per_draw, 1)
    blocks: list[Block] = []
    drawn = 0
    while True:
        before = state
        state, block = _guarded(partial(step, before, journal.chunk_draws), storage=False)
        phase_ends = state.iteration in (plan.options.warmup, plan.options.warmup + plan.options.draws)
        if len(block.positions) < journal.chunk_draws and not phase_ends:
            state = before
            block = Block(
                block.first, block.warmup, block.positions[:0], {k: v[:0] for k, v in block.statistics.items()}
            )
            blocks.append(block)
            break
        blocks.append(block)
        drawn += len(block.positions)
        if phase_ends or stopped() or time.perf_counter() >= ends or drawn + journal.chunk_draws > most:
            break
    return state, _joined(blocks)


def _joined(blocks: list[Block]) -> Block:
    names = blocks[0].statistics
    return Block(
        blocks[0].first,
        blocks[0].warmup,
        np.concatenate([b.positions for b in blocks]),
        {name: np.concatenate([b.statistics[name] for b in blocks]) for name in names},
    )


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
        if present is None or present.count == record.count or present.fingerprint != record.fingerprint:
            raise
        return present


def outcome_of(task: SegmentTask, record: CommitRecord) -> Outcome:
    """What the segment that left `record` reports."""
    return Outcome(task, record.digest, Receipt(**record.receipt))


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
