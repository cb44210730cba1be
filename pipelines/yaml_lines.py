"""YAML text as plain values with the line of every key; the only user of yaml.

It reads the JSON-like core of YAML 1.2: ``1e-3`` is a number and dates stay text. What YAML 1.1 and 1.2 readers
take differently (``no``, ``012``, ``12:30:00``, ``1_000``) is an error that says what to write instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from exmc.errors import suggest
from pipelines.places import KeyPath, LocatedError

LARGEST = 4_000_000
WIDTH = 110
DEEPEST = 40
MOST_ALIASES = 100
MOST_ALIASED_NODES = 100_000

# The C parser is some twenty times faster; it is missing where PyYAML was built without libyaml.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_CONSTANTS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value
    for value, words in ((True, ("true", "True", "TRUE")), (False, ("false", "False", "FALSE")))
    for word in words
}
_TRAPS = (
    (
        re.compile(r"(?i)(yes|no|on|off)\Z"),
        "is true or false to some YAML readers and text to others.",
        "Write true or false, or put it in quotes if it is text.",
    ),
    (
        re.compile(r"[-+]?0[0-9]+\Z"),
        "with its leading zero is octal to some YAML readers.",
        "Write the number without leading zeros, or put it in quotes if it is text.",
    ),
    (
        re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?\Z"),
        "is a number in base 60 to some YAML readers and text to others.",
        "Put it in quotes if it is text, or write the number.",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9]*(_[0-9]+)+(\.[0-9]*)?\Z"),
        "with its underscores is a number to some YAML readers and text to others.",
        "Write the number without underscores, or put it in quotes if it is text.",
    ),
    (
        re.compile(r"[-+]?0[xob][0-9a-fA-F]+\Z"),
        "is a number to some YAML readers and text to others.",
        "Write it in decimal, or put it in quotes if it is text.",
    ),
)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The values of a YAML text and the line (from 1) of each key, by key path; list items count from 0."""

    values: Any
    lines: Mapping[KeyPath, int]


def read_yaml(raw: bytes, source: str) -> YamlDocument:
    """Read one YAML document; `source` names it in errors.

    Raises `LocatedError` for anything unreadable, ambiguous, repeated, or large enough to be an attack.
    """
    if len(raw) > LARGEST:
        raise LocatedError(
            f"the file has {len(raw)} bytes; a config may have {LARGEST}.",
            place=source,
            remedy="Keep data in a CSV or JSON file and name it with path.",
        )
    text = _decode(raw, source)
    reader = _Reader(source, text)
    try:
        values = reader.document()
    except yaml.YAMLError as error:
        raise _syntax_error(error, source, text) from None
    return YamlDocument(values, reader.lines)


class Row(dict[str, Any]):
    """A mapping that `write_yaml` writes in braces."""


