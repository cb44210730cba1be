"""The section `model.data` of a config: values inline or out of files, factors coded, columns centred and scaled."""

from __future__ import annotations

from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.errors import DataError, suggest
from exmc.ir.declarations import Label
from exmc.ir.inputs import as_dims
from exmc.ir.nodes import as_data_array
from exmc.ir.types import Dims
from pipelines.data_files import Column, DataFiles, Labels, as_label_list
from pipelines.places import KeyPath, Places
from pipelines.sections import FileEntry, ValuesEntry, WholeFileEntry
from pipelines.validation import parse_section, require_mapping, shown, unknown_key

_PATH: KeyPath = ("model", "data")
WHOLE = "*"
"""The name of the entry that stands for a whole file."""

Coords: TypeAlias = Mapping[str, tuple[Label, ...]]
Entry: TypeAlias = ValuesEntry | FileEntry
Numbers: TypeAlias = float | list[float]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedData:
    """Values with their dims.

    Attributes
    ----------
    dims, coords
        As written, or those of the file; None and empty where neither gives any.
    source
        Where the values came from, for people.
    written
        The entry that loads them again, whatever else the file then holds: its path absolute, what was subtracted
        and divided by as numbers.
    """

    values: NDArray[Any]
    dims: Dims | None
    source: str
    written: Mapping[str, Any]
    coords: Coords = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Factor:
    """A column of labels, not coded yet: the levels are those of every factor of its dim together."""

    dim: str
    labels: list[Label]
    dims: Dims | None
    source: str
    written: Mapping[str, Any]


def parse_data(
    raw: Mapping[str, Any], coords: Coords, places: Places, files: DataFiles, known: Coords | None = None
) -> tuple[dict[str, LoadedData], dict[str, tuple[Label, ...]]]:
    """The data of the config, and its coordinates with the levels of factors added.

    Levels in `known`, by dim, come first: those of data that were coded before. The entry ``"*"`` stands for the
    columns of a file that have no entry of their own. Raises `LocatedError` for an entry that cannot be read.
    """
    whole = _whole_file(raw[WHOLE], raw, places, files) if WHOLE in raw else {}
    written = {name: entry for name, entry in raw.items() if name != WHOLE}
    found = whole | {name: _parse_entry(name, entry, places, files) for name, entry in written.items()}
    levels = dict(coords)
    for dim in dict.fromkeys(f.dim for f in found.values() if isinstance(f, _Factor)):
        if dim not in levels:
            levels[dim] = _levels_of(dim, found, places, (known or {}).get(dim, ()))
    data = {
        name: _coded(name, entry, levels[entry.dim], places) if isinstance(entry, _Factor) else entry
        for name, entry in found.items()
    }
    return data, levels


def _whole_file(raw: Any, others: Container[str], places: Places, files: DataFiles) -> dict[str, LoadedData | _Factor]:
    """Each column of a file that holds numbers and whose name can stand in an expression; not those in `others`."""
    where = (*_PATH, WHOLE)
    require_mapping(raw, places, where)
    entry = parse_section(WholeFileEntry, raw, places, where)
    try:
        names = [n for n in files.columns(entry.path) if n not in others and n.isidentifier() and not iskeyword(n)]
        found: dict[str, LoadedData | _Factor] = {}
        for name in names:
            column = FileEntry(path=entry.path, column=name, sha256=entry.sha256)
            with suppress(DataError):  # texts, ragged lists, missing values: an entry of its own says what is wrong
                loaded = _from_file(column, places, where, files)
                if not (isinstance(loaded, LoadedData) and np.isnan(loaded.values).any()):
                    found[name] = loaded
    except DataError as error:
        raise places.locate(error, *where) from None
    return found


def require_numbers(values: Any, index: tuple[int, ...] = ()) -> None:
    """Raise `DataError` for the first value that is none: numpy would turn all of them into text or objects.

    Missing ones (null, NaN) may stand among them.
    """
    if isinstance(values, list):
        for i, item in enumerate(values):
            require_numbers(item, (*index, i))
        return
    place = f" at [{', '.join(map(str, index))}]" if index else ""
    if isinstance(values, str | dict):
        raise DataError(f"{shown(values)}{place} is not a number.", remedy="Data must be numeric.")


def _levels_of(
    dim: str, found: Mapping[str, LoadedData | _Factor], places: Places, known: tuple[Label, ...]
) -> tuple[Label, ...]:
    """The levels `known`, then the others that the factors of `dim` have, sorted."""
    factors = {name: f for name, f in found.items() if isinstance(f, _Factor) and f.dim == dim}
    distinct = {label for factor in factors.values() for label in factor.labels} - set(known)
    if len({isinstance(label, str) for label in (*known, *distinct)}) > 1:
        message = f"the factors of {dim!r} ({', '.join(factors)}) mix texts with numbers."
        raise places.error(message, (*_PATH, next(iter(factors)), "factor"))
    return (*known, *sorted(distinct))


def _coded(name: str, factor: _Factor, levels: tuple[Label, ...], places: Places) -> LoadedData:
    codes = {label: code for code, label in enumerate(levels)}
    unknown = next((label for label in factor.labels if label not in codes), None)
    if unknown is not None:
        near = suggest(str(unknown), [str(level) for level in levels])
        raise places.error(f"{unknown!r} is no label of the dim {factor.dim!r}.", (*_PATH, name, "factor"), near)
    values = as_data_array([codes[label] for label in factor.labels], "")
    return LoadedData(values, factor.dims, factor.source, factor.written)


