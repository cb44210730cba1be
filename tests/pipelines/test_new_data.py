"""New data are read as a config's data are, by the columns and the treatment that the run's had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exmc.ir.builder import Builder
from exmc.ir.model import Model
from pipelines.new_data import NewData, read_new_data
from pipelines.places import LocatedError


def model() -> Model:
    return (
        Builder()
        .coords(sex=["f", "m"], side=["l", "r"])
        .data("both", np.zeros((3, 2)), dims=["row", "side"])
        .data("of", [0, 1, 1], dims="row")
        .data("plain", [1.0, 2.0, 3.0], dims="row")
        .rv("a", "Normal", mu=0, sigma=1)
        .det("m", "a + sum(both, axis=1) + of + plain")
        .build()
    )


RECORDED: dict[str, dict[str, Any]] = {
    "both": {"path": "/old.csv", "column": ["u", "v"], "center": [1.0, 2.0], "scale": [2.0, 4.0], "sha256": "0"},
    "of": {"path": "/old.csv", "column": "kind", "factor": "sex"},
}


def read(folder: Path, name: str, text: str, recorded: dict[str, dict[str, Any]] | None = None) -> NewData:
    path = folder / name
    path.write_text(text)
    return read_new_data(str(path), model(), RECORDED if recorded is None else recorded)


def test_columns_side_by_side_are_treated_one_by_one(tmp_path: Path) -> None:
    found = read(tmp_path, "n.csv", "row,kind,u,v,plain\np,m,3,2,9\nq,f,1,10,8\n")
    np.testing.assert_array_equal(found.data["both"].values, [[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(found.data["of"].values, [1, 0])
    # Data that came from no column are those of their own name.
    np.testing.assert_array_equal(found.data["plain"].values, [9, 8])
    assert found.coords == {"row": ("p", "q"), "sex": ("f", "m")}


def test_an_imported_model_s_data_go_by_their_names(tmp_path: Path) -> None:
    found = read(tmp_path, "n.csv", "of,kind\n1,m\n0,f\n", {})
    assert list(found.data) == ["of"]
    np.testing.assert_array_equal(found.data["of"].values, [1, 0])


def test_levels_may_be_given_in_another_order(tmp_path: Path) -> None:
    found = read(tmp_path, "n.yaml", "coords: {sex: [x, m, f]}\ndata: {of: [f, x]}\n")
    np.testing.assert_array_equal(found.data["of"].values, [2, 0])
    assert found.coords["sex"] == ("x", "m", "f")
    grown = read(tmp_path, "n.yaml", "data: {of: [z, a, f]}\n")
    assert grown.coords["sex"] == ("f", "m", "a", "z")


def test_files_are_relative_to_the_document(tmp_path: Path) -> None:
    (tmp_path / "values.csv").write_text("w\n4\n5\n")
    found = read(tmp_path, "n.yaml", "data: {plain: {path: values.csv, column: w}}\n")
    np.testing.assert_array_equal(found.data["plain"].values, [4, 5])


def test_the_run_s_own_treatment_may_be_repeated(tmp_path: Path) -> None:
    found = read(tmp_path, "n.yaml", "data: {both: {values: [[3, 2]], center: [1.0, 2.0]}}\n")
    np.testing.assert_array_equal(found.data["both"].values, [[1.0, 0.0]])


def test_a_part_of_the_columns_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(
        LocatedError, match=r"--data .*n.csv: data.both: there is no column 'v', which 'both' consists of"
    ):
        read(tmp_path, "n.csv", "u,plain\n1,2\n")
