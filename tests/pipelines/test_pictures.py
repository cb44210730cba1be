"""Pictures of run directories: finished, unfinished, damaged, empty, of another version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exmc.trace.sealed import CHECKSUM, spare_of, write_sealed
from exmc.viz.kinds import PLOTS
from pipelines.cli import main
from tests.pipelines.running import stopped_run, write_config

SMALL = (
    "sampler: {draws: 200, warmup: 150, chains: 2, seed: 5}\n"
    "run: {predictive: {prior_draws: 0, posterior: false}}\ncluster: {kind: local, workers: 1}\n"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    config = write_config(folder, SMALL)
    assert main(["run", str(config), "--out", str(folder / "run"), "--quiet"]) in (0, 3)
    return folder / "run"


def test_a_picture_is_written_into_the_run_directory(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(finished), "dist", "--var", "theta[a]", "--var", "mu"]) == 0
    assert (finished / "dist.png").read_bytes().startswith(b"\x89PNG")
    assert "dist.png" in capsys.readouterr().out
    assert main(["summary", str(finished)]) in (0, 3)


def test_or_where_it_is_wanted(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No display, and a back end that wants one.
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert main(["plot", str(finished), "pair", "--most", "2", "--quiet", "--out", str(tmp_path / "p.svg")]) == 0
    assert (tmp_path / "p.svg").exists()


def test_every_kind_is_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(kind in said for kind in PLOTS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tracee"], "Did you mean 'trace'"),
        (["ppc"], "run.predictive.posterior"),
        (["prior-posterior"], "prior_draws"),
        (["trace", "--var", "thetta"], "Did you mean 'theta'"),
        (["trace", "--out", "x.gif"], ".png"),
    ],
)
def test_mistakes_are_one_clear_message(
    finished: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(finished), *arguments]) in (1, 2)
    said = capsys.readouterr().err
    assert expected in said
    assert "Traceback" not in said
    assert said.count("\n") == 1


def test_an_unfinished_run_is_drawn_as_far_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = stopped_run(tmp_path, after=13)
    assert main(["plot", str(directory), "dist", "--var", "mu"]) == 0
    assert "UNFINISHED" in capsys.readouterr().out
    assert main(["plot", str(directory), "ppc"]) == 1
    assert "exmc resume" in capsys.readouterr().err


def test_a_run_without_draws_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(stopped_run(tmp_path, after=1)), "trace"]) == 1
    assert "there is nothing to show" in capsys.readouterr().err


def test_empty_foreign_damaged_and_older_directories_are_refused(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(tmp_path), "trace"]) == 2
    assert "there is no run here" in capsys.readouterr().err
    chunk = next((finished / "run.zarr" / "posterior" / "mu").glob("c.*"))
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-9])
    assert main(["plot", str(finished), "trace"]) == 1
    assert f"{chunk.relative_to(finished)}: the chunk" in capsys.readouterr().err
    chunk.unlink()
    for command in (["plot", str(finished), "trace"], ["report", str(finished)]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert "the chunk is missing" in said
        assert said.count("\n") == 1
    chunk.write_bytes(whole)
    described = finished / "state" / "store.json"
    document = json.loads(described.read_bytes()) | {"format": 1}
    del document[CHECKSUM]
    write_sealed(described, document)
    assert main(["plot", str(finished), "trace"]) == 1
    assert "was written in format 1" in capsys.readouterr().err
    spare_of(described).unlink()
    described.write_bytes(b"{}")
    assert main(["plot", str(finished), "trace"]) == 1
    said = capsys.readouterr().err
    assert "damaged" in said
    assert said.count("\n") == 1
