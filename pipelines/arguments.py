"""Arguments and options that several commands have, each with its words for people."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

ConfigFile = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file.")]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="A run directory.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as sampler.draws=500.")
]
Out = Annotated[str | None, typer.Option("--out", metavar="DIR", help="The run directory, instead of the config's.")]
Scheduler = Annotated[str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Run on this Dask scheduler.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless something is wrong.")]
Json = Annotated[bool, typer.Option("--json", help="Write a machine-readable summary, and nothing else, to stdout.")]
ForceRestart = Annotated[
    bool, typer.Option("--force-restart", help="Begin the run again from DIR's config, in a new directory beside DIR.")
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Go on without the terminal; on a Dask cluster the driver lives there.")
]
Plain = Annotated[bool, typer.Option("--plain", help="Show progress as lines, for logs, in a terminal too.")]
Page = Annotated[bool, typer.Option("--live", help="Serve a page that shows the run as it goes on, on this machine.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]


class Shown(NamedTuple):
    """What is shown of a run while it goes on: nothing on stderr if `quiet` or `as_json`, lines if `plain`, a page."""

    quiet: bool
    plain: bool
    as_json: bool
    page: bool = False
