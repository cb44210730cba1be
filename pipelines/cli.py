"""The entry point of the command line `exmc`: it answers at once, whatever its commands need to import."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

PASSED, FAILED, MISUSED, DOUBTFUL, INTERRUPTED = 0, 1, 2, 3, 130


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


def discard_output() -> None:
    """Let what is still to be written to stdout vanish: Python would complain once more when it closes it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


@contextlib.contextmanager
def stopped_at_once() -> Iterator[None]:
    """Ctrl-C in here ends the process: for imports, which take a second and have nothing to clean up.

    Raised inside an import, KeyboardInterrupt comes out as whatever the module makes of it, such as an ImportError.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _stop)
    # What imports make stays: looking for garbage among it takes a tenth of their time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
        signal.signal(signal.SIGINT, before)


def _stop(number: int, frame: FrameType | None) -> None:
    os.write(2, b"exmc: stopped.\n")
    os._exit(INTERRUPTED)


def _interrupted() -> int:
    print("exmc: stopped.", file=sys.stderr)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
