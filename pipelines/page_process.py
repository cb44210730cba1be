"""The process that serves a run's live page, as seen by whoever shows the run: begun, woken at each event, ended."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable
from functools import partial

from exmc.errors import ExmcError
from exmc.trace.files import Location
from pipelines.events import Event
from pipelines.requests import Wish, request

PORT = 5006
"""The first port that is tried; Bokeh's own."""
_PROGRAM = "import sys; from pipelines.page import main; sys.exit(main())"
_SECONDS_TO_END = 10.0


class PageProcess:
    """The live page of the run in `directory`, served once the run has begun; `say` is told where, in a line.

    It is a process of its own: whatever becomes of it, the run goes on, and it takes nothing of the run's own process.
    What its buttons ask for goes to `ask`: by default, into the run directory.
    """

    def __init__(
        self,
        directory: Location,
        say: Callable[[str], None] = print,
        ask: Callable[[Wish], None] | None = None,
    ) -> None:
        self.say = say
        self._ask = ask or partial(request, directory)
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self._announced, self._given_up = threading.Event(), False
        self.url = ""

    def wake(self, event: Event | None = None) -> None:
        """Something has happened that the page may show: `event`, or that nobody runs the run any more."""
        if self._process is None:
            # The first event finds the directory made.
            self._begin()
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Let browsers have the last word, and end it."""
        if self._process is None:
            return
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        if not self.url:
            # Nobody knows of it: a short run is over before it is served.
            self._given_up = True
            self._process.kill()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def served(self) -> bool:
        """Wait until it has said where the page is, or why there is none; whether there is one."""
        if self._process is not None:
            self._announced.wait()
        return bool(self.url)

    def wait(self) -> None:
        """Stay until the process ends, by Ctrl-C most often."""
        if self._process is not None:
            self._process.wait()

    def _begin(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(self._directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._announce, name="exmc-page", daemon=True).start()

    def _announce(self) -> None:
        """Say where the page is, then pass on what its buttons ask for."""
        assert self._process is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            try:
                self._tell(self._process.stdout.readline().strip())
            finally:
                self._announced.set()
            for line in self._process.stdout:
                self._pass_on(line.strip())

    def _tell(self, first: str) -> None:
        """Say what the `first` line of the process says; one that ends without a word is told of, too."""
        if first.startswith("http"):
            self.url = first
            port = urllib.parse.urlsplit(first).port
            busy = "" if port == PORT else f" (port {PORT} is busy)"
            self.say(f"live page: {first}{busy}")
        elif not self._given_up:
            self.say(f"there is no live page: {first.removeprefix('error ') or 'its process ended'}")

    def _pass_on(self, wanted: str) -> None:
        """Ask the run for what a button of the page asks for."""
        try:
            self._ask(Wish(wanted))
        except (OSError, ExmcError) as error:
            self.say(f"the run could not be asked to {wanted}: {error}")
