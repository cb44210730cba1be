"""The commands that show: a model and what rewriting makes of it, and the results of a run in pictures."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.arguments import Code, ConfigFile, Debug, Directory, Quiet, Set, checked_config, run_in
from pipelines.cli import PASSED, stopped_at_once
from pipelines.guard import Scene, guarded, say, shown_path


def explain(
    config: ConfigFile,
    set_: Set = None,
    code: Code = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Draw the model as a Mermaid flowchart.")] = False,
    debug: Debug = False,
) -> int:
    """Show the model in CONFIG, what the rewrite passes make of it, and why."""

    def action(scene: Scene) -> int:
        from exmc.ir.text import mermaid as drawing
        from exmc.rewrite.run import report_text

        checked = checked_config(config, None, set_ or [], code)
        say(drawing(checked.rewriting.source) if mermaid else report_text(checked.rewriting), end="")
        return PASSED

    return guarded(action, debug)


def plot(
    directory: Directory,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="trace, rank, forest, pair, energy, autocorr, ess, ppc, loo-pit, dist or prior-posterior.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help=".png, .svg, .pdf, or .html to zoom in.  [default: DIR/KIND.png]"),
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME", help="What to draw: theta, 'theta[Choate]', 'corr[*, 1]'. Repeatable."),
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", min=1, help="How many scalars to draw at most, the worst first.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Draw the results in DIR, by arviz-plots."""

    def action(scene: Scene) -> int:
        where = run_in(directory)
        with stopped_at_once():
            from pipelines.pictures import draw_run
        path, notes = draw_run(where, kind, tuple(variables or ()), most, out)
        if not quiet:
            for note in notes:
                say(note)
            say(f"The picture is {shown_path(path)}.")
        return PASSED

    return guarded(action, debug)
