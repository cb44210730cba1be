"""A copy, in a folder of this machine, of what is shown of a run elsewhere: fetched through its cluster."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from exmc.errors import ExmcError, StoreError
from exmc.trace import chunks
from exmc.trace.description import DESCRIPTION, STATE, ZARR
from exmc.trace.files import Location, open_log, read_log, write_whole
from exmc.trace.journal import Journal
from pipelines.attachment import Attachment
from pipelines.events import Event
from pipelines.live import SHOWN
from pipelines.locks import driving
from pipelines.plan import EVENTS, PLAN
from pipelines.requests import Wish, request
from pipelines.run import RunResult, result_of

# What is fetched takes time of a worker and of the scheduler. Rested is so many times as long, within bounds.
_REST = 20.0
_SHORTEST_REST, _LONGEST_REST = 0.5, 10.0
_CHUNKS_AT_ONCE = 4


class Mirror:
    """The folder `directory` looks to whoever shows a run like its own: events, draws, and whether it is driven.

    Events are those that were pushed; a watcher who comes late, or was cut off, has the earlier ones from the run's
    log, which a worker reads, or, if none answers, from what the scheduler holds. Draws are fetched as they are told
    of, if `draws`; without a worker that answers there are none, and `whole` is false.
    """

    def __init__(self, attachment: Attachment, folder: Path, draws: bool) -> None:
        self.directory = folder
        self.whole = draws
        self._attachment = attachment
        self._known: set[int] = set()
        self._drawn: dict[int, int] = {}
        self._fetched: dict[int, int] = {}
        self._stack = contextlib.ExitStack()
        self._driven = False
        self._rest = 0.0
        (folder / STATE).mkdir()
        self._log = self._stack.enter_context(contextlib.closing(open_log(folder / EVENTS)))
        self._lock = self._stack.enter_context(contextlib.ExitStack())
        if self.whole:
            with contextlib.suppress(StoreError):
                self._describe()
        self._take(self._past())

    def close(self) -> None:
        """Fetch no more; whoever looks sees a run that nobody drives."""
        self._stack.close()

    def driven(self) -> bool:
        """Whether somebody drives the run; shown by the lock of the folder."""
        if self._attachment.driven and not self._driven:
            self._lock.enter_context(driving(self.directory))
        elif self._driven and not self._attachment.driven:
            self._lock.close()
        self._driven = self._attachment.driven
        return self._driven

    def pause(self, seconds: float) -> None:
        """Wait until something has happened, `seconds` where nobody drives the run, and take it in."""
        time.sleep(max(0.0, self._rest - time.monotonic()))
        self._take(self._attachment.wait(seconds))

    def ask(self, wish: Wish) -> None:
        """Ask the run for `wish`; raises `StoreError` if no worker passes that on."""
        self._attachment.on_worker(request, wish)

    def result(self) -> RunResult:
        """What the finished run came to, judged by a worker; raises `StoreError` if none answers."""
        return self._attachment.on_worker(result_of)

    def _past(self) -> list[str]:
        """The events so far, from the run's last beginning on."""
        with contextlib.suppress(StoreError):
            log = self._attachment.on_worker(_read_log)
            # A log on an object store lags behind.
            return [*log.decode(errors="replace").splitlines(), *self._attachment.held()]
        held = self._attachment.held()
        if any(_kind(line) == "started" for line in held):
            return held
        begun = Event(kind="started", seconds=0.0)
        message = f"no worker reads the run's log: only its last {len(held)} events, which the scheduler holds, count"
        return [begun.to_json(), Event(kind="note", seconds=0.0, message=message).to_json(), *held]

    def _take(self, lines: Sequence[str]) -> None:
        """Have the draws that `lines` tell of, and then the lines, in the folder; each line once."""
        new = [line for line in dict.fromkeys(lines) if hash(line) not in self._known]
        self._known.update(map(hash, new))
        for line in new:
            event = Event.from_json(line.encode())
            if event is not None and event.receipt is not None and not event.receipt.warmup:
                chain, done = event.receipt.chain, event.receipt.draws_done
                self._drawn[chain] = max(self._drawn.get(chain, 0), done)
        if self.whole:
            began = time.monotonic()
            # A worker that was just lost is not asked again before the next event.
            with contextlib.suppress(StoreError):
                self._fetch()
            ended = time.monotonic()
            self._rest = ended + min(max(_SHORTEST_REST, _REST * (ended - began)), _LONGEST_REST)
        for line in new:
            self._log.write(f"{line}\n".encode())

    def _describe(self) -> None:
        """Fetch what says which arrays there are; without it there are no draws."""
        self.whole = False
        names = [f"{STATE}/{DESCRIPTION}", PLAN]
        for name, content in self._attachment.on_worker(_files, names).items():
            write_whole(self.directory / name, content)
        with contextlib.suppress(ExmcError):
            Journal.open(self.directory)
            self.whole = True

    def _fetch(self) -> None:
        """Fetch the chunks of draws that were told of."""
        journal = Journal.open(self.directory)
        while behind := {c: n for c, n in self._drawn.items() if n > self._fetched.get(c, 0)}:
            wanted: dict[str, None] = {}
            for chain, drawn in list(behind.items())[:_CHUNKS_AT_ONCE]:
                # One that was cut short is written anew when a run is extended.
                first = self._fetched.get(chain, 0) // journal.chunk_draws
                wanted |= dict.fromkeys(_names(journal, chain, first))
                behind[chain] = min(drawn, (first + 1) * journal.chunk_draws)
            found = self._attachment.on_worker(_chunks, list(wanted))
            for name, content in found.items():
                write_whole(self.directory / ZARR / name, content)
            if len(found) < len(wanted):
                raise StoreError("draws are not where they were told to be.", where=(self._attachment.run.directory,))
            for chain in list(behind)[:_CHUNKS_AT_ONCE]:
                self._fetched[chain] = behind[chain]


@contextlib.contextmanager
def mirrored(attachment: Attachment, draws: bool) -> Iterator[Mirror]:
    """A mirror of the run, removed at the end; with its draws, if they are wanted."""
    with tempfile.TemporaryDirectory(prefix="exmc-watch-") as folder:
        mirror = Mirror(attachment, Path(folder), draws)
        try:
            yield mirror
        finally:
            mirror.close()


def _names(journal: Journal, chain: int, number: int) -> Iterator[str]:
    """The files of one chunk of what is shown, as seen from the store."""
    groups = journal.schema.groups
    shown = {"posterior": groups["posterior"], "sample_stats": [v for v in groups["sample_stats"] if v.name in SHOWN]}
    for group, variables in shown.items():
        for variable in variables:
            path = chunks.chunk_path(Path(group) / variable.name, chain, number, *(0,) * len(variable.shape))
            yield str(path)


def _kind(line: str) -> str:
    event = Event.from_json(line.encode())
    return "" if event is None else event.kind


# What workers do, where the run's directory is.


def _read_log(directory: Location) -> bytes:
    return read_log(directory / EVENTS, 0)


def _files(directory: Location, names: Sequence[str]) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in names}


def _chunks(directory: Location, names: Sequence[str]) -> dict[str, bytes]:
    arrays, found = Journal.open(directory).arrays, {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = (arrays / name).read_bytes()
    return found
