"""The section `model` of a config, read and typed, with its data loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from exmc.distributions import DISTRIBUTIONS
from exmc.errors import DataError
from exmc.ir.nodes import as_data_array
from pipelines.data_files import DataFiles
from pipelines.data_section import LoadedData, parse_data, require_numbers
from pipelines.places import KeyPath, Places
from pipelines.sections import ENTRIES, Entry, ObservationEntry, RandomEntry
from pipelines.validation import parse_section, require_mapping, shown, unknown_key

_PATH: KeyPath = ("model",)


@dataclass(frozen=True, slots=True, eq=False)
class InlineModel:
    """A model written in the config: variables by name, in the order in which they were written."""

    coords: Mapping[str, tuple[Any, ...]]
    data: Mapping[str, LoadedData]
    variables: Mapping[str, Entry]


@dataclass(frozen=True, slots=True, eq=False)
class ImportedModel:
    """A model that a function returns: ``package.module:function``."""

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedModel:
    """A model in its own JSON form, arrays included, as a run directory keeps it."""

    text: str


ModelSource: TypeAlias = InlineModel | ImportedModel | RecordedModel


def parse_model(raw: Any, places: Places, folder: Path) -> InlineModel | ImportedModel:
    """The section `model`; raises `LocatedError`. What the variables mean together is checked when it is built."""
    require_mapping(raw, places, _PATH)
    if "from" in raw:
        return _parse_import(raw, places)
    known = ("coords", "data", "variables", "from", "args")
    for key in raw:
        if key == "args" or key not in known:
            raise unknown_key(key, [k for k in known if k != "args"], places, (*_PATH, key))
    if not raw.get("variables"):
        raise places.error(
            "it has no variables.", _PATH, "Give them under model.variables, or name a function in from."
        )
    files = DataFiles(folder)
    coords = parse_coords(raw.get("coords"), places)
    data, coords = parse_data(_mapping(raw, "data", places), coords, places, files)
    variables = {
        name: _parse_variable(name, entry, places) for name, entry in _mapping(raw, "variables", places).items()
    }
    return InlineModel(coords, data, variables)


def _mapping(raw: dict[str, Any], key: str, places: Places) -> dict[str, Any]:
    found = raw.get(key)
    if found is None:
        return {}
    require_mapping(found, places, (*_PATH, key))
    return dict(found)


def _parse_import(raw: dict[str, Any], places: Places) -> ImportedModel:
    for key in raw:
        if key not in ("from", "args"):
            remedy = "A model is either written here or imported with from and args."
            raise places.error(f"unknown key {key!r} beside from.", (*_PATH, key), remedy)
    target = raw["from"]
    parts = target.split(":") if isinstance(target, str) else []
    if len(parts) != 2 or not all(name.isidentifier() for part in parts for name in part.split(".")):
        where = (*_PATH, "from")
        raise places.error(f"{shown(target)} names no function.", where, "Write package.module:function.")
    arguments = _mapping(raw, "args", places)
    return ImportedModel(target, arguments)


def parse_coords(raw: Any, places: Places) -> dict[str, tuple[Any, ...]]:
    """The section `model.coords`: labels by dim; raises `LocatedError`."""
    if raw is None:
        return {}
    require_mapping(raw, places, (*_PATH, "coords"))
    for dim, labels in raw.items():
        where = (*_PATH, "coords", dim)
        if not isinstance(labels, list) or not labels:
            raise places.error(f"{shown(labels)} is not a list of labels.", where, "Write [a, b, c].")
        kinds = {str if isinstance(v, str) else float if type(v) in (int, float) else None for v in labels}
        if len(kinds) > 1 or None in kinds:
            odd = next(v for v in labels if type(v) not in (int, float, str) or type(v) is not type(labels[0]))
            raise places.error(
                f"the label {shown(odd)} is not of a kind with the others.", where, "Use text or numbers."
            )
    return {dim: tuple(labels) for dim, labels in raw.items()}


def _parse_variable(name: str, raw: Any, places: Places) -> Entry:
    where = (*_PATH, "variables", name)
    if not isinstance(raw, dict):
        remedy = 'Write {dist: Normal, mu: 0, sigma: 1}, or {expr: "a + b"}; fixed values belong under model.data.'
        raise places.error(f"{shown(raw)} is no variable.", where, remedy)
    # A parameter of one's own density may have any name.
    kinds = ["dist"] if _is_open(raw.get("dist")) else [kind for kind in ENTRIES if kind in raw]
    if len(kinds) != 1:
        fault = f"has both {' and '.join(kinds)}" if kinds else f"has neither {', '.join(ENTRIES)}"
        remedy = "" if kinds else _near_keys(raw)
        described = (
            "Give dist for a random variable; expr, scan or ode for a deterministic one; potential for a term; "
            "target for values seen of another variable."
        )
        raise places.error(f"the variable {fault}.", where, remedy or described)
    (kind,) = kinds
    if isinstance(raw[kind], bool):
        raise places.error(f"{shown(raw[kind])} is not an expression.", (*where, kind))
    entry = parse_section(ENTRIES[kind], raw, places, where)
    if isinstance(entry, RandomEntry):
        _check_parameters(entry, places, where)
    elif isinstance(entry, ObservationEntry):
        for key in ("observed", "weight", "mask"):
            if key in entry.model_fields_set:
                _check_value(getattr(entry, key), key != "weight", places, (*where, key))
    return entry


def _is_open(dist: Any) -> bool:
    row = DISTRIBUTIONS.get(dist) if isinstance(dist, str) else None
    return row is not None and row.open


def _near_keys(raw: dict[str, Any]) -> str:
    for key in raw:
        if key.lower().startswith("dist") or key.lower().startswith("expr"):
            return f"Did you mean {key[:4].lower()!r} where it says {key!r}?"
    return ""


def _check_parameters(entry: RandomEntry, places: Places, where: KeyPath) -> None:
    given = entry.model_extra or {}
    _check_names(entry.dist, given, [*RandomEntry.model_fields], places, where)
    arguments = given | {k: getattr(entry, k) for k in ("observed", "weight", "mask") if k in entry.model_fields_set}
    for key, value in arguments.items():
        if key in given and _is_nested(value):
            _check_nested(value, places, (*where, key))
        else:
            _check_value(value, key in ("observed", "mask"), places, (*where, key))
    if entry.observed is not None:
        for key in ("shape", "transform", "centering"):
            if getattr(entry, key) is not None:
                raise places.error(f"{key} is for variables that are not observed.", (*where, key), "Remove it.")


def _check_names(dist: Any, given: Mapping[str, Any], known: list[str], places: Places, where: KeyPath) -> None:
    """Whether the distribution `dist` has the parameters `given`; `known` are other keys that may stand there."""
    distribution = DISTRIBUTIONS.get(dist) if isinstance(dist, str) else None
    if distribution is None or distribution.open:
        return
    parameters = [p.name for p in distribution.parameters]
    for key in given:
        if key not in parameters:
            message = f"{dist} has no parameter {key!r}, and no variable has such a key."
            remedy = unknown_key(key, [*parameters, *known], places, where).remedy
            raise places.error(message, (*where, key), remedy)


def _is_nested(value: Any) -> bool:
    """Whether `value` is a distribution, or a list of distributions."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict) for v in value))


