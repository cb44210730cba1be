"""A segment commits once, whoever does it how often; its draws do not depend on where it ends."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exmc.compile.program import CompiledModel
from exmc.errors import ClusterError, SamplingError, StoreError
from exmc.trace.journal import Journal
from pipelines import patience, segments, stages
from pipelines.checking import check_config
from pipelines.config import load_config, with_out
from pipelines.creation import create_run
from pipelines.plan import STOP, Plan
from pipelines.segments import Outcome, SegmentTask, run_segment
from tests.pipelines.running import write_config


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A run directory in which nothing was drawn yet: 700 + 1200 draws in chunks of 500."""
    return create_run(check_config(with_out(load_config(write_config(tmp_path)), tmp_path / "run")))


@pytest.fixture
def compiled(plan: Plan) -> CompiledModel:
    return stages.compile_rewritten(stages.rewrite_model(stages.load_recorded(plan)), plan)


def drawn(plan: Plan, compiled: CompiledModel, chain: int = 0) -> list[Outcome]:
    """Every segment of a chain, one after the other."""
    found: list[Outcome] = []
    while True:
        after = found[-1].digest if found else ""
        found.append(run_segment(plan, compiled, SegmentTask(chain, len(found), after)))
        receipt = found[-1].receipt
        assert receipt is not None
        if not receipt.warmup and receipt.draws_done == plan.options.draws:
            return found


def test_segments_end_on_chunks_and_phases(plan: Plan, compiled: CompiledModel) -> None:
    receipts = [o.receipt for o in drawn(plan, compiled) if o.receipt is not None]
    assert [(r.warmup, r.first, r.draws) for r in receipts] == [
        (True, 0, 500), (True, 500, 200), (False, 0, 500), (False, 500, 500), (False, 1000, 200)]  # fmt: skip


def test_a_longer_budget_gives_longer_segments(plan: Plan, compiled: CompiledModel) -> None:
    receipts = [o.receipt for o in drawn(replace(plan, segment_seconds=100.0), compiled) if o.receipt is not None]
    assert [(r.warmup, r.first, r.draws) for r in receipts] == [(True, 0, 700), (False, 0, 1200)]


