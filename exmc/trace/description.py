"""The file by which a directory is known to hold a run, and the names of what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from exmc.errors import StoreError
from exmc.trace.files import Location
from exmc.trace.schema import Schema, from_document, to_document
from exmc.trace.sealed import read_sealed, write_sealed

FORMAT = 2
ZARR = "run.zarr"
STATE = "state"
DESCRIPTION = "store.json"
WORKING = "working.zarr"
BUILDING = "building.zarr"


class Description(NamedTuple):
    """What stays the same as long as a run is drawn: its arrays, draws per chunk, the root's attributes at creation."""

    schema: Schema
    chunk_draws: int
    attributes: Mapping[str, Any]


def write_description(directory: Location, description: Description) -> None:
    """Write the description of the run in `directory`, at once, and a spare of it."""
    document = {
        "format": FORMAT,
        "chunk_draws": description.chunk_draws,
        "attributes": dict(description.attributes),
        "schema": to_document(description.schema),
    }
    write_sealed(directory / STATE / DESCRIPTION, document)


def read_description(directory: Location) -> Description:
    """The description of the run in `directory`; raises `StoreError` if it is missing, damaged or too new or old."""
    try:
        document = read_sealed(directory / STATE / DESCRIPTION)
    except (FileNotFoundError, NotADirectoryError):
        raise _no_run(directory) from None
    except StoreError as error:
        raise _damaged(directory, error.message.partition(": ")[2].rstrip(".")) from None
    found = document.get("format")
    if found != FORMAT:
        raise StoreError(
            f"this run was written in format {found!r}; this version reads {FORMAT}.",
            where=(str(directory),),
            remedy="Use the version of exmc that wrote it.",
        )
    try:
        return Description(
            from_document(document["schema"]), int(document["chunk_draws"]), dict(document["attributes"])
        )
    except StoreError as error:
        raise _damaged(directory, error.message.rstrip(".")) from None
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(directory, f"{type(error).__name__}: {error}") from None


def _no_run(directory: Location) -> StoreError:
    state, where = directory / STATE, (str(directory),)
    # Only what creating a run leaves when it is killed: nobody is told to delete a folder with other files in it.
    if state.is_dir() and all(p.name == BUILDING or p.name.startswith(".") for p in state.iterdir()):
        remedy = "It holds no draws yet: delete the directory and start again."
        return StoreError("the creation of this run was interrupted.", where=where, remedy=remedy)
    remedy = f"A run directory holds {ZARR} and {STATE}/{DESCRIPTION}; check the path, or start a run with it."
    return StoreError("there is no run here.", where=where, remedy=remedy)


def _damaged(directory: Location, reason: str) -> StoreError:
    remedy = "So is its spare: restore it from a copy, or begin again with --force-restart."
    return StoreError(f"{STATE}/{DESCRIPTION} is damaged: {reason}.", where=(str(directory),), remedy=remedy)
