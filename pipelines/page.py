"""The server of a run's live page: a process of its own, woken by lines on its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.server import Server
from tornado.ioloop import IOLoop

from exmc.errors import ExmcError
from exmc.trace.files import Location, location
from exmc.viz.live.page import LivePage
from exmc.viz.live.status import ChainStatus, Request, Status
from exmc.viz.live.view import History, View, look, note
from pipelines.checkpoint import read_checkpoint
from pipelines.live import Live
from pipelines.locks import being_run
from pipelines.page_process import PORT
from pipelines.tally import STAGES, Tally, duration

SHARE = 0.015
"""Of the time that passes, how much of a processor's this process takes to keep browsers up to date."""
_PORTS_TRIED = 20
_SECONDS_BETWEEN_LOOKS = 0.5
# What is waited for at the end, so that browsers get the last word.
_SECONDS_TO_SAY_GOODBYE = 1.5


class PageServer:
    """Shows the run in `directory` to any number of browsers of this machine, on the first free port from `port` on."""

    def __init__(self, directory: Location, port: int = PORT) -> None:
        self.directory = directory
        self._name = read_checkpoint(directory).plan.label
        self._live = Live(directory, points=True)
        self._history = History(self._live.posterior.scalars)
        self._driven = True
        self._view = self._look()
        self._pages: list[tuple[Document, LivePage]] = []
        # Whoever knows the port of a machine that others use, too, does not know this.
        path = f"/{secrets.token_urlsafe(6)}"
        self._server = _serving(Application(FunctionHandler(self._open)), path, port)
        self.port = int(self._server.port or 0)
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self._loop: IOLoop = self._server.io_loop

    def serve(self, woken: threading.Event, ended: threading.Event) -> None:
        """Serve until `ended`; look at the run whenever `woken`. Blocks."""
        follower = threading.Thread(target=self._follow, args=(woken, ended), name="exmc-page", daemon=True)
        self._server.start()
        follower.start()
        self._loop.start()

    def _follow(self, woken: threading.Event, ended: threading.Event) -> None:
        rest = _SECONDS_BETWEEN_LOOKS
        while not ended.is_set():
            before, began = time.process_time(), time.monotonic()
            self._show()
            # Browsers are served meanwhile, so that what that takes counts, too.
            while (passed := time.monotonic() - began) < max(rest, (time.process_time() - before) / SHARE):
                if ended.wait(min(0.2, max(rest - passed, 0.05))):
                    break
            woken.wait()
            woken.clear()
        self._show()
        if self._pages:
            time.sleep(_SECONDS_TO_SAY_GOODBYE)
        self._loop.add_callback(self._loop.stop)

    def _show(self) -> None:
        """Look, and have each browser shown what there is."""
        with contextlib.suppress(ExmcError, OSError):
            self._view = self._look()
            for document, page in list(self._pages):
                document.add_next_tick_callback(partial(page.update, self._view))

    def _look(self) -> View:
        posterior = self._live.posterior
        self._live.refresh(partial(note, posterior, self._history))
        self._driven = being_run(self.directory)
        status = status_of(self._name, self._live.tally, self._driven)
        return look(posterior, status, self._history)

    def _open(self, document: Document) -> None:
        self._pages.append((document, LivePage(document, self._live.posterior, self._view, self._ask)))
        document.on_session_destroyed(lambda context: self._close(document))

    def _close(self, document: Document) -> None:
        self._pages = [entry for entry in self._pages if entry[0] is not document]

    def _ask(self, wanted: Request) -> None:
        """Whoever began this process reads what is wanted, a word a line."""
        with contextlib.suppress(OSError):
            print(wanted, flush=True)


def _serving(application: Application, path: str, first: int) -> Server:
    """A server on loopback, on the first free port; on any, if so many are taken."""
    for port in (*range(first, first + _PORTS_TRIED), 0):
        hosts = [f"{host}:{port}" for host in ("127.0.0.1", "localhost")] if port else None
        with contextlib.suppress(OSError):
            return Server(
                {path: application}, address="127.0.0.1", port=port, allow_websocket_origin=hosts,
                check_unused_sessions_milliseconds=5000, unused_session_lifetime_milliseconds=10_000,
            )  # fmt: skip
    raise ExmcError("no port of this machine is free for the live page.", remedy="Go on without --live.")


def status_of(name: str, tally: Tally, driven: bool) -> Status:
    """What the page says of the run that `tally` counts."""
    took = dict(tally.stages)
    standing = tally.standing
    message = tally.message if standing in ("paused", "ended") else ""
    chains = tuple(
        ChainStatus(
            phase=chain.phase(tally.options),
            done=chain.done,
            total=tally.options.warmup if chain.warmup else tally.options.draws,
            divergences=chain.divergences,
            step_size=chain.step_size,
            gradients_per_draw=chain.gradients_per_draw,
            draws_per_second=chain.draws_per_second,
        )
        for chain in tally.chains
    )
    return Status(
        name=name,
        standing=standing if driven or standing in ("finished", "ended") else "away",
        message=message,
        stages=tuple((words, took.get(stage)) for stage, words in STAGES.items()),
        chains=chains,
        done=tally.done,
        total=tally.total,
        divergences=tally.divergences,
        seconds_left=duration(tally.seconds_left),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page of the run in the directory that is named; its address, or what is wrong, is the first line."""
    (directory,) = sys.argv[1:] if arguments is None else arguments
    # What is shown must not slow what is shown.
    os.nice(10)
    asyncio.set_event_loop(asyncio.new_event_loop())
    try:
        server = PageServer(location(directory))
    except (ExmcError, OSError) as error:
        print(f"error {error}", flush=True)
        return 1
    print(server.url, flush=True)
    woken, ended = threading.Event(), threading.Event()

    def listen() -> None:
        for _ in sys.stdin:
            woken.set()
        ended.set()
        woken.set()

    threading.Thread(target=listen, name="exmc-wakes", daemon=True).start()
    server.serve(woken, ended)
    return 0
