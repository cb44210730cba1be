"""`exmc predict`: new data are treated as the run's were, results lie beside it, and every mistake is one message."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from exmc.ir import serial
from exmc.prediction import predict
from exmc.trace.store import RunStore
from pipelines import predict as module
from pipelines.cli import main
from pipelines.plan import CONFIG, MODEL

CONFIG_TEXT = """\
name: weights
model:
  data:
    weight: {path: people.csv, column: kg, dims: person}
    height: {path: people.csv, column: cm, center: true, scale: true, dims: person}
    of:     {path: people.csv, column: sex, factor: sex, dims: person}
  variables:
    alpha: {dist: Normal, mu: 70, sigma: 20, dims: sex}
    beta:  {dist: Normal, mu: 0, sigma: 10}
    sigma: {dist: HalfNormal, sigma: 10}
    mean:  {expr: "alpha[of] + beta * height"}
    y:     {dist: Normal, mu: mean, sigma: sigma, observed: weight}
sampler: {draws: 60, warmup: 150, chains: 2, seed: 1}
"""
PEOPLE = "kg,cm,sex\n62.5,165,f\n71,180,m\n80.2,183,m\n58.9,159,f\n77.1,177,m\n"
CENTER = np.mean([165, 180, 183, 159, 177])
SCALE = np.std([165, 180, 183, 159, 177], ddof=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "c.yaml").write_text(CONFIG_TEXT)
    assert main(["run", str(folder / "c.yaml"), "--out", str(folder / "out"), "--quiet"]) in (0, 3)
    return folder / "out"


def opened(path: Path) -> xr.DataTree:
    return xr.open_datatree(path, engine="zarr").load()


def asked(finished: Path, tmp_path: Path, text: str, *options: str, name: str = "new.yaml") -> xr.DataTree:
    (tmp_path / name).write_text(text)
    out = tmp_path / f"{name}.zarr"
    assert main(["predict", str(finished), "--data", str(tmp_path / name), "--out", str(out), "--quiet", *options]) == 0
    return opened(out)


NEW_YAML = "data:\n  height: [170, 190]\n  of: [m, f]\n"


def test_new_data_are_treated_as_the_run_s(finished: Path, tmp_path: Path) -> None:
    found = asked(finished, tmp_path, NEW_YAML)
    data = found["predictions_constant_data"]
    np.testing.assert_allclose(data["height"], (np.array([170, 190]) - CENTER) / SCALE)
    assert data["of"].values.tolist() == [1, 0]
    posterior = opened(finished / "run.zarr")["posterior"]
    alpha = posterior["alpha"].sel(sex=["m", "f"]).values
    np.testing.assert_allclose(
        found["predictions"]["mean"], alpha + posterior["beta"].values[..., None] * data["height"].values
    )
    assert found["predictions"]["y"].dims == ("chain", "draw", "person")
    assert "log_likelihood" not in found.children


def test_a_table_says_what_a_document_says(finished: Path, tmp_path: Path) -> None:
    document = asked(finished, tmp_path, NEW_YAML)
    table = asked(finished, tmp_path, "cm,sex,other\n170,m,x\n190,f,y\n", name="new.csv")
    frame = pd.DataFrame({"cm": [170.0, 190.0], "sex": ["m", "f"]})
    frame.to_parquet(tmp_path / "new.parquet")
    out = tmp_path / "parquet.zarr"
    assert main(["predict", str(finished), "--data", str(tmp_path / "new.parquet"), "--out", str(out), "-q"]) == 0
    for other in (table, opened(out)):
        for group in document.children:
            xr.testing.assert_equal(document[group].to_dataset(), other[group].to_dataset())


def test_a_column_named_like_a_dim_labels_it(finished: Path, tmp_path: Path) -> None:
    found = asked(finished, tmp_path, "person,cm,sex\nanna,170,f\nben,190,m\n", name="new.csv")
    assert found["predictions"]["y"]["person"].values.tolist() == ["anna", "ben"]


def test_new_levels_come_after_the_run_s_and_values_seen_are_scored(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.csv"
    path.write_text("kg,cm,sex\n65,170,a\n90,190,m\n")
    status = main(["predict", str(finished), "--data", str(path), "--out", str(tmp_path / "p.zarr")])
    printed = capsys.readouterr().out
    assert status == 0
    assert "New along 'sex': a. There, alpha is drawn from the prior" in printed
    found = opened(tmp_path / "p.zarr")
    assert found["predictions_constant_data"]["of"].values.tolist() == [2, 1]
    np.testing.assert_array_equal(found["observed_data"]["y"], [65.0, 90.0])
    density = found["log_likelihood"]["y"].values.reshape(-1, 2)
    elpd = np.log(np.mean(np.exp(density), axis=0)).sum()
    assert f"elpd of the new values: {elpd:.2f}" in printed
    assert list(found.attrs["notes"]) == printed.splitlines()[:1]


def test_python_predicts_the_same(finished: Path, tmp_path: Path) -> None:
    source = serial.loads((finished / MODEL).read_text())
    tree = predict(finished, source, {"height": (np.array([170, 190]) - CENTER) / SCALE, "of": [1, 0]})
    found = asked(finished, tmp_path, NEW_YAML)
    xr.testing.assert_equal(tree["predictions"].to_dataset(), found["predictions"].to_dataset())


def test_parts_do_not_matter(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = asked(finished, tmp_path, NEW_YAML)
    monkeypatch.setattr("exmc.prediction._ELEMENTS_AT_ONCE", 70)
    parts = asked(finished, tmp_path, NEW_YAML, name="again.yaml")
    xr.testing.assert_equal(whole["predictions"].to_dataset(), parts["predictions"].to_dataset())
    assert len(list((tmp_path / "again.yaml.zarr/predictions/y").glob("c.*"))) > 2


def test_options_and_output(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.yaml"
    path.write_text("data:\n  height: [" + ", ".join(["170"] * 50) + "]\n  of: [" + ", ".join(["f"] * 50) + "]\n")
    base = ["predict", str(finished), "--data", str(path)]
    assert main([*base, "--json", "--vars", "y,beta", "--seed", "5"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["store"] == str(finished / "predictions.zarr")
    assert document["entries"] == 51
    assert [row["scalar"] for row in document["predictions"][:2]] == ["beta", "y[0]"]
    found = opened(finished / "predictions.zarr")
    assert found.attrs["seed"] == 5
    assert set(found["predictions"].data_vars) == {"y", "beta"}
    run = opened(finished / "run.zarr")
    np.testing.assert_array_equal(found["predictions"]["beta"], run["posterior"]["beta"])
    # Nothing is overwritten, and the run is what it was.
    assert main(base) == 1
    assert "predictions.zarr: something is there already. Choose another with --name" in capsys.readouterr().err
    assert main([*base, "--name", "other"]) == 0
    assert "… and 60 more" in capsys.readouterr().out
    assert (finished / "other.zarr").is_dir()
    assert RunStore.open(finished).sound


def test_an_unfinished_run_is_predicted_from_only_if_asked(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    store = RunStore.open(run).reopen()
    (tmp_path / "new.yaml").write_text(NEW_YAML)
    base = ["predict", str(run), "--data", str(tmp_path / "new.yaml"), "--out", str(tmp_path / "p.zarr")]
    assert main(base) == 1
    message = capsys.readouterr().err
    assert "UNFINISHED: 60 of 60 draws" in message
    assert "--unfinished" in message
    assert main([*base, "--unfinished"]) == 0
    assert "UNFINISHED: " in capsys.readouterr().out
    whole = asked(finished, tmp_path, NEW_YAML, name="whole.yaml")
    xr.testing.assert_equal(opened(tmp_path / "p.zarr")["predictions"].to_dataset(), whole["predictions"].to_dataset())
    for chain in range(2):
        for record in store.committed(chain):
            store.journal.set_aside(chain, record.segment)
    assert main([*base[:-1], str(tmp_path / "q.zarr"), "--unfinished"]) == 1
    assert "no draws yet" in capsys.readouterr().err


def test_what_fails_leaves_nothing(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "new.yaml").write_text(NEW_YAML)
    base = ["predict", str(finished), "--data", str(tmp_path / "new.yaml"), "--out", str(tmp_path / "p.zarr")]
    monkeypatch.setattr(module.Tally, "add", fail)
    assert main(base) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["new.yaml"]


@dataclass(frozen=True)
class Bad:
    """One mistake: the file with new data, further options, and what the message must hold."""

    text: str
    expected: tuple[str, ...]
    name: str = "new.yaml"
    options: tuple[str, ...] = ()
    status: int = 2


def yaml(text: str, *expected: str) -> Bad:
    return Bad(text, expected)


def csv(text: str, *expected: str) -> Bad:
    return Bad(text, expected, "new.csv")


def option(*options: str, expected: tuple[str, ...], status: int = 2) -> Bad:
    return Bad(NEW_YAML, expected, "new.yaml", options, status)


BAD = {
    "an empty file": yaml("", "new.yaml: the file is empty"),
    "no YAML": yaml("data: [", "new.yaml:"),
    "unknown section": yaml("dta: {height: [1]}", "new.yaml:1: dta: unknown key", "'data'"),
    "data without the section": yaml("height: [1]", ":1: height: unknown key", "Write it under data."),
    "unknown data": yaml("data:\n  heigth: [1]\n", ":2: data.heigth: unknown key", "Did you mean 'height'"),
    "no mapping": yaml("data: [1]", ":1: data:", "is not a mapping"),
    "a gap": yaml("data:\n  height: [1, null]\n  of: [m, f]\n", ":2: data.height: the value at [1] is missing"),
    "text": yaml("data:\n  height: [1, x]\n  of: [m, f]\n", ":2: data.height.values: 'x' at [1] is not a number"),
    "its own centre": yaml("data:\n  height: {values: [1], center: true}\n", ":2: data.height.center", "Leave it out"),
    "a factor of none": yaml("data:\n  weight: {values: [a], factor: sex}\n", "data.weight.factor", "not in the run"),
    "another factor": yaml("data:\n  of: {values: [a], factor: other}\n", "data.of.factor", "is 'sex' in the run"),
    "other rows": yaml("data:\n  height: [1, 2]\n", "data.of: it lies along 'person'", "Give it for the new entries"),
    "too few": yaml("data:\n  height: [1, 2]\n  of: [m]\n", ":3: data.of", "along dim 'person'"),
    "another rank": yaml("data:\n  height: [[1], [2]]\n  of: [m, f]\n", ":2: data.height", "2 axes|have shape (2, 1)"),
    "other dims": yaml("data:\n  height: {values: [1], dims: day}\n  of: [m]\n", "the dims are ['day']"),
    "a label that is none": yaml(
        "data:\n  height: [1]\n  of: [mm]\ncoords: {sex: [m, f]}\n", ":3: data.of.factor: 'mm' is no label"
    ),
    "labels of another kind": yaml("data:\n  height: [1]\n  of: [3]\n", "data.of.factor", "mix texts with numbers"),
    "coords of no dim": yaml(NEW_YAML + "coords: {sx: [a]}\n", ":4: coords.sx: the model has no dim", "'sex'"),
    "coords that are none": yaml(NEW_YAML + "coords: {sex: a}\n", ":4: coords.sex: 'a' is not a list"),
    "a missing file": yaml("data:\n  height: {path: no.csv, column: cm}\n", ":2: data.height.path", "no file 'no.csv'"),
    "moved codes": yaml("coords: {sex: [m, f]}\n", "data.of: it holds places along 'sex'"),
    "no column of the run": csv("a,b\n1,2\n", "none of its columns (a, b)", "The run's: kg, cm, sex."),
    "a bad cell": csv("cm,sex\n1,m\nx,f\n", "line 3", "'x' is not a number"),
    "a forgotten column": csv("cm\n1\n", "data.of: it lies along 'person'"),
    "no rows": csv("cm,sex\n", "a header but no rows"),
    "an unknown kind": Bad("x", ("of no known kind (.docx)",), "new.docx"),
    "an unknown variable": option("--vars", "yy", expected=("--vars: the model has no variable 'yy'",)),
    "two places": option("--name", "a", "--out", "b", expected=("exclude each other",)),
    "a name that is none": option("--name", "a/b", expected=("'a/b' is not a name",)),
    "the run's own store": option("--name", "run", expected=("something is there already",), status=1),
    "a seed that is none": option("--seed", "-1", expected=("--seed",)),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_message(
    case: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = BAD[case]
    path = tmp_path / bad.name
    path.write_text(bad.text)
    place = () if "--name" in bad.options else ("--out", str(tmp_path / "p.zarr"))
    status = main(["predict", str(finished), "--data", str(path), *place, *bad.options])
    message = capsys.readouterr().err
    assert status == bad.status, message
    for part in bad.expected:
        assert any(option in message for option in part.split("|")), message
    assert "Traceback" not in message
    assert "internal error" not in message
    assert [p.name for p in tmp_path.iterdir()] == [bad.name]


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no run": (lambda run: (run / "state").unlink(), "there is no run here"),
    "no model": (lambda run: (run / MODEL).unlink(), "ir.json cannot be read"),
    "another model": (lambda run: (run / MODEL).write_text("{}"), "ir.json cannot be read"),
    "no config": (lambda run: (run / CONFIG).unlink(), "there is no such file"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_run(case: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage, expected = DAMAGE[case]
    run = tmp_path / "run"
    run.mkdir()
    for part in ("state", "run.zarr"):
        (run / part).symlink_to(finished / part)
    for part in (MODEL, CONFIG):
        (run / part).write_bytes((finished / part).read_bytes())
    damage(run)
    (tmp_path / "new.yaml").write_text(NEW_YAML)
    assert main(["predict", str(run), "--data", str(tmp_path / "new.yaml")]) in (1, 2)
    message = capsys.readouterr().err
    assert expected in message
    assert "internal error" not in message
