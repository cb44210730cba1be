"""A run whose model has no machine code goes on, says so at the line of the config that it comes from, and keeps it."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.extend import defvjp, primitive

from exmc.compile.program import compile_model
from exmc.ir.operations import OPERATIONS
from pipelines import stages
from pipelines.cli import main
from pipelines.events import Event
from pipelines.run import run_config

CONFIG = """\
model:
  variables:
    mu: {dist: Normal, mu: 0, sigma: 1}
    bent: {expr: bend(mu)}
    y: {dist: Normal, mu: MEAN, sigma: 1, observed: [0.1, 0.4]}
sampler: {draws: 20, warmup: 20, chains: 1, seed: 1}
"""


@primitive
def bend(x):
    """A function that autograd knows, and that has no machine code."""
    return np.tanh(x)


defvjp(bend, lambda ans, x: lambda g: g * (1.0 - anp.tanh(x) ** 2))


@pytest.fixture
def _bend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "bend", replace(OPERATIONS["exp"], evaluate=bend))


def run(folder: Path, mean: str) -> tuple[list[str], list[str]]:
    """The notes that a run tells, and those that its result holds; the events are in its directory as they are told."""
    path, told = folder / "bent.yaml", list[Event]()
    path.write_text(CONFIG.replace("MEAN", mean))
    tree = run_config(path, out=folder / "run", on_event=told.append)
    notes = [event.message for event in told if event.kind == "note"]
    logged = [json.loads(line) for line in (folder / "run" / "events.jsonl").read_text().splitlines()]
    assert [event["message"] for event in logged if event["kind"] == "note"] == notes
    return notes, tree.attrs["notes"]


def test_missing_values_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, told = tmp_path / "gaps.yaml", list[Event]()
    path.write_text(CONFIG.replace("MEAN", "mu").replace("    bent: {expr: bend(mu)}\n", "").replace("0.1,", "null,"))
    expected = "gaps.yaml:4: model.variables.y.observed: 1 of 2 values are missing: 1 are sampled, as 'y_missing'."
    assert main(["check", str(path)]) == 0
    assert expected in capsys.readouterr().out.replace("\n", "")
    tree = run_config(path, out=tmp_path / "run", on_event=told.append)
    assert [event.message.endswith(expected) for event in told if event.kind == "note"] == [True]
    assert tree.attrs["notes"] == [expected.removeprefix("gaps.yaml:4: model.")]
    assert tree["posterior"]["y_missing"].coords["y_missing_entry"].values.tolist() == [0]


def test_variables_that_are_summed_out_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, told = tmp_path / "two.yaml", list[Event]()
    discrete = "    z: {dist: Bernoulli, p: 0.3, shape: 2}\n"
    path.write_text(CONFIG.replace("    bent: {expr: bend(mu)}\n", discrete).replace("MEAN", "mu * z"))
    expected = "two.yaml:4: model.variables.z: it is discrete, and summed out: results hold the probabilities"
    assert main(["check", str(path)]) == 0
    assert expected in capsys.readouterr().out.replace("\n", " ")
    run_config(path, out=tmp_path / "run", on_event=told.append)
    assert [expected in event.message for event in told if event.kind == "note"] == [True]


@pytest.mark.usefixtures("_bend")
def test_each_part_without_machine_code_is_noted_with_its_line(tmp_path: Path) -> None:
    told, kept = run(tmp_path, "bent")
    assert [note.split(": ", 3)[2].split(" ")[:2] for note in told] == [
        ["The", "log"],
        ["Posterior", "values"],
        ["Pointwise", "log"],
    ]
    for note in told:
        assert "bent.yaml:4: model.variables.bent: " in note
        assert "bend has no machine code" in note
    assert len(kept) == 3
    assert all(note.startswith("variables.bent: ") for note in kept)


@pytest.mark.usefixtures("_bend")
def test_a_density_stays_fast_where_only_an_output_is_slow(tmp_path: Path) -> None:
    told, _ = run(tmp_path, "mu")
    assert [" ".join(note.split(": ")[2].split()[:2]) for note in told] == ["Posterior values"]


@pytest.mark.usefixtures("_bend")
def test_a_model_that_would_take_too_long_to_compile_runs_by_autograd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "compile_model", functools.partial(compile_model, most=20))
    told, kept = run(tmp_path, "sin(mu)")
    assert "more than 20 operations" in told[0]
    assert "more than 20 operations" in kept[0]


def test_nothing_is_noted_of_a_model_that_compiles(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(CONFIG.replace("    bent: {expr: bend(mu)}\n", "").replace("MEAN", "mu"))
    assert run_config(path, out=tmp_path / "run").attrs["notes"] == []
