"""Small JSON files that a run cannot do without: each with a checksum inside, and a spare copy beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from exmc.errors import StoreError
from exmc.trace.chunks import checksum
from exmc.trace.files import Location, write_whole

CHECKSUM = "crc32c"


def write_sealed(path: Location, document: Mapping[str, Any]) -> None:
    """Write the JSON object `document` at `path`, and its spare; each appears at once."""
    # Keys that are no strings come back as strings, which the checksum has to be that of.
    plain = json.loads(json.dumps(dict(document)))
    content = json.dumps({CHECKSUM: _seal(plain)} | plain, indent=1, ensure_ascii=False).encode()
    for place in (spare_of(path), path):
        write_whole(place, content)


def read_sealed(path: Location) -> dict[str, Any]:
    """The object that `write_sealed` wrote at `path`, from the spare if the file itself is missing or damaged.

    Raises `FileNotFoundError` if neither is there, and `StoreError` if what is there is damaged.
    """
    faults = []
    for place in (path, spare_of(path)):
        try:
            return _unsealed(place)
        except FileNotFoundError:
            continue
        except ValueError as error:
            faults.append(str(error))
    if not faults:
        raise FileNotFoundError(path)
    raise StoreError(f"{path.name} is damaged: {faults[0]}.", where=(str(path.parent),))


def intact(path: Location) -> bool:
    """Whether the file at `path` and its spare are both as they were written, and agree."""
    try:
        return _unsealed(path) == _unsealed(spare_of(path))
    except (FileNotFoundError, ValueError):
        return False


def spare_of(path: Location) -> Location:
    """Where the spare of `path` lies."""
    return path.with_name(f".{path.name}.spare")


def _unsealed(place: Location) -> dict[str, Any]:
    found = json.loads(place.read_bytes())
    if not isinstance(found, dict):
        raise ValueError("it holds no object")
    if found.pop(CHECKSUM, None) != _seal(found):
        raise ValueError("its checksum is wrong")
    return found


def _seal(plain: Mapping[str, Any]) -> str:
    """The checksum of the values: how they are spaced and ordered in the file is nobody's loss."""
    return f"{checksum(json.dumps(plain, sort_keys=True, separators=(',', ':')).encode()):08x}"
