"""A run is gone on with only if its directory is what its checkpoint says; what can be made again is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exmc.errors import StoreError
from exmc.trace.sealed import read_sealed, spare_of, write_sealed
from exmc.trace.store import RunStore
from pipelines import run as run_module
from pipelines.checking import check_config
from pipelines.checkpoint import check_agreement, mend, read_checkpoint, write_checkpoint
from pipelines.cli import main
from pipelines.run import extend, restarted, resume, run_config, start
from tests.pipelines.running import assert_same_store, contents, stopped_run, write_config


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("quick")
    run_config(write_config(folder), out=folder / "run")
    return folder / "run"


@pytest.fixture
def run(quick: Path, tmp_path: Path) -> Path:
    """A copy of it that may be spoilt."""
    return Path(shutil.copytree(quick, tmp_path / "run"))


def ignore(event: object) -> None:
    del event


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def another_seed(run: Path) -> None:
    replaced(run / "config.yaml", "seed: 5", "seed: 6")


def another_model(run: Path) -> None:
    replaced(run / "ir.json", '"sigma",\n      1', '"sigma",\n      2')


def no_yaml(run: Path) -> None:
    replaced(run / "config.yaml", "sampler:", "sampler: [")


def other_versions(run: Path) -> None:
    # A finished and sound run is judged, whatever the versions: nothing is drawn.
    (run / "run.zarr" / "posterior" / "mu" / "c.1.1").unlink()
    checkpoint = read_checkpoint(run)
    versions = dict(checkpoint.plan.versions) | {"exmc": "0.0.1", "numpy": "1.0"}
    write_checkpoint(replace(checkpoint, plan=replace(checkpoint.plan, versions=versions)))


def store_of_another_run(run: Path) -> None:
    config = write_config(run.parent)
    run_config(config, out=run.parent / "foreign", overrides=["sampler.seed=6"])
    shutil.rmtree(run / "run.zarr")
    shutil.copytree(run.parent / "foreign" / "run.zarr", run / "run.zarr")


def records_of_another_run(run: Path) -> None:
    config = write_config(run.parent)
    run_config(config, out=run.parent / "foreign", overrides=["sampler.seed=6"])
    shutil.rmtree(run / "state" / "chain-00001")
    shutil.copytree(run.parent / "foreign" / "state" / "chain-00001", run / "state" / "chain-00001")


def description_of_another_run(run: Path) -> None:
    path = run / "state" / "store.json"
    document = read_sealed(path)
    write_sealed(path, document | {"attributes": document["attributes"] | {"fingerprint": "0123"}})


def fewer_chains(run: Path) -> None:
    path = run / "state" / "store.json"
    document = read_sealed(path)
    write_sealed(path, document | {"schema": document["schema"] | {"chains": 2}})


CONTRADICTIONS: list[tuple[Callable[[Path], None], str]] = [
    (another_seed, r"config\.yaml says sampler\.seed: 6, but the checkpoint says 5"),
    (no_yaml, r"config\.yaml: it is not what the run was begun with, and cannot be read: config\.yaml:\d+"),
    (another_model, r"ir\.json says model_digest: \w{64}, but the checkpoint says \w{64}"),
    (other_versions, rf"begun with exmc 0\.0\.1 \(now .*numpy 1\.0 \(now {re.escape(np.__version__)}\)"),
    (store_of_another_run, r"run\.zarr says sampler: .*'seed': 6.*, but the checkpoint says .*'seed': 5"),
    (records_of_another_run, r"state/chain-00001 says fingerprint: \w{64}, but the checkpoint says \w{64}"),
    (description_of_another_run, r"state/store\.json says fingerprint: 0123, but the checkpoint says \w{64}"),
    (fewer_chains, r"state/store\.json says chains: 2, but the checkpoint says 3"),
]


@pytest.mark.parametrize(("spoil", "message"), CONTRADICTIONS, ids=lambda v: getattr(v, "__name__", ""))
def test_what_contradicts_the_checkpoint_is_refused(spoil: Callable[[Path], None], message: str, run: Path) -> None:
    """Both values are named, and the remedy; nothing is changed."""
    spoil(run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    for go_on in (lambda: resume(run, ignore), lambda: extend(run, 2000)):
        with pytest.raises(StoreError, match=message) as raised:
            go_on()
        assert "--force-restart" in raised.value.remedy
        assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_the_remedy_for_more_draws_is_to_extend(run: Path) -> None:
    replaced(run / "config.yaml", "draws: 1200", "draws: 2000")
    with pytest.raises(StoreError, match=r"sampler\.draws: 2000.* exmc extend .*/run --draws 2000"):
        resume(run, ignore)


def test_comments_and_spaces_are_no_contradiction(run: Path) -> None:
    (run / "config.yaml").write_text("# mine\n" + (run / "config.yaml").read_text())
    assert check_agreement(read_checkpoint(run), RunStore.open(run)) == ()


@pytest.mark.parametrize(
    "name",
    ["config.yaml", "ir.json", "explain.txt", "state/plan.json", "state/.plan.json.spare", "state/store.json",
     "state/.store.json.spare", "state/finished.json"],
)  # fmt: skip
@pytest.mark.parametrize("left", [None, b"", b"{"])
def test_what_is_lost_beside_the_draws_is_made_again(name: str, left: bytes | None, run: Path, quick: Path) -> None:
    if name == "config.yaml" and left == b"{":
        pytest.skip("a config that cannot be read may be a mistake of whoever edits it")
    (run / name).unlink()
    if left is not None:
        (run / name).write_bytes(left)
    resume(run, ignore)
    paths = ["config.yaml", "ir.json", "explain.txt"]
    assert [(run / p).read_bytes() for p in paths] == [(quick / p).read_bytes() for p in paths]
    store = RunStore.open(run)
    assert check_agreement(read_checkpoint(run), store) == ()
    assert store.sound
    assert_same_store(quick, run)


def test_a_lost_model_that_the_config_no_longer_gives_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("[0.3, -0.2, 1.1]")
    text = write_config(tmp_path).read_text().replace("values: [0.3, -0.2, 1.1]", "path: data.json")
    (tmp_path / "small.yaml").write_text(text)
    run_config(tmp_path / "small.yaml", out=tmp_path / "run", overrides=["sampler.draws=100", "sampler.warmup=100"])
    (tmp_path / "data.json").write_text("[0.3, -0.2, 1.2]")
    (tmp_path / "run" / "ir.json").unlink()
    with pytest.raises(StoreError, match=r"ir\.json is damaged, and cannot be made again.*Restore it from a copy"):
        resume(tmp_path / "run", ignore)


def test_a_lost_checkpoint_is_refused(run: Path) -> None:
    for path in (run / "state" / "plan.json", spare_of(run / "state" / "plan.json")):
        path.unlink()
    with pytest.raises(StoreError, match=r"plan\.json is missing\. .*restore it from a copy, or begin again"):
        resume(run, ignore)


def test_a_run_of_another_format_is_no_crash(run: Path) -> None:
    path = run / "state" / "plan.json"
    write_sealed(path, {"plan": read_sealed(path)["plan"]})
    with pytest.raises(StoreError, match=r"plan\.json was written by another version: KeyError"):
        resume(run, ignore)


def test_mending_writes_nothing_else(run: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    (run / "explain.txt").unlink()
    mend(read_checkpoint(run), check_agreement(read_checkpoint(run), RunStore.open(run)))
    after = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    assert [p.name for p in before if before[p] != after[p]] == ["explain.txt"]


def test_force_restart_begins_again_beside_it(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    another_seed(run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    (run.parent / "run-restart-1").mkdir()
    assert main(["resume", str(run), "--json"]) == 1
    assert "--force-restart" in capfd.readouterr().err
    assert main(["extend", str(run), "--draws", "1300", "--force-restart", "--json"]) == 0
    out, err = capfd.readouterr()
    beside = run.parent / "run-restart-2"
    assert f"begun again in {beside}" in err
    assert json.loads(out)["directory"] == str(beside)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    tree = RunStore.open(beside).read()
    assert tree.attrs["sampler"]["seed"] == 6
    assert tree["posterior"].sizes["draw"] == 1300


def test_a_model_of_a_module_is_found_again_where_its_code_was(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    code = 'from exmc import Builder, Normal\n\ndef model():\n    return Builder().rv("x", Normal, mu=0.0, sigma=1.0)\n'
    (tmp_path / "source" / "some_model.py").write_text(code)
    path = tmp_path / "source" / "config.yaml"
    path.write_text("model: {from: 'some_model:model'}\nsampler: {draws: 100, warmup: 100, chains: 1, seed: 1}\n")
    run_config(path, out=tmp_path / "run", code=tmp_path / "source")
    start(check_config(restarted(tmp_path / "run")), ignore)
    assert_same_store(tmp_path / "run", tmp_path / "run-restart-1")
    (tmp_path / "run" / "ir.json").unlink()
    resume(tmp_path / "run", ignore)
    assert_same_store(tmp_path / "run", tmp_path / "run-restart-1")


def test_an_extended_run_is_the_longer_run(quick: Path, run: Path, tmp_path: Path) -> None:
    assert extend(run, 2700).failed == {}
    run_config(write_config(tmp_path), out=tmp_path / "whole", overrides=["sampler.draws=2700"])
    assert_same_store(run, tmp_path / "whole")
    text = (tmp_path / "whole" / "config.yaml").read_text()
    assert (run / "config.yaml").read_text() == text.replace(str(tmp_path / "whole"), str(quick))
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert [e["kind"] for e in events].count("started") == 2
    # Extended again to what it is, it is left as it is.
    before = contents(run)
    extend(run, 2700)
    assert contents(run) == before
    with pytest.raises(StoreError, match="a run of 2700 draws cannot be shortened to 1200"):
        extend(run, 1200)


def test_an_unfinished_run_is_extended(tmp_path: Path) -> None:
    run = stopped_run(tmp_path)
    assert main(["extend", str(run), "--draws", "1700", "-q"]) == 0
    run_config(tmp_path / "small.yaml", out=tmp_path / "whole", overrides=["sampler.draws=1700"])
    assert_same_store(run, tmp_path / "whole")


def test_the_config_may_say_the_draws_to_which_the_run_is_extended(run: Path, tmp_path: Path) -> None:
    replaced(run / "config.yaml", "draws: 1200", "draws: 1700")
    extend(run, 1700)
    run_config(write_config(tmp_path), out=tmp_path / "whole", overrides=["sampler.draws=1700"])
    assert_same_store(run, tmp_path / "whole")


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("place", ["mend", "_revive", "follow"])
def test_killed_while_it_is_extended_it_is_resumed(
    place: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run_module, place, killed)
        with pytest.raises(Killed):
            extend(run, 1700)
    resume(run, ignore)
    run_config(write_config(tmp_path), out=tmp_path / "whole", overrides=["sampler.draws=1700"])
    assert_same_store(run, tmp_path / "whole")


def test_a_disk_without_room_is_known_before(run: Path) -> None:
    with pytest.raises(StoreError, match=r"1000000000000 draws in each of 3 chains take .* more; .* are free"):
        extend(run, 10**12)
    assert read_checkpoint(run).plan.options.draws == 1200
