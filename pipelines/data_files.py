"""Columns of numbers out of CSV and JSON files, each fault one clear `DataError`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.errors import DataError, suggest
from exmc.ir.nodes import as_data_array

Column: TypeAlias = str | tuple[str, ...] | None

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "?", "-"})
_MISSING_REMEDY = "Drop such rows, or put any number there and leave the rows out with mask."
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}\Z")
_TRUTH = {"true": True, "false": False}


class Loaded(NamedTuple):
    """Values from a file, and the SHA-256 (hex) of the whole file."""

    values: NDArray[Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Table:
    """A file that has been read: its columns by name, or (JSON alone) one bare value under None."""

    columns: dict[str | None, Any]
    digest: str
    # For an error: what to call the n-th value of a column.
    row_name: Callable[[int], str]


@dataclass(slots=True)
class DataFiles:
    """Reads the files of one config, each once. Paths are relative to `folder`."""

    folder: Path
    tables: dict[Path, Table] = field(default_factory=dict)

    def resolve(self, path: str) -> Path:
        """The absolute path that `path` in the config stands for."""
        return (self.folder / Path(path).expanduser()).resolve()

    def load(self, path: str, column: Column) -> Loaded:
        """One column, or several side by side (shape (rows, columns)), of a file.

        Raises `DataError`, with `where` ``("path",)`` or ``("column",)``.
        """
        if "\0" in path:
            raise DataError(f"{path!r} is no path.", where=("path",))
        full = self.resolve(path)
        if full not in self.tables:
            self.tables[full] = _read(full, path)
        table = self.tables[full]
        if isinstance(column, tuple):
            parts = [_convert(table, _pick(table, c, path), c, path) for c in column]
            lengths = {p.shape for p in parts}
            if len(lengths) > 1 or any(p.ndim != 1 for p in parts):
                raise DataError(
                    f"the columns {list(column)} of {path} have the shapes {[p.shape for p in parts]}.",
                    where=("column",),
                    remedy="Columns that are put side by side must be lists of one length.",
                )
            return Loaded(np.stack(parts, axis=1), table.digest)
        return Loaded(_convert(table, _pick(table, column, path), column, path), table.digest)


def _read(full: Path, path: str) -> Table:
    where = ("path",)
    try:
        # A pipe would be waited for without end, and a device such as /dev/zero has none.
        if full.exists() and not full.is_dir() and not full.is_file():
            raise DataError(f"{path!r} is no regular file, but a pipe or device.", where=where)
        raw = full.read_bytes()
    except FileNotFoundError:
        near = suggest(full.name, _neighbours(full))
        near = near if near.startswith("Did") else ""
        raise DataError(f"there is no file {path!r} ({full}).", where=where, remedy=near) from None
    except IsADirectoryError:
        raise DataError(f"{path!r} is a folder, not a file.", where=where) from None
    except OSError as error:
        raise DataError(f"cannot read {path!r}: {error.strerror}.", where=where) from None
    except MemoryError:
        raise DataError(f"{path!r} does not fit into memory.", where=where) from None
    reader = _READERS.get(full.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path!r} is of no known kind ({full.suffix or 'no suffix'}).",
            where=where,
            remedy=f"Data may be {', '.join(_READERS)}.",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 text: byte 0x{raw[error.start]:02x} in line {line}.",
            where=where,
            remedy="Save it as UTF-8.",
        ) from None
    return reader(text, path, hashlib.sha256(raw).hexdigest())


def _neighbours(full: Path) -> list[str]:
    try:
        return [p.name for p in full.parent.iterdir()][:1000]
    except OSError:
        return []


def _read_csv(text: str, path: str, digest: str, delimiter: str = ",") -> Table:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if not any(header):
            raise DataError(f"{path} is empty; its first line must name the columns.", where=("path",))
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(
                    f"line {reader.line_num} of {path} has {len(row)} cells; the header has {len(header)}.",
                    where=("path",),
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} of {path} cannot be read: {error}.", where=("path",)) from None
    repeated = next((name for name in header if header.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"{path} has two columns {repeated!r}.", where=("path",), remedy="Rename one.")
    if not rows:
        raise DataError(f"{path} has a header but no rows.", where=("path",))
    columns: dict[str | None, Any] = {n: list(c) for n, c in zip(header, zip(*rows, strict=True), strict=True)}
    return Table(columns, digest, lambda i: f"line {lines[i]}")


def _read_tsv(text: str, path: str, digest: str) -> Table:
    return _read_csv(text, path, digest, "\t")


def _read_json(text: str, path: str, digest: str) -> Table:
    def refuse(token: str) -> NoReturn:
        raise DataError(f"{path} holds {token}.", where=("path",), remedy=_MISSING_REMEDY)

    try:
        found = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise DataError(
            f"line {error.lineno} of {path} cannot be read as JSON: {error.msg}.", where=("path",)
        ) from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}.", where=("path",)) from None
    columns = found if isinstance(found, dict) else {None: found}
    return Table(columns, digest, lambda i: f"item {i}")


_READERS: dict[str, Callable[[str, str, str], Table]] = {".csv": _read_csv, ".tsv": _read_tsv, ".json": _read_json}


def _pick(table: Table, column: str | None, path: str) -> Any:
    names = [name for name in table.columns if name is not None]
    if column is None and len(table.columns) == 1:
        return next(iter(table.columns.values()))
    if column is None:
        shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise DataError(f"{path} has {len(names)} columns.", where=("path",), remedy=f"Set column to one of: {shown}.")
    if column not in table.columns:
        raise DataError(f"{path} has no column {column!r}.", where=("column",), remedy=suggest(column, names))
    return table.columns[column]


def _convert(table: Table, raw: Any, column: str | None, path: str) -> NDArray[Any]:
    place = ("path",) if column is None else ("column",)
    label = path if column is None else f"column {column!r} of {path}"
    if isinstance(raw, list):
        for index, item in _leaves(raw):
            _check_item(item, f"{label}, {table.row_name(index[0])}{_inner(index)}", place)
    else:
        _check_item(raw, label, place)
    try:
        values = _numbers(raw) if isinstance(raw, list) and isinstance(raw[0] if raw else 0, str) else raw
        array = as_data_array(values, "")
    except DataError as error:
        raise DataError(f"{label}: {error.message}", where=place, remedy=error.remedy) from None
    if array.size == 0:
        raise DataError(f"{label} is empty.", where=place)
    return array


def _leaves(items: list[Any], index: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    for i, item in enumerate(items):
        if isinstance(item, list):
            yield from _leaves(item, (*index, i))
        else:
            yield (*index, i), item


def _inner(index: Sequence[int]) -> str:
    return "" if len(index) == 1 else f"[{', '.join(map(str, index[1:]))}]"


def _check_item(item: Any, label: str, place: tuple[str, ...]) -> None:
    if item is None or (isinstance(item, str) and item.strip().lower() in MISSING):
        shown = "is empty" if item is None or not item.strip() else f"is {item.strip()!r}, a missing value"
        raise DataError(f"{label}: the cell {shown}.", where=place, remedy=_MISSING_REMEDY)
    if isinstance(item, str) and not _is_number(item.strip()):
        raise DataError(
            f"{label}: {item.strip()!r} is not a number.",
            where=place,
            remedy="Code categories as whole numbers from 0, and use them as an index.",
        )
    if isinstance(item, dict):
        raise DataError(f"{label}: it is an object, not a number or list.", where=place)


def _is_number(text: str) -> bool:
    if text.lower() in _TRUTH:
        return True
    try:
        return "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


def _numbers(cells: list[str]) -> list[Any]:
    texts = [cell.strip() for cell in cells]
    truths = [_TRUTH.get(t.lower()) for t in texts]
    if all(t is not None for t in truths):
        return truths
    if any(t is not None for t in truths):
        raise DataError("it mixes true/false with numbers.")
    if all(_WHOLE.match(t) for t in texts):
        return [int(t) for t in texts]
    return [float(t) for t in texts]
