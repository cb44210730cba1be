"""What `exmc watch` does: shows a run that another process drives, by its directory or on its scheduler."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from exmc.errors import StoreError
from exmc.sampling.options import SamplerOptions
from exmc.trace.files import Location
from exmc.trace.store import RunStore
from pipelines.arguments import Shown
from pipelines.attachment import Pause, listening
from pipelines.checkpoint import read_checkpoint
from pipelines.exits import FAILED, PASSED
from pipelines.guard import say
from pipelines.locks import being_run
from pipelines.mirror import Mirror, mirrored
from pipelines.page_process import PageProcess
from pipelines.remote import attachment_to, seen_here
from pipelines.reporting import conclude, progress_of
from pipelines.requests import Wish, request
from pipelines.run import result_of
from pipelines.standing import unfinished
from pipelines.topic import Announcement
from pipelines.watching import events_of


@dataclass(frozen=True, slots=True)
class _Watched:
    """A run to be shown.

    Attributes
    ----------
    label, options
        Its name, and those of its sampler.
    directory
        Where its events and draws are found.
    driven
        Whether somebody drives it.
    ask
        Asks it to pause, go on or stop.
    close
        Says what it came to, given why it ended unfinished if it did; the exit status.
    pause
        Waits for so many seconds, or until something has happened.
    """

    label: str
    options: SamplerOptions
    directory: Location
    driven: Callable[[], bool]
    ask: Callable[[Wish], None]
    close: Callable[[str], int]
    pause: Pause = time.sleep


def watch(directory: Location, once: bool, shown: Shown) -> int:
    """Show the events of the run in `directory`, then what it came to.

    Where its scheduler can be attached to, they are pushed. A page stays when the run has ended, until Ctrl-C. The
    status is that of ``exmc run``; 1 for a run that ended unfinished.
    """
    # What cannot be read is told before anything is shown.
    RunStore.open(directory)
    checkpoint = read_checkpoint(directory)
    plan, driven = checkpoint.plan, partial(being_run, directory)
    attached = listening(checkpoint.cluster, plan) if driven() and not once else contextlib.nullcontext(time.sleep)
    with attached as pause:
        close = partial(_close, directory, shown, driven)
        ask = partial(request, directory)
        return _show(_Watched(plan.label, plan.options, directory, driven, ask, close, pause), once, shown)


def watch_on(address: str, wanted: str | None, once: bool, shown: Shown) -> int:
    """Show a run that goes on on the scheduler at `address`, as `watch` does: the one that is `wanted`.

    Its directory is read where this machine sees it, else through a worker.

    Raises
    ------
    ClusterError
        If the scheduler does not answer, or has no run.
    ConfigError
        If it is not clear which run is meant.
    """
    with attachment_to(address, wanted) as attachment:
        run = attachment.run
        options = SamplerOptions(**run.options)

        def driven() -> bool:
            return attachment.driven

        seen = seen_here(run)
        if seen is not None:
            close, ask = partial(_close, seen, shown, driven), partial(request, seen)
            return _show(_Watched(run.label, options, seen, driven, ask, close, attachment.wait), once, shown)
        looked_at = shown.page or not (shown.quiet or shown.as_json)
        with mirrored(attachment, draws=looked_at) as mirror:
            if shown.page and not mirror.whole:
                print("exmc: no worker reads this run's draws, without which there is no page.", file=sys.stderr)
                shown = shown._replace(page=False)
            close = partial(_close_mirror, mirror, run, shown)
            watched = _Watched(run.label, options, mirror.directory, mirror.driven, mirror.ask, close, mirror.pause)
            return _show(watched, once, shown)


def _show(watched: _Watched, once: bool, shown: Shown) -> int:
    if not shown.page:
        return _follow(watched, once, shown, None)
    page = PageProcess(watched.directory, ask=watched.ask)
    try:
        status = _follow(watched, once, shown, page)
        page.wake()
        with contextlib.suppress(KeyboardInterrupt):
            if page.served():
                print("exmc: the page stays until Ctrl-C.", file=sys.stderr)
                page.wait()
        return status
    finally:
        page.stop()


def _follow(watched: _Watched, once: bool, shown: Shown, page: PageProcess | None) -> int:
    ended = ""
    with progress_of(watched.label, watched.options, watched.directory, shown, page, driver=False) as on_event:
        for event in events_of(watched.directory, once, watched.pause, watched.driven):
            on_event(event)
            ended = event.message if event.kind == "ended" else ""
    return watched.close(ended)


def _close(directory: Location, shown: Shown, driven: Callable[[], bool], ended: str) -> int:
    store = RunStore.open(directory)
    if store.complete:
        return conclude(result_of(directory), shown.quiet, shown.as_json)
    if ended:
        print(f"exmc: {ended}", file=sys.stderr)
    else:
        say(unfinished(store))
    return PASSED if driven() else FAILED


def _close_mirror(mirror: Mirror, run: Announcement, shown: Shown, ended: str) -> int:
    if ended:
        print(f"exmc: {ended}", file=sys.stderr)
        return FAILED
    if mirror.driven():
        say(f"{run.label} goes on, in {run.directory}.")
        return PASSED
    try:
        return conclude(mirror.result(), shown.quiet, shown.as_json)
    except StoreError as error:
        print(f"exmc: {error}", file=sys.stderr)
        say(f"{run.label} is no longer driven. Where its directory is seen: exmc summary {run.directory}")
        return FAILED
