"""Columns come out of files as the numbers they are."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exmc.errors import DataError
from pipelines.data_files import MISSING, DataFiles

CASES: list[tuple[str, str, Any, list[Any]]] = [
    ("d.csv", "a,b\n1,2\n3,4\n", "b", [2, 4]),
    ("d.csv", "\ufeffa,b\r\n1, 2.5 \r\n3,4\r\n", "b", [2.5, 4.0]),
    ("d.csv", 'a,"b, c"\n"1",2\n\n3,4\n', "b, c", [2, 4]),
    ("d.tsv", "a\tb\n1\t-2e3\n", "b", [-2000.0]),
    ("d.csv", "a\nTrue\nfalse\n", "a", [True, False]),
    ("d.csv", "a\n7\n", None, [7]),
    ("d.csv", "a\n12345678901234567890123\n", "a", [1.2345678901234568e22]),
    ("d.json", '{"a": [1, 2], "b": [0.5, 1]}', "b", [0.5, 1.0]),
    ("d.json", '{"a": [[1, 2], [3, 4]]}', "a", [[1, 2], [3, 4]]),
    ("d.json", "[1, 2]", None, [1, 2]),
    ("d.json", '{"a": 5}', "a", 5),
    ("d.csv", "a,b\n1,2\n3,4.5\n", ("b", "a"), [[2.0, 1.0], [4.5, 3.0]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "column", "expected"), CASES)
def test_values(name: str, text: str, column: Any, expected: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    values, digest, _, _ = DataFiles(tmp_path).load(name, column)
    wanted = np.asarray(expected)
    assert values.tolist() == expected
    assert values.dtype == wanted.dtype
    assert digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("word", [*sorted(MISSING - {""}), "NA", "NaN"])
def test_missing_values_are_nan(word: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(f"a,b\n1,1\n\n2,{word}\n")
    np.testing.assert_array_equal(DataFiles(tmp_path).load("d.csv", "b").values, [1.0, np.nan])
    assert DataFiles(tmp_path).load("d.csv", "a").values.tolist() == [1, 2], "the other column is whole"


@pytest.mark.parametrize(
    ("name", "text", "column", "message"),
    [
        ("d.json", '{"a": [[1, 2], [3]]}', "a", "different lengths"),
        ("d.json", '{"a": [1, [2]]}', "a", "different lengths"),
        ("d.json", '{"a": [1, "x"]}', "a", "item 1: 'x' is not a number"),
        ("d.json", '{"a": [1, {"b": 1}]}', "a", "item 1: it is an object"),
        ("d.json", '{"a": [1, Infinity]}', "a", "Infinity"),
        ("d.csv", "a,b\n1,2\ntrue,\n,3\n", "a", "mixes"),
        ("d.json", '{"a": []}', "a", "is empty"),
        ("d.json", "", "a", "cannot be read as JSON"),
        ("d.csv", "a\n1\ntrue\n", "a", "mixes"),
        ("d.csv", "a\n1_000\n", "a", "'1_000' is not a number"),
        ("d.csv", "a\ninf\n", "a", "'inf' is not a number"),
        ("d.csv", 'a\n"1\n', "a", "line 2 .* cannot be read"),
        ("d.csv", "a,b\n1,2\n", ("a", "c"), "no column 'c'"),
    ],
)
def test_faults(name: str, text: str, column: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        DataFiles(tmp_path).load(name, column)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    files = DataFiles(tmp_path)
    files.load("d.csv", "a")
    (tmp_path / "d.csv").unlink()
    assert files.load("d.csv", "b").values.tolist() == [2]


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "nc"])
@pytest.mark.parametrize("prefix", ["", "file://", "local://"])
def test_pipes_and_devices_are_no_data(kind: str, prefix: str, tmp_path: Path) -> None:
    """A pipe would be waited for, and a device read, for ever; whichever way they are named."""
    os.mkfifo(tmp_path / f"pipe.{kind}")
    (tmp_path / f"zeros.{kind}").symlink_to("/dev/zero")
    for name in ("pipe", "zeros"):
        with pytest.raises(DataError, match="is no regular file, but a pipe or device"):
            DataFiles(tmp_path).load(f"{prefix}{tmp_path}/{name}.{kind}", "x")
