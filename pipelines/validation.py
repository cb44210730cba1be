"""A mapping read from a config as a typed section, with the first fault said in the user's words."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from exmc.errors import suggest
from pipelines.places import KeyPath, LocatedError, Places

Entry = TypeVar("Entry", bound=BaseModel)

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "list_type": "a list",
}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def parse_section(kind: type[Entry], raw: Any, places: Places, path: KeyPath, also: Iterable[str] = ()) -> Entry:
    """`raw`, found at the key path `path`, as a `kind`; `also` are keys worth suggesting beside the kind's own.

    Raises `LocatedError` for the first fault in the order of the section's keys.
    """
    require_mapping(raw, places, path)
    try:
        return kind.model_validate(raw)
    except ValidationError as errors:
        found = errors.errors()
    # An unknown key is reported first: it is often the cause of a missing one.
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    # The members of a union each report a fault; the one that got deepest into the value is the one meant.
    alike = [e for e in found if e["loc"][:1] == first["loc"][:1] and e["type"] != "extra_forbidden"]
    first = first if first["type"] == "extra_forbidden" else max(alike, key=lambda e: len(_names_in(e["loc"], kind)))
    names = _names_in(first["loc"], kind)
    raise _located(kind, first, [e for e in alike if _names_in(e["loc"], kind) == names], places, path, also)


def require_mapping(raw: Any, places: Places, path: KeyPath) -> None:
    """Raise `LocatedError` unless `raw` is a mapping."""
    if not isinstance(raw, dict):
        raise places.error(f"{shown(raw)} is not a mapping of keys to values.", path)


def unknown_key(key: str, known: Iterable[str], places: Places, path: KeyPath) -> LocatedError:
    """The error for a key that nobody knows, at `path` (which ends with the key)."""
    return places.error(f"unknown key {key!r}.", path, suggest(key, known))


def shown(value: Any) -> str:
    """`value` as a user would recognise it, short."""
    if value is None:
        return "nothing (null)"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _located(
    kind: type[BaseModel], fault: Any, alike: list[Any], places: Places, path: KeyPath, also: Iterable[str]
) -> LocatedError:
    names = _names_in(fault["loc"], kind)
    where = (*path, *names)
    value, category, context = fault["input"], fault["type"], fault.get("ctx", {})
    if category == "extra_forbidden":
        known = [*_inner_section(kind, names[:-1]).model_fields, *also]
        return unknown_key(names[-1], known, places, where)
    if category == "missing":
        return places.error(f"the key {names[-1]!r} is missing.", where)
    if category == "literal_error":
        allowed = _allowed(kind, names)
        return places.error(f"{shown(value)} is none of {', '.join(allowed)}.", where, _near(value, allowed))
    if category in _LIMITS:
        key, word = _LIMITS[category]
        return places.error(f"the value {shown(value)} is not {word} {context[key]}.", where)
    wanted = list(dict.fromkeys(_KINDS[e["type"]] for e in alike if e["type"] in _KINDS))
    if wanted:
        wanted += [word for e in alike if e["type"] == "literal_error" for word in _allowed(kind, names)]
        remedy = "Remove the quotes." if _quoted_number(value, wanted) else ""
        return places.error(f"{shown(value)} is not {' or '.join(wanted)}.", where, remedy)
    return places.error(f"{shown(value)}: {fault['msg']}.", where)


def _near(value: Any, allowed: list[str]) -> str:
    near = suggest(value, allowed) if isinstance(value, str) else ""
    return near if near.startswith("Did") else ""


def _quoted_number(value: Any, wanted: list[str]) -> bool:
    if not isinstance(value, str) or not any("number" in w for w in wanted):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _names_in(location: tuple[Any, ...], kind: type[BaseModel]) -> tuple[str, ...]:
    """The keys of pydantic's location, without the labels it adds for the members of a union."""
    names: list[str] = []
    fields: Mapping[str, FieldInfo] | None = kind.model_fields
    for part in location:
        if fields is not None:
            names.append(str(part))
            inner = getattr(fields.get(str(part)), "annotation", None)
            fields = inner.model_fields if isinstance(inner, type) and issubclass(inner, BaseModel) else None
        elif isinstance(part, int):
            names.append(str(part))
    return tuple(names)


def _inner_section(kind: type[BaseModel], names: tuple[str, ...]) -> type[BaseModel]:
    for name in names:
        inner = kind.model_fields[name].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        kind = inner
    return kind


def _allowed(kind: type[BaseModel], names: tuple[str, ...]) -> list[str]:
    annotation = _inner_section(kind, names[:-1]).model_fields[names[-1]].annotation
    return [str(value) for value in _literals(annotation)]


def _literals(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    return [value for argument in typing.get_args(annotation) for value in _literals(argument)]
