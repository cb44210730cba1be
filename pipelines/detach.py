"""A local driver that goes on without the terminal: a process of its own, with its log in the run directory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from exmc.errors import ExmcError
from pipelines.exits import DOUBTFUL, PASSED
from pipelines.locks import being_run

LOG = "driver.log"
_EXMC = "import sys; from pipelines.cli import main; sys.exit(main())"
_SECONDS_BETWEEN_LOOKS = 0.05
_LINES_SHOWN = 5


def detach(directory: Path, command: Sequence[str]) -> int:
    """Run `command` of exmc on the run in `directory` in a session of its own; its process id, once it drives the run.

    Raises `ExmcError`, with the end of its log, if it fails before that.
    """
    path = directory / LOG
    with open(path, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _EXMC, *command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    while not being_run(directory):
        status = process.poll()
        if status in (PASSED, DOUBTFUL):
            break
        if status is not None:
            last = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LINES_SHOWN:]
            raise ExmcError(f"the driver ended with status {status}: {' '.join(last)}")
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    # Its end is nobody's business here; without this, Python warns of a child that nobody has waited for.
    process.returncode = 0
    return process.pid
