"""What the commands share: their arguments, and how these are made sense of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from exmc.errors import ConfigError
from pipelines.exits import stopped_at_once

if TYPE_CHECKING:
    from exmc.trace.files import Location
    from pipelines.checking import Checked

ConfigFile = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file.")]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="A run directory.")]
Watched = Annotated[
    str, typer.Argument(metavar="DIR|ADDRESS", help="A run directory, or a scheduler: tcp://… or tls://….")
]
Chosen = Annotated[
    str | None, typer.Option("--run", metavar="NAME", help="Which run, where several go on on a scheduler.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as sampler.draws=500.")
]
Out = Annotated[str | None, typer.Option("--out", metavar="DIR", help="The run directory, instead of the config's.")]
WarmStart = Annotated[
    str | None,
    typer.Option("--warm-start", metavar="DIR", help="Begin with the metric, step sizes and positions of this run."),
]
Scheduler = Annotated[str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Run on this Dask scheduler.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless something is wrong.")]
Json = Annotated[bool, typer.Option("--json", help="Write a machine-readable summary, and nothing else, to stdout.")]
ForceRestart = Annotated[
    bool, typer.Option("--force-restart", help="Begin the run again from DIR's config, in a new directory beside DIR.")
]
Code = Annotated[
    str | None, typer.Option("--code", metavar="DIR", help="A folder whose Python modules CONFIG may import.")
]
MovedCode = Annotated[
    str | None, typer.Option("--code", metavar="DIR", help="Where the run's own code is now, if it has been moved.")
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Go on without the terminal; on a Dask cluster the driver lives there.")
]
Plain = Annotated[bool, typer.Option("--plain", help="Show progress as lines, for logs, in a terminal too.")]
Page = Annotated[bool, typer.Option("--live", help="Serve a page that shows the run as it goes on, on this machine.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]
# Of Dask's; a scheduler within a process, inproc, has nobody else attached.
_PROTOCOLS = ("tcp", "tls", "ws", "wss", "ucx")


class Shown(NamedTuple):
    """What is shown of a run while it goes on: nothing on stderr if `quiet` or `as_json`, lines if `plain`, a page."""

    quiet: bool
    plain: bool
    as_json: bool
    page: bool = False


def checked_config(
    config: str, out: str | None, overrides: Sequence[str], code: str | None, scheduler: str | None = None
) -> Checked:
    """The config in a file with `overrides`, its model built, rewritten and checked; with `code` it may import."""
    with stopped_at_once():
        from pipelines.checking import check_config
        from pipelines.config import load_config, scheduler_override, with_out
    loaded = load_config(config, [*overrides, *scheduler_override(scheduler)], code=code)
    return check_config(with_out(loaded, out))


def is_scheduler(where: str) -> bool:
    """Whether `where` is the address of a Dask scheduler, and no directory or URL of a store."""
    return where.partition("://")[0] in _PROTOCOLS and "://" in where


def run_or_scheduler(where: str, run: str | None) -> Location | None:
    """The run directory `where`; None if that is a scheduler's address, on which `run` goes on."""
    if is_scheduler(where):
        return None
    if run is not None:
        raise ConfigError("--run chooses among the runs of a scheduler.", remedy="Leave it out.")
    return run_in(where)


def warm_start_override(directory: str | None) -> list[str]:
    """What ``--warm-start`` puts over a config."""
    return [] if directory is None else [f"sampler.warm_start={json.dumps(directory)}"]


def run_in(directory: str) -> Location:
    """`directory`, if it holds a run."""
    from exmc.trace.files import location

    if is_scheduler(directory):
        raise ConfigError(
            f"{directory}: this is a scheduler, and a run directory is wanted.",
            remedy=f"Name the run's directory, from where it is seen; which one it is: exmc watch {directory} --once",
        )
    if not (location(directory) / "state").is_dir():
        raise ConfigError(f"{directory}: there is no run here.", remedy="Name a run directory, such as runs/<name>.")
    return location(directory)