def _check_nested(raw: Any, places: Places, where: KeyPath) -> None:
    """A distribution in the place of a parameter, such as ``{dist: Normal, mu: 0, sigma: 1}``, or a list of them."""
    if isinstance(raw, list):
        for i, component in enumerate(raw):
            _check_nested(component, places, (*where, str(i)))
        return
    if not isinstance(raw, dict) or not isinstance(raw.get("dist"), str):
        remedy = "Write {dist: Normal, mu: 0, sigma: 1}."
        raise places.error(f"{shown(raw)} is not a distribution.", where, remedy)
    given = {key: value for key, value in raw.items() if key != "dist"}
    _check_names(raw["dist"], given, ["dist"], places, where)
    for key, value in given.items():
        if _is_nested(value):
            _check_nested(value, places, (*where, key))
        else:
            _check_value(value, False, places, (*where, key))


def _check_value(value: Any, may_be_true: bool, places: Places, where: KeyPath) -> None:
    if value is None or isinstance(value, dict) or (isinstance(value, bool) and not may_be_true):
        remedy = "Give a number, a name or an expression in quotes."
        raise places.error(f"{shown(value)} is not a value.", where, remedy)
    if isinstance(value, list):
        try:
            require_numbers(value)
            as_data_array(value, "")
        except (DataError, OverflowError) as error:
            message = error.message if isinstance(error, DataError) else "a whole number is too large."
            raise places.error(message, where) from None
