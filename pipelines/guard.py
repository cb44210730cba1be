"""A command's action run so that whatever goes wrong with it is one message and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exmc.errors import ClusterError, ConfigError, ExmcError, ModelError
from pipelines.exits import FAILED, INTERRUPTED, MISUSED, PASSED, discard_output

if TYPE_CHECKING:
    from exmc.trace.files import Location


@dataclass(slots=True)
class Scene:
    """What a command has found out so far about where it acts."""

    directory: Location | None = None


def say(text: str, end: str = "\n") -> None:
    """Print on stdout, now: that it cannot be written is then known here."""
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise ExmcError(f"the output cannot be written: {error.strerror or error}.") from error


def shown_path(path: Location) -> str:
    """`path` from the working directory, if it lies under that; a URL as it is."""
    if not isinstance(path, Path):
        return str(path)
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def guarded(action: Callable[[Scene], int], debug: bool) -> int:
    """The status of `action`; a user's mistake becomes one message, a defect a short one with its traceback on file."""
    scene = Scene()
    try:
        return action(scene)
    except ExmcError as error:
        print(f"exmc: {error}" if not isinstance(error, ConfigError) else str(error), file=sys.stderr)
        if debug:
            traceback.print_exc()
        return _status_of(error)
    except KeyboardInterrupt:
        print(f"exmc: stopped.{_how_to_go_on(scene.directory)}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        discard_output()
        return PASSED
    except OSError as error:
        # Files and folders that cannot be read or written: a matter of the machine, not of exmc.
        print(f"exmc: {error.strerror or error}: {error.filename or 'no file is named'}.", file=sys.stderr)
        if debug:
            traceback.print_exc()
        return FAILED
    except Exception as error:
        place = _keep_traceback(scene.directory) if not debug else ""
        if debug:
            traceback.print_exc()
        print(
            f"exmc: internal error: {type(error).__name__}: {error}. This is a defect of exmc. "
            f"{place or 'Run it with --debug to see the traceback.'}",
            file=sys.stderr,
        )
        return FAILED


def _status_of(error: ExmcError) -> int:
    if type(error).__name__ == "StoppedError":
        return INTERRUPTED
    if isinstance(error, ClusterError):
        return FAILED
    return MISUSED if isinstance(error, ConfigError | ModelError) else FAILED


def _how_to_go_on(folder: Location | None) -> str:
    """How to resume the run in `folder`, as a sentence, if it has come to hold one."""
    # Imported here, as in the commands: it takes long, and few are stopped.
    from pipelines.plan import PLAN

    return f" Go on with: exmc resume {folder}" if folder is not None and (folder / PLAN).is_file() else ""


def _keep_traceback(folder: Location | None) -> str:
    """Write the traceback into the run directory, if there is one; where it is, as a sentence."""
    if folder is None or not (folder / "state").is_dir():
        return ""
    path = folder / "traceback.txt"
    try:
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return ""
    return f"Its traceback is in {path}."
