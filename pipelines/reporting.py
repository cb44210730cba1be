"""What a command shows of a run: its progress, and what it came to."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from exmc.sampling.options import SamplerOptions
from exmc.trace.files import Location
from pipelines.arguments import Shown
from pipelines.cli import DOUBTFUL, PASSED
from pipelines.guard import say, shown_path
from pipelines.run import RunResult
from pipelines.terminal import Progress, opening_lines
from pipelines.worst import WorstRHat


def progress_of(
    name: str, options: SamplerOptions, directory: Location, shown: Shown
) -> contextlib.AbstractContextManager[Any]:
    """A listener that shows the run in `directory` on stderr while it is used as a context; as `shown` says."""
    if shown.quiet or shown.as_json:
        return contextlib.nullcontext(lambda _: None)
    return Progress(name, options, plain=shown.plain, worst=WorstRHat(directory))


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
