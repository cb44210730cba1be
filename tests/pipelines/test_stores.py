"""Runs on object stores: their results are those on a disk, whatever is killed on the way."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from exmc.errors import ConfigError, StoreError
from exmc.trace import files
from exmc.trace.files import Location
from exmc.trace.objects import ObjectPath
from exmc.trace.store import RunStore
from pipelines import locks, segments, stages
from pipelines.checking import check_config
from pipelines.cli import main
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.creation import create_run
from pipelines.events import Event
from pipelines.locks import Lease, being_run
from pipelines.plan import EVENTS, Plan
from pipelines.predict import Request, predict_run
from pipelines.run import RunResult, extend, resume, start
from pipelines.sbc import calibrate
from pipelines.segments import SegmentTask, run_segment
from tests.object_stores import Request as Asked
from tests.object_stores import Server, folder_of, s3, s3_server
from tests.pipelines.running import PATIENCE, QUICK, assert_same_store, begin, begin_failing, write_config

__all__ = ["s3", "s3_server"]


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


def ignore(event: Event) -> None:
    del event


def test_a_run_equals_that_on_a_disk(out: ObjectPath, undisturbed: Path, tmp_path: Path) -> None:
    result = run_in(tmp_path, out)
    assert_same_store(out, undisturbed)
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
    assert_same_store(out, undisturbed)
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
    assert_same_store(out, undisturbed)


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
    assert_same_store(out, undisturbed)


def test_a_chain_that_fails_fails_alone(
    out: ObjectPath, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(segments, "begin", begin_failing({1}))
        result = run_in(tmp_path, out)
    assert list(result.failed) == [1]
    tree = result.tree()
    assert list(tree["posterior"]["chain"]) == [0, 2]
    assert "found no starting point" in tree.attrs["failed_chains"][0]["traceback"]
    on_disk = RunStore.open(undisturbed).read()["posterior"]["mu"]
    assert (tree["posterior"]["mu"].values == on_disk.sel(chain=[0, 2]).values).all()
    assert resume(out, ignore).failed == {}
    assert_same_store(out, undisturbed)


@pytest.fixture
def long_chain(s3: str, tmp_path: Path) -> Plan:
    """A run of one chain on S3, 8 segments long, in which nothing was drawn yet."""
    rest = QUICK.replace("draws: 1200", "draws: 3000").replace("chains: 3", "chains: 1")
    rest += "  predictive: {prior_draws: 0, posterior: false}\n  min_chains: 1\n"
    out = ObjectPath(f"{s3}/long-{secrets.token_hex(4)}")
    rest = rest.replace("run: {segment_seconds: 1e-9}", "run:\n  segment_seconds: 1e-9")
    return create_run(check_config(with_out(load_config(write_config(tmp_path, rest)), out)))


def draw_all(plan: Plan, server: Server) -> list[list[str]]:
    """Draw every segment; what each asked the server, in order, without numbers of chains, segments and chunks."""
    compiled = stages.compile_rewritten(stages.rewrite_model(stages.load_recorded(plan)), plan)
    asked, task = [], SegmentTask(0, 0)
    while True:
        before = len(server.requests)
        outcome = run_segment(plan, compiled, task)
        asked.append([f"{r.method} {re.sub(r'[.-][0-9]+', '-N', r.key)}" for r in server.requests[before:]])
        assert outcome.receipt is not None
        if not outcome.receipt.warmup and outcome.receipt.draws_done == plan.options.draws:
            return asked
        task = SegmentTask(0, task.number + 1, outcome.digest)


def test_a_segment_asks_no_more_of_a_store_the_later_it_comes(s3_server: Server, long_chain: Plan) -> None:
    asked = draw_all(long_chain, s3_server)
    assert len(asked) == 8
    # The first looks for no record before it, and notes its processor; those of the warm-up write fewer arrays.
    kept = [sorted(requests) for requests in asked[2:]]
    assert all(requests == kept[0] for requests in kept)
    records = [request for request in kept[0] if "/segment-" in request]
    assert [r.split()[0] for r in records].count("GET") == 2, "itself, and that before"
    assert not [request for request in kept[0] if request.startswith("LIST") and "/segment-" in request]


def test_a_resume_reads_each_record_a_few_times_however_many_there_are(s3_server: Server, long_chain: Plan) -> None:
    draw_all(long_chain, s3_server)
    before = len(s3_server.requests)
    resume(long_chain.path, ignore)
    asked = s3_server.requests[before:]
    read = Counter(r.key for r in asked if r.method in ("GET", "HEAD") and "/segment-" in r.key)
    listed = [r for r in asked if r.method == "LIST" and "/chain-00000/" in r.key]
    # By the driver when it looks whether the store can be read, and when it verifies; by the last stage; the first
    # record, which says whose run it is, once more.
    assert set(read.values()) == {3, 4}
    assert max(read, key=lambda key: read[key]).endswith("segment-000000.json")
    assert len(read) == 8
    assert len(listed) <= 16
    store = RunStore.open(long_chain.path)
    assert store.draws_done() == 3000
    before = len(s3_server.requests)
    assert store.draws_done() == 3000
    assert not [r for r in s3_server.requests[before:] if r.method == "GET" and "/segment-" in r.key]


class Gate:
    """Lets a server put so many commit records, and holds those that come then until it may put more."""

    def __init__(self) -> None:
        self.left, self.waiting, self._changed = 0, 0, threading.Condition()

    def __call__(self, request: Asked) -> None:
        if request.method == "PUT" and "/segment-" in request.key:
            with self._changed:
                self.waiting += 1
                assert self._changed.wait_for(lambda: self.left > 0, PATIENCE)
                self.waiting, self.left = self.waiting - 1, self.left - 1

    def allow(self, more: int) -> None:
        with self._changed:
            self.left += more
            self._changed.notify_all()


@pytest.mark.slow
def test_killed_on_s3_and_resumed(s3_server: Server, s3: str, undisturbed: Path, tmp_path: Path) -> None:
    """All processes are killed, twice, after a second driver was refused; records that were on their way arrive."""
    out = ObjectPath(f"{s3}/killed")
    config = write_config(tmp_path, QUICK, "cluster: {kind: local, workers: 2, processes: true}\n")
    gate = s3_server.meddle = Gate()
    command = ["run", str(config), "--out", str(out)]
    try:
        for records in (2, 4):
            gate.allow(records)
            with begin(command, start_new_session=True) as process:
                deadline = time.monotonic() + PATIENCE
                while gate.left or not gate.waiting:
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                assert being_run(out)
                with begin(["resume", str(out)]) as other:
                    assert "another process is running this run" in other.communicate(timeout=PATIENCE)[1]
                    assert other.returncode == 1
                os.killpg(process.pid, signal.SIGKILL)
            command = ["resume", str(out)]
        assert not RunStore.open(out).complete
    finally:
        s3_server.meddle = None
        gate.allow(1000)
    resume(out, ignore)
    assert_same_store(out, undisturbed)


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
    with begin(["--version"]) as process:
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


def test_every_command_takes_a_url(out: ObjectPath, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """For DIR, beside paths, with or without a slash at its end; those of local files are paths."""
    more = "sampler: {draws: 100, warmup: 100, chains: 2, seed: 5}\nrun: {predictive: {prior_draws: 10}}\n"
    config, on_disk = write_config(tmp_path, more), f"file://{tmp_path}/on-disk"
    for place in (str(out), on_disk):
        assert main(["run", str(config), "--out", place, "--quiet"]) in (0, 3)
    assert main(["compare", str(out), on_disk, "--json"]) == 0
    ranking = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert [row["name"] for row in ranking] == [str(out), on_disk]
    assert ranking[0]["elpd"] == ranking[1]["elpd"]
    shown = []
    for place in (f"{out}/", on_disk, f"local://{tmp_path}/on-disk/"):
        assert main(["summary", place]) == 3
        shown.append(capfd.readouterr().out)
    assert len(set(shown)) == 1
    (tmp_path / "new.yaml").write_text("data: {seen: [0.5, 0.5, 0.5]}\n")
    for command, status in {
        "watch --once": (3,), "resume": (0, 3), "extend --draws 150": (0, 3), "resume --force-restart": (0, 3),
        f"predict --data {tmp_path / 'new.yaml'}": (0,), "abort": (1,), "pause": (1,),
    }.items():  # fmt: skip
        name, *options = command.split()
        assert main([name, f"{out}/", *options]) in status, capfd.readouterr().err
    assert f"{out}: nobody runs this run" in capfd.readouterr().err
    assert RunStore.open(out).read()["posterior"].sizes["draw"] == 150
    assert main(["compare", str(out), f"{out}-none"]) == 2
    assert f"{out}-none: there is no run here" in capfd.readouterr().err


def test_a_run_that_cannot_be_detached_is_not_made(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(write_config(tmp_path)), "--out", "memory://detached/run", "--detach"]) == 2
    assert "--scheduler ADDRESS" in capfd.readouterr().err
    assert not ObjectPath("memory://detached/run").exists()


def test_what_needs_a_disk_says_so(tmp_path: Path) -> None:
    checked = check_config(with_out(load_config(write_config(tmp_path)), "memory://calibration"))
    with pytest.raises(ConfigError, match="calibrations need one"):
        calibrate(checked, 10)
