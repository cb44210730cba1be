"""On which types of processor a run was drawn: equal bytes are promised for one type only."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

from exmc.machine_code import host_target
from exmc.trace.files import Location, create_new

PROCESSORS = "state/processors"


@functools.cache
def processor() -> str:
    """The type of this machine's processor, such as ``skylake-avx512 (x86_64, features 5d0c1a7e)``."""
    target = host_target()
    digest = hashlib.sha256(target.features.encode()).hexdigest()[:8]
    return f"{target.cpu} ({target.triple.split('-')[0]}, features {digest})"


def record_processor(directory: Location) -> None:
    """Note in the run directory that this type of processor drew a part of the run."""
    content = processor().encode()
    path = directory / PROCESSORS / _name_of(content)
    if not path.exists():
        create_new(path, content)


def processors(directory: Location) -> tuple[str, ...]:
    """The types of processor that drew the run so far; a damaged note says nothing."""
    found = ((path.name, path.read_bytes()) for path in (directory / PROCESSORS).glob("[0-9a-f]*"))
    return tuple(sorted(content.decode() for name, content in found if name == _name_of(content)))


def _name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def mixed_note(types: Sequence[str]) -> str:
    """What it means that a run is drawn on processors of several `types`."""
    return (
        f"this run is drawn on processors of {len(types)} types ({'; '.join(types)}): the last bits of its draws may "
        "differ from those of a run on one type"
    )
