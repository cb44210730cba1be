"""Columns out of tables, as numbers or as the labels of a factor, each fault one clear `DataError`."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.errors import DataError, suggest
from exmc.ir.declarations import Label
from exmc.ir.inputs import Labelled
from exmc.ir.nodes import as_data_array
from exmc.ir.types import Dims
from exmc.trace.files import location
from pipelines.tables import Table, item_name, read_table

Column: TypeAlias = str | tuple[str, ...] | None

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "?", "-"})
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}\Z")
_PLAIN = re.compile(r"[-+.0-9eE\n]*\Z")
_TRUTH = {"true": True, "false": False}


class Loaded(NamedTuple):
    """Values from a file, and the SHA-256 (hex) of the whole file (for Zarr: of the values).

    `dims` and `coords` are those which the file itself gives them (NetCDF, Zarr); None and empty where it gives none.
    """

    values: NDArray[Any]
    digest: str
    dims: Dims | None = None
    coords: Mapping[str, tuple[Label, ...]] = {}


class Labels(NamedTuple):
    """The labels in a column, one per row, and the digest as for `Loaded`."""

    labels: list[Label]
    digest: str


@dataclass(slots=True)
class DataFiles:
    """Reads the files of one config, each once. Paths are relative to `folder`; URLs are read by fsspec."""

    folder: Path
    tables: dict[str, Table] = field(default_factory=dict)

    def resolve(self, path: str) -> str:
        """The absolute path (or the URL) that `path` in the config stands for."""
        place = location(path)
        return str((self.folder / place.expanduser()).resolve()) if isinstance(place, Path) else path

    def load(self, path: str, column: Column) -> Loaded:
        """One column, or several side by side (shape (rows, columns)), of a file.

        Raises `DataError`, with `where` ``("path",)`` or ``("column",)``.
        """
        table = self._table(path)
        if isinstance(column, tuple):
            return _side_by_side(table, column, path)
        picked = _pick(table, column, path)
        values = _convert(table, picked, column, path)
        digest = table.digest or _digest_of(values)
        return (
            Loaded(values, digest, picked.dims, picked.coords)
            if isinstance(picked, Labelled)
            else Loaded(values, digest)
        )

    def load_labels(self, path: str, column: str | None) -> Labels:
        """The column of a factor: texts as they stand, numbers as numbers.

        Raises `DataError`, with `where` ``("path",)`` or ``("column",)``.
        """
        table = self._table(path)
        picked = _pick(table, column, path)
        cells = picked.values if isinstance(picked, Labelled) else picked
        cells = cells.tolist() if isinstance(cells, np.ndarray) else cells
        (place,), label = _place(column, path)
        labels = as_label_list(cells, place, label, table.row_name)
        return Labels(labels, table.digest or hashlib.sha256(repr(labels).encode()).hexdigest())

    def columns(self, path: str) -> list[str]:
        """The names of the columns of a file. Raises `DataError`, with `where` ``("path",)``."""
        return [name for name in self._table(path).columns if name is not None]

    def _table(self, path: str) -> Table:
        if "\0" in path:
            raise DataError(f"{path!r} is no path.", where=("path",))
        place = self.resolve(path)
        if place not in self.tables:
            self.tables[place] = read_table(place, path)
        return self.tables[place]


def _digest_of(values: NDArray[Any]) -> str:
    return hashlib.sha256(f"{values.dtype.str}{values.shape}".encode() + values.tobytes()).hexdigest()


def _side_by_side(table: Table, columns: tuple[str, ...], path: str) -> Loaded:
    parts = [_convert(table, _pick(table, c, path), c, path) for c in columns]
    lengths = {p.shape for p in parts}
    if len(lengths) > 1 or any(p.ndim != 1 for p in parts):
        raise DataError(
            f"the columns {list(columns)} of {path} have the shapes {[p.shape for p in parts]}.",
            where=("column",),
            remedy="Columns that are put side by side must be lists of one length.",
        )
    values = np.stack(parts, axis=1)
    return Loaded(values, table.digest or _digest_of(values))


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


def _place(column: str | None, path: str) -> tuple[tuple[str], str]:
    """Where an error of the column is, and what to call it."""
    return (("path",), path) if column is None else (("column",), f"column {column!r} of {path}")


def _convert(table: Table, raw: Any, column: str | None, path: str) -> NDArray[Any]:
    place, label = _place(column, path)
    raw = raw.values if isinstance(raw, Labelled) else raw
    if isinstance(raw, np.ndarray):
        numeric = raw.dtype.kind in "iub" or (raw.dtype.kind == "f" and not np.isinf(raw).any())
        raw = raw if numeric else raw.tolist()
    fast = _plain_numbers(raw)
    if fast is not None:
        return as_data_array(fast, "")
    if isinstance(raw, list):
        for index, item in _leaves(raw):
            _check_item(item, f"{label}, {table.row_name(index[0])}{_inner(index)}", place)
    elif not isinstance(raw, np.ndarray):
        _check_item(raw, label, place)
    try:
        values = _numbers(raw) if isinstance(raw, list) and isinstance(raw[0] if raw else 0, str) else raw
        array = as_data_array(values, "")
    except DataError as error:
        raise DataError(f"{label}: {error.message}", where=place, remedy=error.remedy) from None
    if array.size == 0:
        raise DataError(f"{label} is empty.", where=place)
    return array


def _plain_numbers(raw: Any) -> NDArray[Any] | None:
    """A long column of a CSV file as numbers, at once; None for whatever needs a closer look, one cell at a time."""
    if not (isinstance(raw, list) and raw and isinstance(raw[0], str)):
        return None
    text = "\n".join(raw)
    if not _PLAIN.match(text):
        return None
    try:
        values = np.asarray(raw, dtype=np.float64)
    except ValueError:
        return None
    if not np.isfinite(values).all():
        return None
    if set(".eE") & set(text):
        return values
    # Larger whole numbers have lost digits as floats.
    return values.astype(np.int64) if (np.abs(values) < 1e15).all() else None


def as_label_list(
    cells: Any, place: str, label: str = "this", row_name: Callable[[int], str] = item_name
) -> list[Label]:
    """`cells` as labels of one kind, texts (or the numbers that all of them write) or numbers.

    Raises `DataError`, with `where` ``(place,)``, for whatever else is in them; its message has `label`, `row_name`.
    """
    where = (place,)
    if not isinstance(cells, list) or not cells:
        raise DataError(f"{label} is no list of labels.", where=where)
    for i, cell in enumerate(cells):
        if _missing(cell) or isinstance(cell, list | dict | bool):
            fault = "is missing" if _missing(cell) else "is no label"
            raise DataError(f"{label}, {row_name(i)}: the cell {fault}.", where=where)
    if all(isinstance(cell, str) for cell in cells):
        texts = [cell.strip() for cell in cells]
        return [int(t) for t in texts] if all(_WHOLE.match(t) for t in texts) else list(texts)
    if any(isinstance(cell, str) for cell in cells):
        raise DataError(f"{label} mixes texts with numbers.", where=where)
    return list(cells)


def _leaves(items: list[Any], index: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    for i, item in enumerate(items):
        if isinstance(item, list):
            yield from _leaves(item, (*index, i))
        else:
            yield (*index, i), item


def _inner(index: Sequence[int]) -> str:
    return "" if len(index) == 1 else f"[{', '.join(map(str, index[1:]))}]"


def _missing(item: Any) -> bool:
    if isinstance(item, float):
        return math.isnan(item)
    return item is None or (isinstance(item, str) and item.strip().lower() in MISSING)


def _check_item(item: Any, label: str, place: tuple[str, ...]) -> None:
    if _missing(item):
        return
    if isinstance(item, str) and not _is_number(item.strip()):
        raise DataError(
            f"{label}: {item.strip()!r} is not a number.",
            where=place,
            remedy="If the column holds categories, give it a factor, which codes them as whole numbers from 0.",
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
    if any(_missing(cell) for cell in cells):
        seen = iter(_numbers([cell for cell in cells if not _missing(cell)]))
        return [math.nan if _missing(cell) else float(next(seen)) for cell in cells]
    texts = [cell.strip() for cell in cells]
    truths = [_TRUTH.get(t.lower()) for t in texts]
    if all(t is not None for t in truths):
        return truths
    if any(t is not None for t in truths):
        raise DataError("it mixes true/false with numbers.")
    if all(_WHOLE.match(t) for t in texts):
        return [int(t) for t in texts]
    return [float(t) for t in texts]
