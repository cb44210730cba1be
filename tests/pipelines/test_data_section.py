"""Factors are coded by their levels, columns are centred and scaled, and a resolved config says by what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from exmc.ir.model import Model
from pipelines.checking import build
from pipelines.config import config_text, load_config, resolved
from pipelines.places import LocatedError

CSV = "town,year,height,wide\nUlm,2001,1.0,10\nBonn,2003,3.0,20\nUlm,2001,5.0,60\n"
TAIL = "  variables: {z: {dist: Normal, mu: 0, sigma: 1}}\n"


def model_of(folder: Path, data: str, coords: str = "") -> Model:
    (folder / "d.csv").write_text(CSV)
    path = folder / "c.yaml"
    path.write_text(f"model:\n{coords}  data:\n{data}{TAIL}")
    return build(load_config(path))


def fails_with(folder: Path, data: str, where: tuple[str, ...], message: str, coords: str = "") -> None:
    with pytest.raises(LocatedError, match=message) as raised:
        model_of(folder, data, coords)
    assert raised.value.where == ("model", "data", *where)
    assert ":" in raised.value.place


def test_a_factor_is_coded_by_its_sorted_levels(tmp_path: Path) -> None:
    model = model_of(
        tmp_path,
        "    home: {path: d.csv, column: town, factor: town}\n    since: {path: d.csv, column: year, factor: year}\n",
    )
    assert model.coords == {"town": ("Bonn", "Ulm"), "year": (2001, 2003)}
    assert model.data["home"].values.tolist() == [1, 0, 1]
    assert model.data["since"].values.tolist() == [0, 1, 0]
    assert model.data["home"].kind == "int"


def test_factors_of_one_dim_share_their_levels(tmp_path: Path) -> None:
    (tmp_path / "towns.csv").write_text("name,size\nAix,3\nUlm,4\n")
    model = model_of(
        tmp_path,
        "    a: {path: d.csv, column: town, factor: town}\n    b: {path: towns.csv, column: name, factor: town}\n",
    )
    assert model.coords["town"] == ("Aix", "Bonn", "Ulm")
    assert (model.data["a"].values.tolist(), model.data["b"].values.tolist()) == ([2, 1, 2], [0, 2])


def test_written_coordinates_decide_the_codes(tmp_path: Path) -> None:
    coords = "  coords: {town: [Ulm, Bonn, Aix]}\n"
    model = model_of(tmp_path, "    home: {values: [Bonn, Ulm], factor: town}\n", coords)
    assert model.data["home"].values.tolist() == [1, 0]
    fails_with(
        tmp_path,
        "    home: {values: [Bon, Ulm], factor: town}\n",
        ("home", "factor"),
        "'Bon' is no label of the dim 'town'. Did you mean 'Bonn'",
        coords,
    )


def test_center_and_scale_leave_missing_values_out(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text('a\n1\n""\n3\n')
    path = tmp_path / "c.yaml"
    path.write_text(
        "model:\n  data:\n    c: {values: [1, null, 3], center: true, scale: true}\n"
        "    f: {path: d.csv, column: a, center: true, scale: true}\n"
        "  variables:\n    y: {dist: Normal, mu: 0, sigma: 1, observed: c}\n"
        "    z: {dist: Normal, mu: 0, sigma: 1, observed: f}\n"
    )
    data = build(load_config(path)).data
    for name in ("c", "f"):
        np.testing.assert_allclose(data[name].values, [-(0.5**0.5), np.nan, 0.5**0.5])


def test_center_and_scale(tmp_path: Path) -> None:
    model = model_of(
        tmp_path,
        "    c: {path: d.csv, column: height, center: true}\n"
        "    w: {path: d.csv, column: [height, wide], center: true, scale: true}\n"
        "    given: {values: [1, 2], center: 1, scale: 4}\n"
        "    each: {values: [[1, 2], [3, 4]], center: [1, 2]}\n",
    )
    columns = np.array([[1.0, 10.0], [3.0, 20.0], [5.0, 60.0]])
    assert model.data["c"].values.tolist() == [-2.0, 0.0, 2.0]
    np.testing.assert_allclose(model.data["w"].values, (columns - columns.mean(0)) / columns.std(0, ddof=1), rtol=1e-15)
    assert model.data["given"].values.tolist() == [0.0, 0.25]
    assert model.data["each"].values.tolist() == [[0.0, 0.0], [2.0, 2.0]]


def test_a_resolved_config_holds_the_levels_and_the_numbers(tmp_path: Path) -> None:
    data = (
        "    home: {path: d.csv, column: town, factor: town}\n"
        "    w: {path: d.csv, column: height, center: true, scale: true}\n"
    )
    model = model_of(tmp_path, data)
    text = config_text(resolved(load_config(tmp_path / "c.yaml"))).replace("sha256", "#")
    assert "center: 3.0" in text
    assert "scale: 2.0" in text
    (tmp_path / "d.csv").write_text("town,height\nUlm,9.0\n")
    (tmp_path / "again.yaml").write_text("\n".join(line for line in text.splitlines() if "#" not in line))
    again = build(load_config(tmp_path / "again.yaml"))
    assert again.coords == model.coords
    assert again.data["home"].values.tolist() == [1], "coded as in the first run, whatever the new file lacks"
    assert again.data["w"].values.tolist() == [3.0]


def test_arrays_bring_dims_and_coordinates(tmp_path: Path) -> None:
    xr.Dataset({"y": ("town", [1.0, 2.0])}, coords={"town": ["Ulm", "Bonn"]}).to_netcdf(tmp_path / "d.nc")
    model = model_of(tmp_path, "    y: {path: d.nc, column: y}\n")
    assert model.data["y"].dims == ("town",)
    assert model.coords == {"town": ("Ulm", "Bonn")}
    fails_with(tmp_path, "    y: {path: d.nc, column: y, dims: city}\n", ("y", "dims"), "the file says \\['town'\\]")


@pytest.mark.parametrize(
    ("entry", "where", "message"),
    [
        ("{path: d.csv, column: [town, year], factor: town}", "column", "a factor is one column"),
        ("{path: d.csv, column: town, factor: town, center: true}", "center", "the codes of a factor"),
        ("{values: [1, null], factor: town}", "", "item 1: the cell is missing"),
        ("{values: [a, 1], factor: town}", "", "mixes texts with numbers"),
        ("{values: [2, 2], scale: true}", "scale", "a column is constant"),
        ("{values: 3, center: true}", "center", "have no mean"),
        ("{values: [3], scale: true}", "scale", "have no standard deviation"),
        ("{values: [3, 4], scale: 0}", "scale", "cannot be divided by 0\\."),
        ("{values: [3, 4], center: [1, 2, 3]}", "center", "3 numbers are given for data of shape"),
        ("{values: [3, 4], center: yes please}", "center", "'yes please' is not"),
    ],
)
def test_faults(entry: str, where: str, message: str, tmp_path: Path) -> None:
    fails_with(tmp_path, f"    x: {entry}\n", ("x", where) if where else ("x", "values"), message)


def test_factors_of_one_dim_are_of_one_kind(tmp_path: Path) -> None:
    data = "    a: {values: [x], factor: town}\n    b: {values: [1], factor: town}\n"
    fails_with(tmp_path, data, ("a", "factor"), "mix texts with numbers")


STAN = (
    '{"N": 3, "lambda": [1], "y": [0.5, 1.5, 2.5], "who": ["a", "b", "c"], "ragged": [[1], [2, 3]], "gone": [1, null]}'
)


def test_a_whole_file_gives_its_columns_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "stan.json").write_text(STAN)
    own = '    "*": {path: stan.json}\n    y: {path: stan.json, column: y, center: true}\n    z2: [1, 2]\n'
    model = model_of(tmp_path, own)
    assert set(model.data) == {"N", "y", "z2"}
    assert model.data["N"].values == 3
    assert model.data["y"].values.tolist() == [-1.0, 0.0, 1.0]


def test_a_resolved_config_names_each_column_of_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "stan.json").write_text(STAN)
    path = tmp_path / "c.yaml"
    path.write_text(f'model:\n  data:\n    "*": {{path: stan.json}}\n{TAIL}')
    text = config_text(resolved(load_config(path)))
    assert '"*"' not in text
    assert "column: y" in text
    (tmp_path / "r.yaml").write_text(text)
    assert build(load_config(tmp_path / "r.yaml")).data["y"].values.tolist() == [0.5, 1.5, 2.5]


@pytest.mark.parametrize(
    ("entry", "where", "message"),
    [
        ("{path: missing.json}", ("path",), "missing.json"),
        ("{column: y}", ("column",), "unknown key 'column'"),
        ("{path: d.csv, dims: row}", ("dims",), "unknown key 'dims'"),
        ("3", (), "mapping"),
        (f"{{path: d.csv, sha256: {'f' * 64}}}", ("sha256",), "has changed"),
    ],
)
def test_faults_of_a_whole_file(entry: str, where: tuple[str, ...], message: str, tmp_path: Path) -> None:
    fails_with(tmp_path, f'    "*": {entry}\n', ("*", *where), message)