def _parse_entry(name: str, raw: Any, places: Places, files: DataFiles) -> LoadedData | _Factor:
    where = (*_PATH, name)
    try:
        if not isinstance(raw, dict):
            return LoadedData(_inline(raw), None, "", {"values": raw})
        if "path" in raw:
            return _from_file(parse_section(FileEntry, raw, places, where), places, where, files)
        if "values" not in raw and not {"column", "sha256"} & set(raw):
            for key in raw:
                if key not in ValuesEntry.model_fields:
                    raise unknown_key(key, [*ValuesEntry.model_fields, *FileEntry.model_fields], places, (*where, key))
            raise places.error("there are neither values nor a path.", where)
        if "values" not in raw:
            raise places.error("the key 'path' is missing.", where)
        entry = parse_section(ValuesEntry, raw, places, where, also=FileEntry.model_fields)
        if entry.factor is not None:
            labels = Labels(as_label_list(entry.values, "values"), "")
            return _factor(entry, entry.factor, labels, entry.source or "", raw)
        try:
            values = _inline(entry.values)
        except DataError as error:
            raise DataError(error.message, where=("values",), remedy=error.remedy) from None
        return _scaled(values, entry, as_dims(entry.dims, ()), entry.source or "", raw, {})
    except DataError as error:
        raise places.locate(error, *where) from None


def _inline(values: Any) -> NDArray[Any]:
    require_numbers(values)
    try:
        array = as_data_array(values, "")
    except DataError as error:
        raise DataError(error.message, remedy=error.remedy) from None
    except OverflowError:
        raise DataError("a whole number is too large for 64 bits.", remedy="Write it with a point.") from None
    if array.size == 0:
        raise DataError("there are no values.")
    return array


def _from_file(entry: FileEntry, places: Places, where: KeyPath, files: DataFiles) -> LoadedData | _Factor:
    column: Column = tuple(entry.column) if isinstance(entry.column, list) else entry.column
    source = entry.path if column is None else f"{entry.path}:{entry.column}"
    written = entry.model_dump(exclude_defaults=True) | {"path": files.resolve(entry.path)}
    if entry.factor is not None:
        if isinstance(column, tuple):
            raise DataError("a factor is one column.", where=("column",))
        labels = files.load_labels(entry.path, column)
        _require_digest(entry, labels.digest, places, where)
        return _factor(entry, entry.factor, labels, source, written | {"sha256": labels.digest})
    loaded = files.load(entry.path, column)
    _require_digest(entry, loaded.digest, places, where)
    dims = as_dims(entry.dims, ())
    if dims is not None and loaded.dims is not None and dims != loaded.dims:
        message = f"the dims are {list(dims)}, but the file says {list(loaded.dims)}."
        raise DataError(message, where=("dims",), remedy="Leave dims out, and the file's are used.")
    dims = loaded.dims if dims is None else dims
    return _scaled(loaded.values, entry, dims, source, written | {"sha256": loaded.digest}, loaded.coords)


def _require_digest(entry: FileEntry, digest: str, places: Places, where: KeyPath) -> None:
    if entry.sha256 is not None and entry.sha256 != digest:
        message = f"{entry.path} has changed: its SHA-256 is {digest}."
        raise places.error(message, (*where, "sha256"), "Remove sha256 if the new data are meant.")


def _factor(entry: Entry, dim: str, labels: Labels, source: str, written: Mapping[str, Any]) -> _Factor:
    for key in ("center", "scale"):
        if getattr(entry, key) is not False:
            raise DataError("the codes of a factor are no numbers to compute with.", where=(key,), remedy="Remove it.")
    return _Factor(dim, labels.labels, as_dims(entry.dims, ()), source, written)


def _scaled(
    values: NDArray[Any], entry: Entry, dims: Dims | None, source: str, written: Mapping[str, Any], coords: Coords
) -> LoadedData:
    """`values` with each column's centre subtracted and its scale divided by, as `entry` asks for."""
    written = dict(written)
    for key, given in (("center", entry.center), ("scale", entry.scale)):
        if given is False:
            continue
        values = np.asarray(values, dtype=np.float64)
        number = _statistic(values, key) if given is True else np.asarray(given, dtype=np.float64)
        if number.shape not in ((), values.shape[1:]):
            message = f"{number.size} numbers are given for data of shape {values.shape}."
            raise DataError(message, where=(key,), remedy="Give one number, or one per column.")
        if key == "scale" and not (number > 0).all():
            remedy = "Give positive numbers."
            raise DataError(f"data cannot be divided by {number.min():g}.", where=(key,), remedy=remedy)
        values = values - number if key == "center" else values / number
        written[key] = number.tolist()
    return LoadedData(as_data_array(values, ""), dims, source, written, coords)


def _statistic(values: NDArray[Any], key: str) -> NDArray[Any]:
    """The mean, or the standard deviation with divisor n - 1, of what is not missing in each column."""
    seen = values.ndim > 0 and (~np.isnan(values)).sum(axis=0).min(initial=len(values)) >= (2 if key == "scale" else 1)
    if not seen:
        message = f"data of shape {values.shape} have no {'mean' if key == 'center' else 'standard deviation'}."
        raise DataError(message, where=(key,), remedy="Give a number.")
    if key == "center":
        return np.asarray(np.nanmean(values, axis=0))
    deviation = np.asarray(np.nanstd(values, axis=0, ddof=1))
    if not (deviation > 0).all():
        raise DataError("a column is constant; it has no scale.", where=(key,), remedy="Leave the column out.")
    return deviation
