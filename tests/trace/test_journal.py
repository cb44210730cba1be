from __future__ import annotations

import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exmc.errors import StoreError
from exmc.trace import records
from exmc.trace.description import FORMAT
from exmc.trace.journal import Journal
from exmc.trace.records import NO_RECORD, CommitRecord
from exmc.trace.schema import GROUPS
from exmc.trace.sealed import write_sealed
from exmc.trace.store import RunStore
from tests.trace.models import schema, segment
from tests.trace.writer import contents, write_missing

ROOT = Path(__file__).parents[2]
CREATED = {"created_at": "2020-01-01T00:00:00+00:00"}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return RunStore.create(tmp_path / "run", schema(save_warmup=True), 10, CREATED).journal


def record_file(journal: Journal, chain: int, number: int) -> Path:
    return journal.directory / "state" / f"chain-{chain:05d}" / f"segment-{number:06d}.json"


def test_a_record_is_read_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    write_missing(journal, 1, 10)
    read: list[bytes] = []
    decode = records.decode
    monkeypatch.setattr(records, "decode", lambda content: decode(read.append(content) or content))  # type: ignore[func-returns-value]
    found = journal.committed(1)
    assert len(read) == len(found) == 4
    assert journal.committed(1) == found
    assert len(read) == 4
    assert journal.damage() == ()
    assert len(read) == 8, "where damage is looked for, what is there counts"


def test_what_was_set_aside_is_not_remembered(journal: Journal) -> None:
    """Drawn again in a longer run, the last segment is another one."""
    write_missing(journal, 0, 10, until=10)
    assert journal.done(0) == {"draws": 10, "warmup": 10}
    journal.set_aside(0, 1)
    write_missing(journal, 0, 20, until=20)
    assert journal.done(0) == {"draws": 20, "warmup": 10}