def test_a_segment_done_twice_is_done_once(
    plan: Plan, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_segment(plan, compiled, SegmentTask(0, 0))

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("it was drawn again")

    monkeypatch.setattr(segments, "advance", refuse)
    assert run_segment(plan, compiled, SegmentTask(0, 0)) == first


@pytest.mark.parametrize("theirs", [1e-9, 100.0])
def test_of_two_attempts_the_first_to_commit_counts(
    theirs: float, plan: Plan, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other attempt may have ended sooner or later; it reports the record that is there."""
    real = Journal.commit
    committed: list[Outcome] = []

    def commit(journal: Journal, record: Any, before: Any) -> Any:
        monkeypatch.setattr(Journal, "commit", real)
        committed.append(run_segment(replace(plan, segment_seconds=theirs), compiled, SegmentTask(0, 0)))
        return real(journal, record, before)

    monkeypatch.setattr(Journal, "commit", commit)
    assert run_segment(replace(plan, segment_seconds=1e-9), compiled, SegmentTask(0, 0)) == committed[0]
    drawn(plan, compiled)
    assert Journal.open(plan.path).damage() == ()


def test_a_record_of_other_draws_is_not_taken_for_ours(
    plan: Plan, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Journal.commit

    def commit(journal: Journal, record: Any, before: Any) -> Any:
        real(journal, replace(record, state=record.state | {"position": record.state["position"] + 1.0}))
        return real(journal, record, before)

    monkeypatch.setattr(Journal, "commit", commit)
    with pytest.raises(StoreError, match="committed before with other contents"):
        run_segment(plan, compiled, SegmentTask(0, 0))


@pytest.mark.parametrize(
    ("reading", "seconds"),
    [(0.001, 2.0), (0.1, 7.0), (60.0, 30.0)],
    ids=["a disk", "storage that is slow", "storage that hardly answers"],
)
def test_segments_are_longer_where_reading_takes_long(reading: float, seconds: float, plan: Plan) -> None:
    assert segments._seconds_to_draw(plan, reading) == plan.segment_seconds * 15  # Of almost nothing.
    assert segments._seconds_to_draw(replace(plan, segment_seconds=2.0), reading) == pytest.approx(seconds)


def test_slow_storage_is_noticed(plan: Plan, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    real_draw, real_record, asked = segments._draw, Journal.record, []

    def record(journal: Journal, chain: int, segment: int) -> Any:
        time.sleep(0.05)
        return real_record(journal, chain, segment)

    def draw(plan: Plan, *arguments: Any) -> Any:
        asked.append(plan.segment_seconds)
        return real_draw(replace(plan, segment_seconds=1e-9), *arguments)

    monkeypatch.setattr(Journal, "record", record)
    monkeypatch.setattr(segments, "_draw", draw)
    run_segment(replace(plan, segment_seconds=2.0), compiled, SegmentTask(0, 0))
    assert 70 * 0.05 <= asked[0] <= 30.0


def test_a_commit_reads_no_record_twice(plan: Plan, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_segment(plan, compiled, SegmentTask(0, 0))
    real, read = Journal.record, []

    def record(journal: Journal, chain: int, segment: int) -> Any:
        read.append(segment)
        return real(journal, chain, segment)

    monkeypatch.setattr(Journal, "record", record)
    run_segment(plan, compiled, SegmentTask(0, 1, first.digest))
    assert read == [1, 0]


def test_a_stop_keeps_whole_chunks_only(plan: Plan, compiled: CompiledModel) -> None:
    (plan.path / STOP).touch()
    assert run_segment(plan, compiled, SegmentTask(0, 0)) == Outcome(SegmentTask(0, 0))
    assert Journal.open(plan.path).committed(0) == ()
    (plan.path / STOP).unlink()
    assert run_segment(plan, compiled, SegmentTask(0, 0)).receipt is not None


def test_a_stop_within_a_chunk_goes_on_from_the_chunk_before(
    plan: Plan, compiled: CompiledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_out(load_config(tmp_path / "small.yaml"), tmp_path / "undisturbed")
    undisturbed = create_run(check_config(config))
    drawn(undisturbed, compiled)
    patient, real, left = replace(plan, segment_seconds=100.0), segments.advance, [500, 250]

    def advance(density: Any, options: Any, state: Any, iterations: int, should_stop: Any, **others: Any) -> Any:
        return real(density, options, state, left.pop(0), should_stop, **others)

    first = run_segment(patient, compiled, SegmentTask(0, 0))
    with monkeypatch.context() as patch:
        patch.setattr(segments, "advance", advance)
        second = run_segment(patient, compiled, SegmentTask(0, 1, first.digest))
    assert left == []
    assert second.receipt is not None
    assert (second.receipt.first, second.receipt.draws) == (0, 500)
    drawn(patient, compiled)
    ours, theirs = (Journal.open(p.path).committed(0)[-1].state for p in (plan, undisturbed))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_fault_of_the_model_is_recorded_not_raised(
    plan: Plan, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise SamplingError("the density is flat.", remedy="Give it a prior.")

    monkeypatch.setattr(segments, "advance", fail)
    outcome = run_segment(plan, compiled, SegmentTask(1, 0))
    assert outcome.failure == "the density is flat. Give it a prior."
    assert "SamplingError: the density is flat." in Journal.open(plan.path).failures()[1]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError(), StoreError("damaged")])
def test_a_fault_of_the_infrastructure_is_raised(
    error: Exception, plan: Plan, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once what is drawn could not be written for a while."""
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)

    def fail(*arguments: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(segments.Journal, "write_segment", fail)
    with pytest.raises(StoreError if isinstance(error, StoreError) else ClusterError):
        run_segment(plan, compiled, SegmentTask(1, 0))
    assert Journal.open(plan.path).failures() == {}


def test_a_worker_with_other_libraries_draws_nothing(plan: Plan, compiled: CompiledModel) -> None:
    """But what is committed may be reported by anybody."""
    elsewhere = replace(plan, versions=dict(plan.versions) | {"numpy": "1.0"})
    with pytest.raises(StoreError, match=r"begun with numpy 1\.0 \(now .*on every worker"):
        run_segment(elsewhere, compiled, SegmentTask(0, 0))
    assert Journal.open(plan.path).committed(0) == ()
    done = run_segment(plan, compiled, SegmentTask(0, 0))
    assert run_segment(elsewhere, compiled, SegmentTask(0, 0)) == done


def test_a_segment_whose_predecessor_is_missing_is_refused(plan: Plan, compiled: CompiledModel) -> None:
    with pytest.raises(FileNotFoundError, match="shared storage"):
        run_segment(plan, compiled, SegmentTask(0, 3))


def test_a_worker_without_the_directory_says_so(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="all workers share"):
        stages.load_recorded(replace(plan, directory=str(tmp_path / "elsewhere")))
