"""Runs on object stores: their results are those on a disk, whatever is killed on the way."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from exmc.errors import ConfigError, StoreError
from exmc.trace import files
from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath
from exmc.trace.store import RunStore
from pipelines import locks
from pipelines.checking import check_config
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.locks import Lease, being_run
from pipelines.plan import EVENTS
from pipelines.predict import Request, predict_run
from pipelines.run import RunResult, extend, resume, start
from pipelines.sbc import calibrate
from tests.object_stores import folder_of, s3
from tests.pipelines.running import QUICK, SLOW, begin, write_config

__all__ = ["s3"]


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def out(request: pytest.FixtureRequest) -> ObjectPath:
    found = folder_of(request.param, request)
    assert isinstance(found, ObjectPath)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run on a disk."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return run_in(folder, folder / "run").directory.absolute()  # type: ignore[return-value]


def run_in(folder: Path, out: Location, stop_after: int | None = None, rest: str = QUICK) -> RunResult:
    """Run the small model; stopped as by a kill once so many segments are committed."""
    seen: list[Event] = []

    def listener(event: Event) -> None:
        seen.extend([event] if event.kind == "segment" else [])
        if len(seen) == stop_after:
            raise StoppedError("enough")

    return start(check_config(with_out(load_config(write_config(folder, rest)), out)), listener)


def contents(directory: Location) -> dict[str, bytes]:
    """Every file of the finished store, but for the time at which the run began."""
    root = directory / "run.zarr"
    found = ((files.relative(p, root), p.read_bytes()) for p in root.rglob("*") if p.is_file())
    return {name: re.sub(rb'"created_at": ?"[^"]*"', b"", content) for name, content in found}


def assert_same(one: Location, other: Location) -> None:
    left, right = contents(one), contents(other)
    assert sorted(left) == sorted(right)
    assert [name for name in left if left[name] != right[name]] == []


def ignore(event: Event) -> None:
    del event


def test_a_run_equals_that_on_a_disk(out: ObjectPath, undisturbed: Path, tmp_path: Path) -> None:
    result = run_in(tmp_path, out)
    assert_same(out, undisturbed)
    on_disk = RunStore.open(undisturbed).read()
    for tree in (result.tree(), RunStore.open(out).read()):
        assert tree["posterior"]["mu"].shape == (3, 1200)
        assert (tree["posterior"]["theta"].values == on_disk["posterior"]["theta"].values).all()
    assert RunStore.open(out).sound
    events = b"".join(part.read_bytes() for part in (out / EVENTS).iterdir())
    assert [json.loads(line)["kind"] for line in events.splitlines()][-1] == "finished"
    assert not being_run(out)
    with pytest.raises(Exception, match=r"holds another run \(finished.*exmc resume"):
        run_in(tmp_path, out)


def test_a_stopped_run_is_resumed_and_extended(out: ObjectPath, undisturbed: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        run_in(tmp_path, out, 4, QUICK.replace("draws: 1200", "draws: 750"))
    assert RunStore.open(out).draws_done() < 750
    resume(out, ignore)
    extend(out, 1200)
    assert_same(out, undisturbed)
    notes: list[str] = []
    resume(out, lambda event: notes.append(event.message))
    assert "there was nothing to do" in notes[0]


def test_damage_is_found_and_repaired(out: ObjectPath, undisturbed: Path, tmp_path: Path) -> None:
    run_in(tmp_path, out)
    for name in ("run.zarr/zarr.json", "run.zarr/posterior/mu/c.1.0", "state/chain-00002/segment-000003.json"):
        content = (out / name).read_bytes()
        (out / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not RunStore.open(out).sound
    resume(out, ignore)
    assert_same(out, undisturbed)


def test_failed_chains_are_left_out_and_tried_again(out: ObjectPath, undisturbed: Path, tmp_path: Path) -> None:
    """Chains change places in what is left of them, and what was drawn is kept for the next attempt."""
    with pytest.raises(StoppedError):
        run_in(tmp_path, out, 12)
    store = RunStore.open(out)
    store.fail(0, "it broke")
    assert 0 < store.draws_done() < 1200
    store.finalise()
    assert list(RunStore.open(out).read()["posterior"]["chain"]) == [1, 2]
    resume(out, ignore)
    assert_same(out, undisturbed)


def test_killed_on_s3_and_resumed(s3: str, tmp_path: Path) -> None:
    """The driver is killed, at moments of its choice and ours; workers are processes."""
    out, disk = ObjectPath(f"{s3}/killed"), tmp_path / "disk"
    rest = SLOW + "cluster: {kind: local, workers: 2, processes: true}\n"
    run_in(tmp_path, disk, rest=SLOW)
    process = begin(["run", str(write_config(tmp_path, rest)), "--out", str(out)], start_new_session=True)
    kills = 0
    for wanted in (2, 6):
        deadline = time.monotonic() + 60
        while len(list(out.glob("state/chain-*/segment-*.json"))) < wanted:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert being_run(out)
        os.killpg(process.pid, 9)
        process.communicate()
        kills += 1
        process = begin(["resume", str(out)], start_new_session=True)
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 3), errors
    assert kills == 2
    assert_same(out, disk)


def test_a_second_driver_is_refused(out: ObjectPath) -> None:
    lease = Lease.take(out)
    assert being_run(out)
    with pytest.raises(StoreError, match=r"another process is running this run.*process \d+ on .*try again in \d+ s"):
        Lease.take(out)
    lease.release()
    assert not being_run(out)
    following = Lease.take(out)
    assert following.number == lease.number + 1
    following.release()


def test_a_lapsed_lease_is_taken_over(out: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LEASE_SECONDS", 0.6)
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.1)
    first = Lease.take(out)
    time.sleep(0.9)
    with pytest.raises(StoreError, match="another process"):
        Lease.take(out)
    first.check()
    # It stands still, as if stopped by SIGSTOP.
    first._ended.set()
    time.sleep(0.9)
    with pytest.raises(StoreError, match="was lost"):
        first.check()
    second = Lease.take(out)
    first._ended.clear()
    first._keep()
    assert first.lost
    first.release()
    assert being_run(out)
    second.check()
    second.release()


def test_the_dead_of_this_machine_hold_no_lease(out: ObjectPath) -> None:
    process = begin(["--version"])
    process.communicate()
    lease = Lease.take(out)
    lease._ended.set()
    held = out / "state/driver.lock" / f"{lease.number:06d}.json"
    held.write_bytes(json.dumps(json.loads(held.read_bytes()) | {"pid": process.pid}).encode())
    assert not being_run(out)
    held.write_bytes(json.dumps(json.loads(held.read_bytes()) | {"machine": "another"}).encode())
    assert being_run(out)


def test_a_missing_bucket_is_named(s3: str, tmp_path: Path) -> None:
    del s3
    with pytest.raises(Exception, match=r"small\.yaml|--out.*s3://nowhere/x cannot be written"):
        run_in(tmp_path, ObjectPath("s3://nowhere/x"))


def test_predictions_lie_beside_the_draws(out: ObjectPath, tmp_path: Path) -> None:
    run_in(tmp_path, out)
    (tmp_path / "new.yaml").write_text("data: {seen: {values: [0.1, 0.2, 0.3], dims: [group]}}\n")
    request = Request(str(tmp_path / "new.yaml"))
    assert predict_run(out, request).store == out / "predictions.zarr"
    assert files.is_store(out / "predictions.zarr")
    with pytest.raises(StoreError, match="something is there already"):
        predict_run(out, request)


def test_what_needs_a_disk_says_so(tmp_path: Path) -> None:
    checked = check_config(with_out(load_config(write_config(tmp_path)), "memory://calibration"))
    with pytest.raises(ConfigError, match="calibrations need one"):
        calibrate(checked, 10)
