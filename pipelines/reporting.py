"""What a command shows of a run: its progress, and what it came to."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator

from exmc.sampling.options import SamplerOptions
from exmc.trace.files import Location
from pipelines.arguments import Shown
from pipelines.events import Event, Listener
from pipelines.exits import DOUBTFUL, PASSED
from pipelines.guard import say, shown_path
from pipelines.page_process import PageProcess
from pipelines.run import RunResult
from pipelines.terminal import Progress, opening_lines
from pipelines.worst import WorstRHat


@contextlib.contextmanager
def progress_of(
    name: str,
    options: SamplerOptions,
    directory: Location,
    shown: Shown,
    page: PageProcess | None = None,
    driver: bool = True,
) -> Iterator[Listener]:
    """A listener that shows the run in `directory` on stderr while it is used as a context, as `shown` says.

    A `page` of the caller's is not ended with it; `driver` says whether this process runs the run.
    """
    listeners: list[Listener] = []
    with contextlib.ExitStack() as stack:
        say: Callable[[str], None] = _say_aside
        if not (shown.quiet or shown.as_json):
            shows = Progress(name, options, driver=driver, plain=shown.plain, worst=WorstRHat(directory))
            progress = stack.enter_context(shows)
            listeners.append(progress)
            say = progress.line
        if shown.page and page is None:
            page = PageProcess(directory)
            stack.callback(page.stop)
        if page is not None:
            page.say = say
            listeners.append(page.wake)

        def tell(event: Event) -> None:
            for listener in listeners:
                listener(event)

        yield tell


def _say_aside(text: str) -> None:
    print(f"exmc: {text}", file=sys.stderr, flush=True)


def conclude(result: RunResult, quiet: bool, as_json: bool) -> int:
    """Print what a finished run came to; its exit status."""
    diagnosed, directory = result.diagnosed, shown_path(result.directory)
    zarr = f"{directory}/run.zarr"
    if as_json:
        values = dict(diagnosed.values) | {
            "directory": directory, "store": zarr, "passed": diagnosed.passed,
            "failed_chains": {str(chain): why for chain, why in result.failed.items()},
        }  # fmt: skip
        say(json.dumps(values))
    elif not quiet or not diagnosed.passed:
        say(diagnosed.text.rstrip())
    if not (quiet or as_json):
        for group, why in diagnosed.skipped.items():
            say(f"Without {group}: {why}")
        say(f"\nThe draws are in {zarr}. In Python:\n\n{opening_lines(zarr)}")
    return PASSED if diagnosed.passed and not result.failed else DOUBTFUL
