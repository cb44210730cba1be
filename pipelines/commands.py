"""The commands of `exmc`: what each does, prints and answers as its exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

import exmc
from exmc.errors import ConfigError, StoreError
from pipelines.cli import DOUBTFUL, INTERRUPTED, PASSED, stopped_at_once
from pipelines.guard import Scene, guarded, say, shown_path

if TYPE_CHECKING:
    from exmc.trace.files import Location
    from pipelines.checking import Checked

# The functions below import what they use, here and nowhere else: numba, xarray, arviz-stats and distributed take
# seconds to import, which `exmc --help` and an error in a config must not cost.

app = typer.Typer(
    name="exmc",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"exmc {exmc.__version__}")
        raise typer.Exit()


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Bayesian inference as a task graph. Exit status: 0 passed, 3 finished but diagnostics failed, 1 failed, 2 bad
    command or config."""


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
Code = Annotated[
    str | None, typer.Option("--code", metavar="DIR", help="A folder whose Python modules CONFIG may import.")
]
MovedCode = Annotated[
    str | None, typer.Option("--code", metavar="DIR", help="Where the run's own code is now, if it has been moved.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]


@app.command()
def run(
    config: ConfigFile, out: Out = None, set_: Set = None, code: Code = None, scheduler: Scheduler = None,
    detach: Detach = False, quiet: Quiet = False, as_json: Json = False, debug: Debug = False,
) -> int:  # fmt: skip
    """Run CONFIG: build, rewrite, compile, warm up, sample and diagnose."""

    def action(scene: Scene) -> int:
        checked = _checked(config, out, set_ or [], code, scheduler)
        with stopped_at_once():
            from pipelines.going_on import Way, begin
        return begin(scene, checked, Way(detach=detach, quiet=quiet, as_json=as_json))

    return guarded(action, debug)


@app.command()
def resume(
    directory: Directory, code: MovedCode = None, scheduler: Scheduler = None, force_restart: ForceRestart = False,
    detach: Detach = False, quiet: Quiet = False, as_json: Json = False, debug: Debug = False,
) -> int:  # fmt: skip
    """Finish the run in DIR: what was drawn is kept, failed chains are tried again. A paused run goes on."""

    def action(scene: Scene) -> int:
        where = _run_in(directory)
        with stopped_at_once():
            from pipelines.going_on import Way, go_on
        return go_on(scene, where, Way(None, code, scheduler, force_restart, detach, quiet, as_json))

    return guarded(action, debug)


@app.command()
def extend(
    directory: Directory,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Draws of each chain, those there are included.")],
    code: MovedCode = None, scheduler: Scheduler = None, force_restart: ForceRestart = False, detach: Detach = False,
    quiet: Quiet = False, as_json: Json = False, debug: Debug = False,
) -> int:  # fmt: skip
    """Draw on in DIR until each chain has N draws: the run that had N from the start."""

    def action(scene: Scene) -> int:
        where = _run_in(directory)
        with stopped_at_once():
            from pipelines.going_on import Way, go_on
        return go_on(scene, where, Way(draws, code, scheduler, force_restart, detach, quiet, as_json))

    return guarded(action, debug)


@app.command()
def watch(
    directory: Directory,
    once: Annotated[bool, typer.Option("--once", help="Show where the run stands, and do not wait.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Show the run in DIR as `exmc run` does, whoever runs it, until it ends. Ctrl-C ends the watching alone."""

    def action(scene: Scene) -> int:
        where = _run_in(directory)
        with stopped_at_once():
            from pipelines.elsewhere import watch as follow
        try:
            return follow(where, once, quiet, as_json)
        except KeyboardInterrupt:
            print(f"exmc: no longer watching. To stop the run: exmc abort {directory}", file=sys.stderr)
            return INTERRUPTED

    return guarded(action, debug)


@app.command()
def pause(directory: Directory, debug: Debug = False) -> int:
    """Have the run in DIR hold, its cluster kept, once its segments are done; `exmc resume DIR` lets it go on."""

    def action(scene: Scene) -> int:
        where = _run_in(directory)
        with stopped_at_once():
            from pipelines.elsewhere import ask
            from pipelines.requests import Wish
        return ask(where, Wish.PAUSE, f"To go on: exmc resume {directory}")

    return guarded(action, debug)


@app.command()
def abort(directory: Directory, debug: Debug = False) -> int:
    """Stop the run in DIR, wherever its driver is, once its segments are done; `exmc resume DIR` finishes it."""

    def action(scene: Scene) -> int:
        where = _run_in(directory)
        with stopped_at_once():
            from pipelines.elsewhere import ask
            from pipelines.requests import Wish
        return ask(where, Wish.STOP, f"To finish it: exmc resume {directory}")

    return guarded(action, debug)


@app.command()
def check(config: ConfigFile, set_: Set = None, code: Code = None, debug: Debug = False) -> int:
    """Read CONFIG and its data, build and rewrite its model, and say what it is; nothing is run or written."""

    def action(scene: Scene) -> int:
        from exmc.compile.layout import layout_of
        from exmc.ir.notes import model_notes

        checked = _checked(config, None, set_ or [], code)
        source, model = checked.rewriting.source, checked.rewriting.model
        observed = ", ".join(o.name for o in source.observations) or "nothing"
        options = checked.options
        say(
            f"{config}: valid. {layout_of(model).dimension} free parameters in {len(source.free)} variables; observed: "
            f"{observed}. {options.chains} chains of {options.warmup} + {options.draws} draws, to {checked.config.out}"
        )
        for note in model_notes(source):
            say(str(checked.config.places.locate(note, "model")))
        return PASSED

    return guarded(action, debug)


@app.command()
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

        checked = _checked(config, None, set_ or [], code)
        say(drawing(checked.rewriting.source) if mermaid else report_text(checked.rewriting), end="")
        return PASSED

    return guarded(action, debug)


@app.command()
def summary(directory: Directory, as_json: Json = False, debug: Debug = False) -> int:
    """Summarise the draws in DIR and judge them; those of an unfinished run are shown, and never pass."""

    def action(scene: Scene) -> int:
        _run_in(directory)
        with stopped_at_once():
            from exmc.trace.store import RunStore
            from pipelines.stages import judge
        found = judge(RunStore.open(directory))
        say(json.dumps(found.values) if as_json else found.text)
        return PASSED if found.passed else DOUBTFUL

    return guarded(action, debug)


@app.command()
def compare(
    directories: Annotated[list[str], typer.Argument(metavar="DIR DIR...", help="Run directories.")],
    method: Annotated[str, typer.Option("--method", metavar="loo|waic", help="How to estimate the elpd.")] = "loo",
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Compare the models of several runs by leave-one-out cross-validation, or by WAIC."""

    def action(scene: Scene) -> int:
        for directory in directories:
            _run_in(directory)
        with stopped_at_once():
            from exmc.diagnostics.compare import compare as rank
            from exmc.diagnostics.text import comparison_document, comparison_text
            from exmc.trace.store import RunStore
            from pipelines.standing import unfinished
        stores = {d: RunStore.open(d) for d in directories}
        for store in stores.values():
            if standing := unfinished(store):
                raise StoreError(standing, remedy="Finished runs can be compared.")
        ranking = rank({d: store.read(loaded=False) for d, store in stores.items()}, method)
        say(json.dumps(comparison_document(ranking)) if as_json else comparison_text(ranking))
        return PASSED

    return guarded(action, debug)


@app.command()
def sbc(
    config: ConfigFile,
    replications: Annotated[
        int, typer.Option("--replications", min=10, max=1_000_000, help="How many times to simulate.")
    ] = 100,
    out: Out = None,
    set_: Set = None,
    code: Code = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Calibrate CONFIG by simulation: fit data drawn from its prior, and test whether the truth's ranks are uniform."""

    def action(scene: Scene) -> int:
        checked = _checked(config, out, set_ or [], code, scheduler)
        with stopped_at_once():
            from pipelines.config import with_out
            from pipelines.sbc import PICTURE, ZARR, calibrate
            from pipelines.terminal import counting
        if out is None:
            # A calibration of a config is another thing than its run.
            checked = replace(checked, config=with_out(checked.config, f"{checked.config.out}-sbc"))
        with counting(f"{checked.config.name}: replications", replications, quiet or as_json) as on_done:
            verdict = calibrate(checked, replications, on_done)
        if as_json:
            print(json.dumps([row._asdict() | {"passed": row.passed} for row in verdict.rows]))
        else:
            folder = shown_path(verdict.directory)
            print(f"{verdict.text}\n\nThe ranks are in {folder}/{ZARR}, their picture is {folder}/{PICTURE}.")
        return PASSED if verdict.passed else DOUBTFUL

    return guarded(action, debug)


@app.command()
def predict(
    directory: Directory,
    data: Annotated[str, typer.Option("--data", metavar="FILE", help="New data: a table, or YAML (data:, coords:).")],
    out: Annotated[str | None, typer.Option("--out", metavar="STORE", help="Where predictions go, instead.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="They go to DIR/NAME.zarr.  [default: predictions]")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another seed than the run's.")] = None,
    variables: Annotated[
        str | None, typer.Option("--vars", metavar="A,B", help="What to predict.  [default: what is observed or kept]")
    ] = None,
    code: MovedCode = None,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="From the draws so far of a run.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:  # fmt: skip
    """Predict from the run in DIR for new data: other rows, another number of them, new groups."""

    def action(scene: Scene) -> int:
        _run_in(directory)
        with stopped_at_once():
            from exmc.trace.files import location
            from pipelines.predict import Request, predict_run
            from pipelines.terminal import working
        wanted = None if variables is None else tuple(part.strip() for part in variables.split(","))
        request = Request(data, out, name, seed, wanted, unfinished, code)
        with working("predicting", quiet or as_json) as on_part:
            found = predict_run(location(directory), request, on_part)
        if as_json:
            say(json.dumps(found.document()))
        elif not quiet:
            say(f"{found.text}\n\nThe predictions are in {shown_path(found.store)}.")
        return PASSED

    return guarded(action, debug)


def _checked(
    config: str, out: str | None, overrides: Sequence[str], code: str | None, scheduler: str | None = None
) -> Checked:
    with stopped_at_once():
        from pipelines.checking import check_config
        from pipelines.config import load_config, scheduler_override, with_out
    loaded = load_config(config, [*overrides, *scheduler_override(scheduler)], code=code)
    return check_config(with_out(loaded, out))


def _run_in(directory: str) -> Location:
    """`directory`, if it holds a run."""
    from exmc.trace.files import location

    if not (location(directory) / "state").is_dir():
        raise ConfigError(f"{directory}: there is no run here.", remedy="Name a run directory, such as runs/<name>.")
    return location(directory)
