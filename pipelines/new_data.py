"""New data for the model of a run: a YAML file or a table, coded, centred and scaled as the run's own were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from exmc.errors import DataError, suggest
from exmc.ir.declarations import Label
from exmc.ir.inputs import Labelled
from exmc.ir.model import Model
from pipelines.config import read_document
from pipelines.data_files import DataFiles
from pipelines.data_section import parse_data
from pipelines.model_section import parse_coords
from pipelines.places import LocatedError, Places
from pipelines.validation import require_mapping, shown, unknown_key

_TREATMENT = ("factor", "center", "scale")
_YAML = (".yaml", ".yml")


class NewData(NamedTuple):
    """Values with their dims by the name of the data, labels by dim, and where each was written."""

    data: dict[str, Labelled]
    coords: dict[str, tuple[Label, ...]]
    places: Places


@dataclass(frozen=True, slots=True)
class _Written:
    """Entries of a data section and labels by dim, before they are read; paths are relative to `folder`."""

    entries: dict[str, Any]
    coords: dict[str, tuple[Any, ...]]
    folder: Path


def read_new_data(path: str, model: Model, recorded: Mapping[str, Mapping[str, Any]]) -> NewData:
    """The new data in the file at `path`.

    Parameters
    ----------
    path
        A YAML file with the sections ``data`` and ``coords`` of a model; or a table, whose columns replace the data
        that were read from columns of the same name. A column that is named like a dim of theirs holds its labels.
    model, recorded
        The run's model, and the entries of its data as its config records them: with the numbers that were subtracted
        and divided by. New levels of a factor come after the run's.

    Raises
    ------
    LocatedError
        For what cannot be read, data that the run does not have, and columns that are none of it.
    """
    files = DataFiles(Path.cwd())
    if Path(path).suffix.lower() in _YAML:
        values, places = read_document(path)
        written = _of_document(values, places, model, recorded, Path(path).resolve().parent)
    else:
        places = Places(f"--data {path}", {})
        try:
            written = _of_table(path, places, model, recorded, files)
        except DataError as error:
            raise LocatedError(error.message, place=places.source, remedy=error.remedy) from None
    # The parts of a config's model are known by their places under it.
    inside = Places(places.source, {("model", *key): place for key, place in places.by_path.items()})
    try:
        used = files if written.folder == files.folder else DataFiles(written.folder)
        data, levels = parse_data(written.entries, written.coords, inside, used, known=model.coords)
    except LocatedError as error:
        raise LocatedError(error.message, where=error.where[1:], remedy=error.remedy, place=error.place) from None
    found = {name: Labelled(entry.values, entry.dims, dict(entry.coords)) for name, entry in data.items()}
    return NewData(found, levels, places)


def _of_document(
    values: Mapping[str, Any], places: Places, model: Model, recorded: Mapping[str, Mapping[str, Any]], folder: Path
) -> _Written:
    for key in values:
        if key not in ("data", "coords"):
            remedy = "Write it under data." if key in model.data else ""
            raise places.error(f"unknown key {key!r}.", (key,), remedy or suggest(key, ("data", "coords")))
    entries = values.get("data") or {}
    require_mapping(entries, places, ("data",))
    try:
        coords = parse_coords(values.get("coords"), Places(places.source, {}))
    except LocatedError as error:
        where = error.where[1:]
        raise places.error(error.message, where, error.remedy) from None
    known = [*model.data, *(o.name for o in model.observations)]
    for name in entries:
        if name not in known:
            raise unknown_key(name, known, places, ("data", name))
    merged = {name: _treated(name, raw, recorded.get(name, {}), places) for name, raw in entries.items()}
    return _Written(merged, coords, folder)


def _treated(name: str, raw: Any, recorded: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """The entry `raw` with what the run did to those data."""
    entry = dict(raw) if isinstance(raw, dict) else {"values": raw}
    for key in _TREATMENT:
        if key in entry and entry[key] != recorded.get(key):
            done = f"is {shown(recorded[key])} in the run" if key in recorded else "is not in the run"
            message = f"{key} {shown(entry[key])}: it {done}, and new data are treated as the run's were."
            raise places.error(message, ("data", name, key), "Leave it out.")
    return {key: recorded[key] for key in _TREATMENT if key in recorded} | entry


def _of_table(
    path: str, places: Places, model: Model, recorded: Mapping[str, Mapping[str, Any]], files: DataFiles
) -> _Written:
    columns = files.columns(path)
    entries: dict[str, Any] = {}
    read: set[str] = set()
    for name in model.data:
        entry = recorded.get(name, {})
        column = entry.get("column", name)
        needed = _names(column)
        missing = [c for c in needed if c not in columns]
        if len(missing) == len(needed):
            continue
        if missing:
            message = f"there is no column {missing[0]!r}, which {name!r} consists of."
            raise places.error(message, ("data", name), suggest(missing[0], columns))
        read.update(needed)
        entries[name] = _treated(name, {"path": path, "column": column}, entry, places)
    if not entries:
        wanted = [c for n in model.data for c in _names(recorded.get(n, {}).get("column", n))]
        message = f"none of its columns ({', '.join(columns)}) is data of the run."
        raise places.error(message, (), f"The run's: {', '.join(dict.fromkeys(wanted)) or 'none'}.")
    dims = {dim for name in entries for dim in model.data[name].dims if dim in columns and dim not in read}
    coords = {dim: tuple(files.load_labels(path, dim).labels) for dim in sorted(d for d in dims if d is not None)}
    return _Written(entries, coords, files.folder)


def _names(column: str | list[str]) -> list[str]:
    return [column] if isinstance(column, str) else list(column)