def write_yaml(values: Any) -> str:
    """`values` (mappings, lists, numbers, text, None) as YAML that `read_yaml` reads back the same."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def _decode(raw: bytes, source: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LocatedError(
            f"the file is not UTF-8 text (byte 0x{raw[error.start]:02x}).",
            place=f"{source}:{line}",
            remedy="Save it as UTF-8.",
        ) from None
    match = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
    if match:
        raise LocatedError(
            f"the file holds the control character {match.group()!r}: it is no text.",
            place=f"{source}:{text.count(chr(10), 0, match.start()) + 1}",
        )
    return text


def _syntax_error(error: yaml.YAMLError, source: str, text: str) -> LocatedError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return LocatedError(f"this is not YAML: {error}.", place=source)
    rows = text.splitlines() or [""]
    row = min(mark.line, len(rows) - 1)
    context = getattr(error, "context", None)
    began = getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or "it cannot be read"
    if context:
        reason += f", {context}" + (f" that began on line {began.line + 1}" if began else "")
    remedy = ""
    if "\t" in rows[row][: len(rows[row]) - len(rows[row].lstrip())]:
        reason, remedy = "a tab indents this line", "Indent with spaces; YAML allows no tabs there."
    elif ": " in rows[row] and "mapping values" in reason:
        remedy = "Put text that holds ': ' in quotes, and indent keys of one mapping alike."
    elif "cannot start any token" in reason:
        remedy = "Put text that begins with a special character in quotes."
    return LocatedError(f"this is not YAML: {reason}.", place=f"{source}:{row + 1}", remedy=remedy)


@dataclass(slots=True)
class _Reader:
    """Builds values from the parser's events; the only state of a reading."""

    source: str
    text: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    aliases: int = 0
    aliased_nodes: int = 0
    nodes: int = 0

    def document(self) -> Any:
        events = yaml.parse(self.text, Loader=_LOADER)
        next(events)  # the stream's start
        event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        values = self.value(next(events), events, ())
        next(events)  # the document's end
        event = next(events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.error(event, (), "a second document begins.", "A config is one document: remove the '---'.")
        return values

    def error(self, event: yaml.Event, path: KeyPath, message: str, remedy: str = "") -> LocatedError:
        place = f"{self.source}:{_line(event)}"
        return LocatedError(message, where=path, remedy=remedy, place=place)

    def value(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath) -> Any:
        if len(path) > DEEPEST:
            raise self.error(event, path[:3], f"it is nested deeper than {DEEPEST} levels.")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise self.error(event, path, f"the tag {tag!r} is not allowed.", "Write the plain value.")
        before = self.nodes
        self.nodes += 1
        found: Any
        if isinstance(event, yaml.MappingStartEvent):
            found = self.mapping(events, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self.sequence(events, path)
        else:
            assert isinstance(event, yaml.ScalarEvent)
            found = self.scalar(event, path) if event.implicit[0] else event.value
        if event.anchor is not None:
            self.anchors[event.anchor] = (found, self.nodes - before)
        return found

    def mapping(self, events: Iterator[yaml.Event], path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self.error(event, path, "a key must be a plain name, not a list or mapping.")
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise self.error(event, path, "merge keys (<<) are not supported.", "Write the keys out.")
            here = (*path, key)
            line = _line(event)
            if key in found:
                first = self.lines[here]
                raise self.error(
                    event, here, f"the key {key!r} stands twice, on lines {first} and {line}.", "Remove one of them."
                )
            self.lines[here] = line
            found[key] = self.value(next(events), events, here)
        return found

    def sequence(self, events: Iterator[yaml.Event], path: KeyPath) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, str(len(found)))
            self.lines[here] = _line(event)
            found.append(self.value(event, events, here))
        return found

    def alias(self, event: yaml.AliasEvent, path: KeyPath) -> Any:
        if event.anchor is None or event.anchor not in self.anchors:
            near = suggest(event.anchor or "", self.anchors)
            raise self.error(event, path, f"there is no anchor &{event.anchor} before this alias.", near)
        found, nodes = self.anchors[event.anchor]
        self.aliases += 1
        self.aliased_nodes += nodes
        # An anchor may hold aliases of its own: its size counts as expanded.
        self.nodes += nodes
        if self.aliases > MOST_ALIASES or self.aliased_nodes > MOST_ALIASED_NODES:
            raise self.error(
                event,
                path,
                f"aliases repeat too much ({self.aliases} aliases, {self.aliased_nodes} values).",
                "Write values out, or keep data in a file.",
            )
        return found

    def scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Any:
        text = event.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        for pattern, why, remedy in _TRAPS:
            if pattern.match(text):
                raise self.error(event, path, f"the value {text} {why}", remedy)
        if _INTEGER.match(text):
            return self.integer(event, path)
        if _FLOAT.match(text):
            number = float(text)
            if math.isinf(number):
                raise self.error(event, path, f"the number {text} is too large for a double.")
            return number
        return _SPECIAL.get(text.lower(), text)

    def integer(self, event: yaml.ScalarEvent, path: KeyPath) -> int:
        # The length is looked at first: reading a number of a million digits takes long, and Python refuses it.
        if len(event.value) > 20 or not -(2**63) <= int(event.value) < 2**63:
            shown = event.value if len(event.value) <= 30 else event.value[:27] + "..."
            raise self.error(event, path, f"the whole number {shown} is too large.", "Write it with a point.")
        return int(event.value)


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None
    return event.start_mark.line + 1


class _Dumper(yaml.SafeDumper):
    """Writes text in quotes wherever some YAML reader could take it for something else, and short lists in rows."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Brackets need quotes inside brackets and braces: everywhere, so that formulas look alike.
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ ./+*()-]*[A-Za-z0-9_)]|[A-Za-z_]", text) and not (
        text in _CONSTANTS or any(pattern.match(text) for pattern, _, _ in _TRAPS)
    )
    # In quotes a line that is too long breaks in backslashes.
    folds = len(text) > WIDTH - 30 and text.isascii() and text.isprintable() and text == " ".join(text.split())
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">" if folds else None if plain else '"')


def _represent_number(dumper: yaml.SafeDumper, number: float) -> yaml.Node:
    special = {math.inf: ".inf", -math.inf: "-.inf"}
    text = ".nan" if math.isnan(number) else special.get(number, repr(number))
    if "e" in text and "." not in text:
        # YAML 1.1 readers take 1e-05 for text, so it is written with a point.
        text = text.replace("e", ".0e")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    flat = not any(isinstance(item, dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)


def _represent_row(dumper: yaml.SafeDumper, row: Row) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", row, flow_style=True)


_Dumper.add_representer(Row, _represent_row)
_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_number)
_Dumper.add_representer(list, _represent_list)