def test_workers_need_neither_zarr_nor_xarray() -> None:
    code = (
        "import sys, exmc.trace.journal; print(sorted({'zarr', 'xarray', 'pandas', 'arviz_stats'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_segments_are_committed_in_order_and_counted(journal: Journal) -> None:
    for chain in range(3):
        assert journal.committed(chain) == ()
        write_missing(journal, chain, 10)
        assert [(r.warmup, r.first, r.count) for r in journal.committed(chain)] == [
            (True, 0, 10),
            (False, 0, 10),
            (False, 10, 10),
            (False, 20, 5),
        ]
        assert journal.draws_done(chain) == 25
        assert journal.draws_done(chain, warmup=True) == 10
    assert journal.damage() == ()
    state = journal.committed(2)[1].state
    np.testing.assert_array_equal(state["position"], np.arange(3) * 2.0)
    assert state["key"].dtype == np.uint64


def test_a_segment_committed_again_must_be_the_same(journal: Journal) -> None:
    write_missing(journal, 0, 10)
    third = journal.committed(0)[2]
    journal.commit(replace(third, receipt={"seconds": 99.0}))
    assert journal.committed(0)[2].receipt == third.receipt
    with pytest.raises(StoreError, match="committed before with other contents"):
        journal.commit(replace(third, state={"position": np.zeros(3)}))


def test_a_record_must_follow_the_one_before(journal: Journal) -> None:
    write_missing(journal, 0, 10, until=20)
    last = journal.committed(0)[-1]
    following = CommitRecord("f", 0, 3, 20, 5, False, last.digest)
    for wrong, message in [
        (replace(following, previous="0" * 64), "does not follow"),
        (replace(following, fingerprint="g"), "another run"),
        (replace(following, first=15), "begins at draw 15, not 20"),
        (replace(following, warmup=True), "warm-up after kept draws"),
        (replace(following, segment=4), "segment before it is not committed"),
        (replace(following, segment=-1), "no segment -1"),
        (replace(following, chain=3), "no chain 3"),
    ]:
        with pytest.raises(StoreError, match=message):
            journal.commit(wrong)
    journal.commit(following)
    assert journal.draws_done(0) == 25


def test_draws_must_fit_the_schema(journal: Journal) -> None:
    good = segment(journal.schema, 0, 0, 10)
    bad = [
        ({g: v for g, v in good.items() if g != "posterior"}, "no draws were given"),
        (good | {"posterior": good["posterior"] | {"mu": np.zeros((10, 1))}}, "shape"),
        (good | {"posterior": good["posterior"] | {"mu": np.zeros(10, complex)}}, "complex"),
        (good | {"sample_stats": good["sample_stats"] | {"tree_depth": np.zeros(10)}}, "float64, not int64"),
        (good | {"log_likelihood": {}}, "are not written"),
    ]
    for groups, message in bad:
        with pytest.raises(StoreError, match=message):
            journal.write_segment(0, 0, False, groups)
    with pytest.raises(StoreError, match="no whole chunks"):
        journal.write_segment(0, 5, False, segment(journal.schema, 0, 5, 10))
    with pytest.raises(StoreError, match="no chain 7"):
        journal.write_segment(7, 0, False, good)


def test_failures_are_kept_until_forgiven(journal: Journal) -> None:
    assert journal.failures() == {}
    journal.fail(1, "Traceback: é")
    assert Journal.open(journal.directory).failures() == {1: "Traceback: é"}
    journal.forgive(1)
    journal.forgive(1)
    assert journal.failures() == {}


@pytest.mark.parametrize("kind", ["flip", "cut", "swap", "delete", "foreign"])
def test_damaged_records_end_their_chain_and_are_drawn_again(journal: Journal, kind: str) -> None:
    for chain in range(3):
        write_missing(journal, chain, 10)
    before = contents(journal.directory)
    path = record_file(journal, 1, 2)
    content = path.read_bytes()
    if kind == "flip":
        path.write_bytes(content[:50] + bytes([content[50] ^ 4]) + content[51:])
    elif kind == "cut":
        path.write_bytes(content[:-7])
    elif kind == "swap":
        path.write_bytes(record_file(journal, 0, 2).read_bytes())
    elif kind == "delete":
        path.unlink()
    else:
        path.write_bytes(records.encode(replace(records.decode(content), fingerprint="other")))
    assert len(journal.committed(1)) == 2
    (damage,) = journal.damage()
    assert (damage.chain, damage.segment) == (1, 2)
    assert damage.file.endswith("segment-000002.json")
    assert journal.repair() == (damage,)
    assert journal.damage() == ()
    assert len(journal.committed(1)) == 2
    write_missing(journal, 1, 10)
    assert contents(journal.directory) == before


def test_a_damaged_record_is_an_error_that_names_it(journal: Journal) -> None:
    write_missing(journal, 0, 10)
    record_file(journal, 0, 1).write_bytes(b"nonsense")
    with pytest.raises(StoreError, match=r"chain 0\.segment 1.*Resume"):
        journal.record(0, 1)


@pytest.mark.parametrize("kind", ["flip", "cut", "swap", "delete"])
def test_damaged_chunks_are_found_and_drawn_again(journal: Journal, kind: str) -> None:
    for chain in range(3):
        write_missing(journal, chain, 20)
    before = contents(journal.directory)
    path = journal.arrays / "posterior" / "theta" / "c.2.1.0"
    content = path.read_bytes()
    if kind == "flip":
        path.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
    elif kind == "cut":
        path.write_bytes(content[:-8])
    elif kind == "swap":
        path.write_bytes(path.with_name("c.2.0.0").read_bytes())
    else:
        path.unlink()
    (damage,) = journal.repair()
    assert (damage.chain, damage.segment) == (2, 1)
    assert damage.file == "run.zarr/posterior/theta/c.2.1.0"
    assert journal.draws_done(2) == 0
    write_missing(journal, 2, 20)
    assert journal.damage() == ()
    assert contents(journal.directory) == before


def test_every_sampled_chunk_is_covered(journal: Journal) -> None:
    for chain in range(3):
        write_missing(journal, chain, 20)
    chunk_files = [
        p for g in dict(journal.schema.sampled()) for p in journal.arrays.glob(f"{g}/*/c.*.*") if p.is_file()
    ]
    assert len(chunk_files) > 100
    for path in random.Random(0).sample(chunk_files, 12):
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 128]) + content[1:])
        assert [d.file for d in journal.damage()] == [str(path.relative_to(journal.directory))]
        path.write_bytes(content)
    groups = {p.relative_to(journal.arrays).parts[0] for p in chunk_files}
    assert groups == {g for g, axis in GROUPS.items() if g in journal.schema.groups and axis in ("draws", "warmup")} - {
        "log_likelihood",
        "log_prior",
        "posterior_predictive",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no run here"),
        (b"{", "damaged"),
        (b"[]", "damaged: it holds no object"),
        (b'{"format": 1}', "damaged: its checksum is wrong"),
        (b"{}", "damaged: its checksum is wrong"),
        ({"format": FORMAT}, "damaged: KeyError: 'schema'"),
        ({"format": 99}, "format 99"),
        ({}, "format None"),
    ],
)
def test_what_is_no_run_is_refused_with_a_remedy(
    tmp_path: Path, content: bytes | dict[str, int] | None, message: str
) -> None:
    path = tmp_path / "state" / "store.json"
    if content is not None:
        path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write_sealed(path, content)
    with pytest.raises(StoreError, match=message) as caught:
        Journal.open(tmp_path)
    assert caught.value.remedy


