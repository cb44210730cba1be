"""The command line prints what it promises, where it promises, with the right exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import exmc
from exmc.trace import store
from pipelines import cli, run
from pipelines.cli import main
from tests.pipelines.running import EXMC, write_config

# Wide thresholds are not at stake here: the model is Gaussian, with more than enough draws to pass every check.
GOOD = "sampler: {draws: 1200, warmup: 700, chains: 4, seed: 5}\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert main(["run", str(write_config(folder, GOOD)), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, GOOD)
    return tmp_path


def test_run_says_what_it_does_and_how_to_go_on(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "small.yaml"]) == 0
    captured = capfd.readouterr()
    progress = captured.err.splitlines()
    stages = [line.split()[1] for line in progress if line.endswith(" s")]
    assert stages == ["build", "rewrite", "compile", "warm-up", "sampling", "diagnosis"]
    assert sum("1200/1200 draws, 0 divergences, step size" in line for line in progress) == 4
    assert "theta[a]" in captured.out
    assert "r_hat" in captured.out
    assert "All checks passed." in captured.out
    python = captured.out[captured.out.index("import xarray") :]
    assert python.splitlines()[1].strip() == 'trace = xarray.open_datatree("runs/small/run.zarr", engine="zarr")'
    session: dict[str, Any] = {}
    exec("\n".join(line.strip() for line in python.splitlines()), session)
    assert session["trace"]["posterior"].sizes["draw"] == 1200


def test_quiet_is_silent(finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_config(tmp_path, GOOD)
    assert main(["run", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "run"), "-q"]) == 0
    assert capfd.readouterr() == ("", "")


def test_json_is_all_of_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_config(tmp_path, GOOD)
    assert main(["run", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "run"), "--json"]) == 0
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert err == ""
    assert found["passed"] is True
    assert found["failed_chains"] == {}
    assert Path(found["store"]) == tmp_path / "run" / "run.zarr"
    assert [row["scalar"] for row in found["summary"]] == ["mu", "theta[a]", "theta[b]", "theta[c]"]


def test_doubtful_draws_are_status_3(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "small.yaml", "--set", "sampler.draws=20", "--set", "sampler.warmup=10", "-q"]) == 3
    out, _ = capfd.readouterr()
    assert "ess_bulk per chain (threshold 100)" in out
    assert "Draw more" in out


def test_summary_judges_a_run(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(finished)]) == 0
    assert "All checks passed." in capsys.readouterr().out
    assert main(["summary", str(finished), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


def test_resume_of_a_finished_run_shows_it_again(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(finished)]) == 0
    out, err = capsys.readouterr()
    assert "All checks passed." in out
    assert err == "small: there was nothing to do: the run is finished, and every byte is as it was written\n"


def test_resume_on_no_address_is_misuse(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(finished), "--scheduler", "foo bar"]) == 2
    assert capsys.readouterr().err.startswith("--scheduler: cluster.address: 'foo bar' is no address")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"exmc {exmc.__version__}\n", "")


def test_the_command_line_is_a_module_too() -> None:
    """Where there is no script: it must not end in silence, as if all were done."""
    command = [sys.executable, "-m", "pipelines.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"exmc {exmc.__version__}\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("arguments", ["--help", "--version", "check small.yaml", "explain small.yaml"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_cannot_be_written_is_one_message(arguments: str, unbuffered: str, folder: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            [*EXMC, *arguments.split()], stdout=full, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment,
            check=False,
        )  # fmt: skip
    assert found.returncode == 1
    assert found.stderr == "exmc: the output cannot be written: No space left on device.\n"


def test_compare_ranks_runs(finished: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    override = "model.variables.theta.sigma=5.0"
    assert main(["run", "small.yaml", "--set", override, "--out", "wide", "-q"]) in (0, 3)
    assert main(["compare", str(finished), "wide"]) == 0
    out = capsys.readouterr().out
    assert "elpd" in out
    assert "wide" in out
    assert main(["compare", str(finished), "wide", "--json"]) == 0
    by_loo = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in by_loo] == [str(finished), "wide"]
    assert main(["compare", str(finished), "wide", "--json", "--method", "waic"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["elpd"] > by_loo[0]["elpd"]
    assert main(["compare", str(finished), "wide", "--method", "wiac"]) == 2
    assert "Did you mean 'waic'?" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.7])
def test_control_c_before_anything_is_drawn_is_no_traceback(seconds: float, folder: Path) -> None:
    # What Python itself makes of Ctrl-C before it has come to the command is not ours.
    ready = "import sys; from pipelines.cli import main; print(file=sys.stderr, flush=True); sys.exit(main())"
    command = [sys.executable, "-c", ready, "run", "small.yaml", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.parametrize("stage", ["follow", "connect"])
def test_control_c_says_how_to_go_on_where_there_is_a_run(
    stage: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, stage, interrupted)
    assert main(["run", "small.yaml", "--quiet"]) == 130
    going_on = " Go on with: exmc resume runs/small" if stage == "follow" else ""
    assert capfd.readouterr() == ("", f"exmc: stopped.{going_on}\n")


def test_files_that_cannot_be_read_are_no_defect(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(directory: str) -> Any:
        raise PermissionError(13, "Permission denied", f"{directory}/state/store.json")

    monkeypatch.setattr(store.RunStore, "open", refuse)
    assert main(["summary", str(finished)]) == 1
    assert capfd.readouterr() == ("", f"exmc: Permission denied: {finished}/state/store.json.\n")


def test_nobody_is_told_to_delete_or_resume_a_folder_of_other_files(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine" / "state").mkdir(parents=True)
    (folder / "mine" / "state" / "notes.txt").write_text("precious")
    for arguments in (["summary", "mine"], ["resume", "mine"], ["run", "small.yaml", "--out", "mine"]):
        assert main(arguments) in (1, 2)
        err = capfd.readouterr().err
        assert err.count("\n") == 1
        assert "delete" not in err
        assert "another run" not in err


def test_check_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "small.yaml"]) == 0
    said = capsys.readouterr().out
    assert "4 free parameters in 2 variables; observed: y" in said
    assert re.search(r"chains of \d+ \+ \d+ draws, to", said)
    method = "sampler={method: laplace, draws: 70, chains: 3}"
    assert main(["check", "small.yaml", "--set", method]) == 0
    assert "3 chains of 70 draws by laplace, to" in capsys.readouterr().out
    assert [p.name for p in folder.iterdir()] == ["small.yaml"]


def test_explain_tells_what_was_rewritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "small.yaml"]) == 0
    out = capsys.readouterr().out
    assert "theta[group] ~ Normal(mu=mu, sigma=0.5)" in out
    assert "Model after rewriting" in out
    assert main(["explain", "small.yaml", "--mermaid"]) == 0
    assert capsys.readouterr().out.startswith("flowchart TD\n")


@pytest.mark.parametrize("command", ["run", "resume", "check", "explain", "summary", "compare"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert "Usage: exmc" in capsys.readouterr().out


def test_internal_errors_are_short_and_keep_their_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(run, "follow", broken)
    assert main(["run", "small.yaml"]) == 1
    _, err = capfd.readouterr()
    assert "internal error: ZeroDivisionError" in err
    assert "Traceback" not in err
    assert "runs/small/traceback.txt" in err
    assert "in broken" in (folder / "runs/small/traceback.txt").read_text()
    assert main(["run", "small.yaml", "--out", "other", "--debug"]) == 1
    assert "Traceback" in capfd.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    command = " ".join(f"'{part}'" for part in EXMC) + " explain small.yaml | true; echo ${PIPESTATUS[0]}"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=folder)
    assert found.stderr == ""
    assert found.stdout.strip() == "0"


def test_help_needs_no_heavy_imports() -> None:
    """Answers about a command or a config come at once: nothing that samples or stores is imported for them."""
    program = (
        "import sys; from pipelines.cli import main; main(['--help']); main(['run', 'missing.yaml']);"
        "print([m for m in ('numba', 'xarray', 'zarr', 'distributed', 'arviz_stats', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_statuses_are_those_documented() -> None:
    assert (cli.PASSED, cli.FAILED, cli.MISUSED, cli.DOUBTFUL, cli.INTERRUPTED) == (0, 1, 2, 3, 130)
