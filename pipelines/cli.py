"""The entry point of the command line `exmc`: it answers at once, whatever its commands need to import."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence

from pipelines.exits import FAILED, INTERRUPTED, MISUSED, PASSED, discard_output, stopped_at_once


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; `arguments` are those of the process by default."""
    # When it ends, the interpreter looks for garbage among all that was imported, for a third of a second.
    atexit.register(gc.freeze)
    try:
        status = _answer(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        discard_output()
        return PASSED
    except OSError as error:
        discard_output()
        print(f"exmc: the output cannot be written: {error.strerror or error}.", file=sys.stderr)
        return FAILED


def _answer(arguments: Sequence[str] | None) -> int:
    try:
        with stopped_at_once():
            from pipelines.commands import app

        status = app(args=None if arguments is None else list(arguments), prog_name="exmc", standalone_mode=False)
        return int(status or 0)
    except Exception as error:
        if type(error).__name__ == "Abort":
            # What the parser of the command line makes of Ctrl-C.
            return _interrupted()
        # A mistake in the command itself; the parser's exceptions know their message and nothing else here has one.
        describe = getattr(error, "format_message", None)
        if describe is None:
            raise
        print(f"exmc: {describe()}", file=sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        return _interrupted()


def _interrupted() -> int:
    print("exmc: stopped.", file=sys.stderr)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