def writer(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trace.writer", str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def finished(process: subprocess.Popen[str], timeout: float | None = None) -> bool:
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_a_killed_writer_loses_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    wanted = schema(draws=120, warmup=20, chains=3, save_warmup=True)
    quiet = RunStore.create(tmp_path / "quiet", wanted, 10, CREATED).journal
    for chain in range(3):
        write_missing(quiet, chain, 20)
    journal = RunStore.create(tmp_path / "killed", wanted, 10, CREATED).journal
    pauses = random.Random(1)
    kills, done = 0, 0
    for attempt in range(100):
        process = writer(journal.directory)
        go(process)
        # Short at first, so that a fast machine is killed too before it is done; longer later, for a slow one.
        if finished(process, pauses.uniform(0.0, 0.01 * 1.1**attempt)):
            process.communicate()
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        assert journal.damage() == ()
        now = sum(journal.draws_done(c) for c in range(3))
        assert now >= done
        done = now
        shown = RunStore(journal).read().posterior
        assert shown.sizes["draw"] == min(journal.draws_done(c) for c in range(3))
    assert process.returncode == 0
    assert kills >= 3
    assert journal.repair() == ()
    assert contents(journal.directory) == contents(quiet.directory)


def test_racing_writers_agree(tmp_path: Path) -> None:
    wanted = schema(draws=200, warmup=20, chains=2)
    quiet = RunStore.create(tmp_path / "quiet", wanted, 10, CREATED).journal
    for chain in range(2):
        write_missing(quiet, chain, 20)
    raced = RunStore.create(tmp_path / "raced", wanted, 10, CREATED).journal
    processes = [writer(raced.directory) for _ in range(3)]
    for process in processes:
        go(process)
    for process in processes:
        assert process.communicate()[0] == "done\n"
        assert process.returncode == 0
    assert raced.repair() == ()
    assert contents(raced.directory) == contents(quiet.directory)
    assert raced.committed(0)[0].previous == NO_RECORD


def test_a_failure_whose_record_is_damaged_is_still_one(tmp_path: Path) -> None:
    journal = RunStore.create(tmp_path / "run", schema(), 10).journal
    journal.fail(1, "Traceback …")
    (tmp_path / "run" / "state" / "chain-00001" / "failed.json").write_text("{")
    assert "is damaged" in journal.failures()[1]


def test_repair_goes_back_to_the_first_damage_of_a_chain(tmp_path: Path) -> None:
    journal = RunStore.create(tmp_path / "run", schema(), 10).journal
    write_missing(journal, 0, 10)
    for number in (0, 1):
        (journal.arrays / "posterior" / "mu" / f"c.0.{number}").write_bytes(b"")
    assert [d.segment for d in journal.repair()] == [1, 2]
    assert [r.segment for r in journal.committed(0)] == [0]
    write_missing(journal, 0, 10)
    assert journal.damage() == ()
