"""Pictures of run directories, finished and unfinished; for those that cannot be read see `test_unreadable`."""

from __future__ import annotations

from pathlib import Path

import pytest

from exmc.viz.kinds import PLOTS
from pipelines.cli import main
from tests.pipelines.running import finished_run, stopped_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("finished"))


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
