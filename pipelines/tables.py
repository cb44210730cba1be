"""Files and URLs read into tables: columns by name, whatever the format; each fault one clear `DataError`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exmc.errors import DataError, suggest

# Functions here import pipelines.array_files when a file needs it: its libraries take long to import, and most data
# are inline or CSV.


@dataclass(frozen=True, slots=True)
class Table:
    """A file that has been read.

    Attributes
    ----------
    columns
        By name, or (JSON alone) one bare value under None. A column is a list of texts (CSV), a nested list of values
        (JSON), an array of numpy's (Parquet) or one with dims and labels (`Labelled`; NetCDF, Zarr).
    digest
        The SHA-256 (hex) of the file; None for a Zarr store, which is no file.
    row_name
        For an error: what to call the n-th value of a column.
    """

    columns: Mapping[str | None, Any]
    digest: str | None
    row_name: Callable[[int], str]


def read_table(location: str, path: str) -> Table:
    """The table at `location`, an absolute path or a URL; `path` is what messages call it.

    Raises `DataError`, with `where` ``("path",)``.
    """
    suffix = Path(location.partition("?")[0]).suffix.lower()
    if suffix == ".zarr":
        return _read_zarr(location, path)
    reader = _READERS.get(suffix)
    if reader is None:
        # A file that is not there is a more likely mistake than one of another kind, and says more.
        _read_bytes(location, path)
        kinds = ", ".join((*_READERS, ".zarr"))
        raise _fault(f"{path!r} is of no known kind ({suffix or 'no suffix'}).", f"Data may be {kinds}.")
    raw = _read_bytes(location, path)
    return reader(raw, path, hashlib.sha256(raw).hexdigest())


def is_url(path: str) -> bool:
    """Whether `path` is for fsspec (``s3://…``, ``https://…``) and not a path of this machine."""
    return "://" in path


def _fault(message: str, remedy: str = "") -> DataError:
    return DataError(message, where=("path",), remedy=remedy)


def _read_bytes(location: str, path: str) -> bytes:
    if not is_url(location):
        return _read_local(Path(location), path)
    from pipelines.array_files import fetch

    return fetch(location, path)


def _read_local(full: Path, path: str) -> bytes:
    try:
        # A pipe would be waited for without end, and a device such as /dev/zero has none.
        if full.exists() and not full.is_dir() and not full.is_file():
            raise _fault(f"{path!r} is no regular file, but a pipe or device.")
        return full.read_bytes()
    except FileNotFoundError:
        near = suggest(full.name, _neighbours(full))
        raise _fault(f"there is no file {path!r} ({full}).", near if near.startswith("Did") else "") from None
    except IsADirectoryError:
        raise _fault(f"{path!r} is a folder, not a file.") from None
    except OSError as error:
        raise _fault(f"cannot read {path!r}: {error.strerror}.") from None
    except MemoryError:
        raise _fault(f"{path!r} does not fit into memory.") from None


def _neighbours(full: Path) -> list[str]:
    try:
        return [p.name for p in full.parent.iterdir()][:1000]
    except OSError:
        return []


def _text(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise _fault(f"{path} is not UTF-8 text: byte 0x{byte:02x} in line {line}.", "Save it as UTF-8.") from None


def item_name(index: int) -> str:
    """What to call a value that has no line."""
    return f"item {index}"


def _read_csv(raw: bytes, path: str, digest: str, delimiter: str = ",") -> Table:
    reader = csv.reader(io.StringIO(_text(raw, path)), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if not any(header):
            raise _fault(f"{path} is empty; its first line must name the columns.")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise _fault(f"line {reader.line_num} of {path} has {len(row)} cells; the header has {len(header)}.")
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise _fault(f"line {reader.line_num} of {path} cannot be read: {error}.") from None
    repeated = next((name for name in header if header.count(name) > 1), None)
    if repeated is not None:
        raise _fault(f"{path} has two columns {repeated!r}.", "Rename one.")
    if not rows:
        raise _fault(f"{path} has a header but no rows.")
    columns: dict[str | None, Any] = {n: list(c) for n, c in zip(header, zip(*rows, strict=True), strict=True)}
    return Table(columns, digest, lambda i: f"line {lines[i]}")


def _read_tsv(raw: bytes, path: str, digest: str) -> Table:
    return _read_csv(raw, path, digest, "\t")


def _read_json(raw: bytes, path: str, digest: str) -> Table:
    def constant(token: str) -> float:
        if token == "NaN":
            return math.nan
        raise _fault(f"{path} holds {token}.", "Drop such rows, or write null where a value is missing.")

    try:
        found = json.loads(_text(raw, path), parse_constant=constant)
    except json.JSONDecodeError as error:
        raise _fault(f"line {error.lineno} of {path} cannot be read as JSON: {error.msg}.") from None
    except (RecursionError, ValueError) as error:
        raise _fault(f"{path} cannot be read as JSON: {error}.") from None
    if isinstance(found, list) and found and all(isinstance(record, dict) for record in found):
        found = _columns_of_records(found, path)
    return Table(found if isinstance(found, dict) else {None: found}, digest, item_name)


def _columns_of_records(records: list[dict[str, Any]], path: str) -> dict[str, list[Any]]:
    names = list(records[0])
    odd = next((i for i, record in enumerate(records) if set(record) != set(names)), None)
    if odd is not None:
        raise _fault(f"item {odd} of {path} has the keys {sorted(records[odd])}, item 0 has {sorted(names)}.")
    return {name: [record[name] for record in records] for name in names}


def _read_parquet(raw: bytes, path: str, digest: str) -> Table:
    from pipelines.array_files import parquet_columns

    return Table(parquet_columns(raw, path), digest, lambda i: f"row {i}")


def _read_netcdf(raw: bytes, path: str, digest: str) -> Table:
    from pipelines.array_files import netcdf_columns

    return Table(netcdf_columns(raw, path), digest, item_name)


def _read_zarr(location: str, path: str) -> Table:
    from pipelines.array_files import zarr_columns

    return Table(zarr_columns(location, path), None, item_name)


_READERS: dict[str, Callable[[bytes, str, str], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".nc": _read_netcdf,
}
