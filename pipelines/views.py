"""The commands that show: a model and what rewriting makes of it, and the results of a run in pictures."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.arguments import Code, ConfigFile, Debug, Directory, Quiet, Set, checked_config, run_in
from pipelines.exits import PASSED, stopped_at_once
from pipelines.guard import Scene, guarded, say, shown_path


def explain(
    config: ConfigFile,
    set_: Set = None,
    code: Code = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print the model as a Mermaid flowchart.")] = False,
    dot: Annotated[bool, typer.Option("--dot", help="Print the model in Graphviz's DOT.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print the model as LaTeX.")] = False,
    after: Annotated[
        str | None, typer.Option("--after", metavar="PASS", help="Of the model after this rewrite pass.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE", help="Draw the model before and after each pass: .html, .svg, .png, .pdf."
        ),
    ] = None,
    debug: Debug = False,
) -> int:
    """Show the model in CONFIG, what the rewrite passes make of it, and why."""

    def action(scene: Scene) -> int:
        checked = checked_config(config, None, set_ or [], code)
        with stopped_at_once():
            from exmc.trace.files import location, write_whole
            from pipelines.explaining import as_file, as_text
        forms = [name for name, wanted in (("mermaid", mermaid), ("dot", dot), ("latex", latex)) if wanted]
        if out is not None:
            write_whole(location(out), as_file(checked.rewriting, checked.config.name, out, after))
            say(f"The drawing is {shown_path(location(out))}.")
        if forms or out is None:
            say("\n".join(as_text(checked.rewriting, form, after) for form in forms or ["text"]), end="")
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


def report(
    directory: Directory,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Where it goes.  [default: DIR/report.html]")
    ] = None,
    debug: Debug = False,
) -> int:
    """Write all there is to know about the run in DIR into one page of HTML, which needs no network."""

    def action(scene: Scene) -> int:
        where = run_in(directory)
        with stopped_at_once():
            from exmc.trace.files import location, write_whole
            from pipelines.report import REPORT
            from pipelines.report import report as page_of
        path = where / REPORT if out is None else location(out)
        write_whole(path, page_of(where).encode())
        say(f"The report is {shown_path(path)}.")
        return PASSED

    return guarded(action, debug)
