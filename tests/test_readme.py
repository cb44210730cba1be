"""README is true: its Python runs, its YAML passes `exmc check`, and its commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import xarray

import exmc
from exmc.diagnostics.checks import diagnose
from exmc.ir.operations import FUNCTIONS
from pipelines.cli import main

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of `language` in README, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert found, f"README has no {language} block"
    return found


def table_of(output: str) -> xarray.Dataset:
    """The summary that `exmc run` prints, a variable a column."""
    columns = output.splitlines()[0].split()
    rows = re.findall(r"^(\S.*?)((?:\s+-?[\d.]+){8})$", output, flags=re.MULTILINE)
    values = [[float(value) for value in row.split()] for _, row in rows]
    numbers = {name: ("scalar", list(column)) for name, column in zip(columns, zip(*values, strict=True), strict=True)}
    return xarray.Dataset(numbers, {"scalar": [label for label, _ in rows]})


def test_what_the_first_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But for what another processor rounds otherwise, which are then other draws from the same posterior."""
    assert main(["run", str(ROOT / "configs" / "eight_schools.yaml"), "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    (shown,) = blocks("text")
    here, there = table_of(printed), table_of(shown)
    assert list(here) == list(there)
    assert list(here["scalar"].values) == list(there["scalar"].values)
    error = (here["mcse_mean"] ** 2 + there["mcse_mean"] ** 2) ** 0.5
    assert float((abs(here["mean"] - there["mean"]) / error).max()) < 4.0
    # What follows the table is the same, but for the place.
    assert (
        printed.split("All checks")[1].replace(str(tmp_path / "run"), "runs/eight-schools")
        == shown.split("All checks")[1]
    )


def test_python_runs_as_one_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks build on each other; those that open a run directory find one made by the command above them."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(ROOT / "configs" / "eight_schools.yaml"), "--quiet"]) == 0
    session: dict[str, object] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), session)


def is_config(block: str) -> bool:
    """Whether it is a whole config; the other blocks of YAML are new data for eight schools."""
    return "\nmodel:" in f"\n{block}"


def test_new_data_are_predicted_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(ROOT / "configs" / "eight_schools.yaml"), "--quiet"]) == 0
    documents = [block for block in blocks("yaml") if not is_config(block)]
    assert documents
    for number, block in enumerate(documents):
        (tmp_path / "new.yaml").write_text(block, encoding="utf-8")
        assert main(["predict", "runs/eight-schools", "--data", "new.yaml", "--name", f"new-{number}"]) == 0


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if is_config(block)])
def test_yaml_is_a_valid_config(block: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "readme.yaml"
    config.write_text(block, encoding="utf-8")
    assert main(["check", str(config)]) == 0, capsys.readouterr().err


def test_every_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    known = set()
    for line in "\n".join(blocks("console")).splitlines():
        match = re.match(r"\$ (?:scripts/)?exmc (\w+)", line)
        if match:
            known.add(match[1])
    assert known, "README shows no command"
    for command in sorted(known):
        assert main([command, "--help"]) == 0, command
    capsys.readouterr()


def shown_by() -> dict[str, list[str]]:
    """The table of what others do not do: its commands, by their first words."""
    section = TEXT[TEXT.index("## What it does that others") : TEXT.index("## A model in YAML")]
    commands = [shlex.split(command) for command in re.findall(r"\| `([^`]+)` \|$", section, flags=re.M)]
    return {" ".join(words[:2]) if words[0].endswith("exmc") else words[0]: words for words in commands}


@pytest.mark.slow
def test_each_line_of_the_table_is_shown_by_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the cluster (tests/pipelines/test_watch.py), of chaos and of calibration have tests of their own."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    commands = {words.removeprefix("scripts/exmc "): line[1:] for words, line in shown_by().items()}
    apart = {"watch", "scripts/chaos", "sbc"}
    assert commands.keys() == {"extend", "resume", "run", "explain", "report"} | apart
    run, mean = Path("runs/eight-schools"), "posterior/mu/c.0.0"
    assert main(["run", "configs/eight_schools.yaml", "--quiet"]) == 0
    before = xarray.open_datatree(run / "run.zarr", engine="zarr")["posterior"]["theta"].load()
    chunk = (run / "run.zarr" / mean).read_bytes()
    (run / "run.zarr" / mean).write_bytes(bytes([chunk[0] ^ 1]) + chunk[1:])
    assert main([*commands["resume"], "--quiet"]) == 0
    assert (run / "run.zarr" / mean).read_bytes() == chunk
    assert main([*commands["extend"], "--quiet"]) == 0
    longer = xarray.open_datatree(run / "run.zarr", engine="zarr")["posterior"]["theta"]
    assert longer.sizes["draw"] == 1500
    xarray.testing.assert_equal(longer.isel(draw=slice(0, 1000)).load(), before)
    assert main([*commands["run"], "--quiet"]) == 0
    assert diagnose(xarray.open_datatree("runs/until/run.zarr", engine="zarr")).summary["ess_bulk"].min() >= 4000
    capsys.readouterr()
    assert main(commands["explain"]) == 0
    assert "non-centred" in capsys.readouterr().out
    assert main(commands["report"]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.index("All checks passed") < page.index("Estimates</h2>") < page.index("exmc run ")


@pytest.mark.slow
def test_a_config_is_calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    command = shown_by()["scripts/exmc sbc"][1:]
    assert main([*command[:-1], "20", "--quiet"]) == 0


@pytest.mark.slow
def test_kills_change_no_byte(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.chaos.campaign", *shown_by()["scripts/chaos"][1:-1], "2"]
    # It takes 500 s alone on two cores; the limit is for what hangs.
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=1800)
    assert done.returncode == 0


def test_every_distribution_is_listed_with_its_parameters() -> None:
    listed = dict(
        re.findall(r"\b(\w+)\(([\w, ]*)\)", " ".join(TEXT[TEXT.index("Distributions of numbers:") :].split()))
    )
    for name, distribution in exmc.DISTRIBUTIONS.items():
        if not distribution.open:
            assert listed[name] == ", ".join(p.name for p in distribution.parameters), name


def test_every_function_is_listed() -> None:
    operators = {"index", "add", "subtract", "multiply", "divide", "floor_divide", "mod", "power", "negative"}
    operators |= {n for n in FUNCTIONS if n.startswith(("less", "greater", "equal", "not_equal", "logical"))}
    section = TEXT[TEXT.index("## Functions, lengths") : TEXT.index("## The same in Python")]
    listed = set(re.findall(r"\w+", re.sub(r"^```.*?^```", "", section, flags=re.M | re.S)))
    assert FUNCTIONS.keys() - operators <= listed


def test_every_path_exists() -> None:
    for path in set(re.findall(r"\b(?:configs|scripts)/[\w./-]+\w", TEXT)):
        assert (ROOT / path).exists(), path
