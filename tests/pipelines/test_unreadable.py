"""Run directories that another version wrote, or that are damaged: whatever shows them says so once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from exmc.trace.sealed import read_sealed, spare_of, write_sealed
from pipelines import page_process
from pipelines.cli import main
from tests.pipelines.running import finished_run

SHOWN: tuple[tuple[str, ...], ...] = (("summary",), ("report",), ("plot", "trace"))
WATCHED: tuple[tuple[str, ...], ...] = (("watch",), ("watch", "--once"), ("watch", "--live"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def other_format(run: Path) -> None:
    path = run / "state" / "store.json"
    write_sealed(path, read_sealed(path) | {"format": 1})


def other_schema(run: Path) -> None:
    path = run / "state" / "store.json"
    write_sealed(path, read_sealed(path) | {"schema": {"tables": []}})


def other_plan(run: Path) -> None:
    path = run / "state" / "plan.json"
    document = read_sealed(path)
    write_sealed(path, document | {"plan": document["plan"] | {"retries_of_a_later_version": 3}})


def torn_description(run: Path) -> None:
    path = run / "state" / "store.json"
    spare_of(path).unlink()
    path.write_bytes(path.read_bytes()[:100])


def torn_plan(run: Path) -> None:
    path = run / "state" / "plan.json"
    spare_of(path).unlink()
    path.write_bytes(path.read_bytes()[:100])


def foreign_root(run: Path) -> None:
    (run / "run.zarr" / "zarr.json").write_bytes(b"{}")


def torn_chunk(run: Path) -> None:
    chunk = next((run / "run.zarr" / "posterior" / "mu").glob("c.*"))
    chunk.write_bytes(chunk.read_bytes()[:-9])


def lost_chunk(run: Path) -> None:
    next((run / "run.zarr" / "posterior" / "mu").glob("c.*")).unlink()


def refusals() -> list[object]:
    """A change, a command, and what that says of it; what is quiet says nothing of the events of the run."""
    table: list[tuple[Callable[[Path], None], tuple[tuple[str, ...], ...], str]] = [
        (other_format, (*SHOWN, *WATCHED), "was written in format 1; this version reads 2. Use the version"),
        (other_schema, (*SHOWN, *WATCHED), "state/store.json is damaged: the schema of this run is damaged"),
        (other_plan, WATCHED, "state/plan.json was written by another version"),
        (torn_description, (*SHOWN, *WATCHED), "state/store.json is damaged"),
        (torn_plan, WATCHED, "state/plan.json is damaged"),
        (foreign_root, (*SHOWN, ("watch", "--live", "--quiet")), "run.zarr/zarr.json: its metadata are damaged"),
        (torn_chunk, (*SHOWN, ("watch", "--live", "--quiet")), "run.zarr/posterior/mu/c.0.0: the chunk has"),
        (lost_chunk, (*SHOWN, ("watch", "--live", "--quiet")), "the chunk is missing"),
    ]
    return [
        pytest.param(change, command, said, id=f"{change.__name__} {' '.join(command)}")
        for change, commands, said in table
        for command in commands
    ]


@pytest.mark.parametrize(("change", "command", "expected"), refusals())
def test_what_cannot_be_shown_is_one_message(
    change: Callable[[Path], None],
    command: tuple[str, ...],
    expected: str,
    run: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    change(run)
    assert main([command[0], str(run), *command[1:]]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1
    assert ".." not in err


@pytest.mark.parametrize("command", [*SHOWN, *WATCHED], ids=" ".join)
def test_an_empty_directory_holds_no_run(
    command: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([command[0], str(tmp_path), *command[1:]]) == 2
    err = capfd.readouterr().err
    assert "there is no run here" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("change", [other_plan, torn_plan], ids=lambda change: str(change.__name__))
@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_results_are_shown_without_the_checkpoint(
    change: Callable[[Path], None], command: tuple[str, ...], run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change(run)
    assert main([command[0], str(run), *command[1:]]) in (0, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_results_are_shown_without_the_records_of_how_they_were_drawn(
    command: tuple[str, ...], run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for record in run.glob("state/chain-*/segment-*"):
        record.write_bytes(b"{}")
    assert main([command[0], str(run), *command[1:]]) in (0, 3)
    assert capfd.readouterr().err == ""


def test_a_page_that_cannot_be_served_does_not_stay(
    run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page_process, "_PROGRAM", "print('error no port is free.')")
    assert main(["watch", str(run), "--live", "--quiet"]) in (0, 3)
    assert capfd.readouterr().err == "exmc: there is no live page: no port is free.\n"
