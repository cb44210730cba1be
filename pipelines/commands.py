"""The commands of `exmc`: what each does, prints and answers as its exit status."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Annotated

import typer

import exmc
from exmc.errors import ConfigError, StoreError
from pipelines import views
from pipelines.arguments import (
    Chosen,
    Code,
    ConfigFile,
    Debug,
    Detach,
    Directory,
    ForceRestart,
    Json,
    MovedCode,
    Out,
    Page,
    Plain,
    Quiet,
    Scheduler,
    Set,
    Shown,
    WarmStart,
    Watched,
    checked_config,
    run_in,
    run_or_scheduler,
    warm_start_override,
)
from pipelines.exits import DOUBTFUL, INTERRUPTED, PASSED, sigterm_as_control_c, stopped_at_once
from pipelines.guard import Scene, guarded, say, shown_path

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


@app.command()
def run(
    config: ConfigFile, out: Out = None, set_: Set = None, code: Code = None, warm_start: WarmStart = None,
    scheduler: Scheduler = None, detach: Detach = False, quiet: Quiet = False, plain: Plain = False,
    live: Page = False, as_json: Json = False, debug: Debug = False,
) -> int:  # fmt: skip
    """Run CONFIG: build, rewrite, compile, warm up, sample and diagnose."""

    def action(scene: Scene) -> int:
        checked = checked_config(config, out, [*(set_ or []), *warm_start_override(warm_start)], code, scheduler)
        with stopped_at_once():
            from pipelines.going_on import Way, begin
        return begin(scene, checked, Way(detach=detach), Shown(quiet, plain, as_json, live))

    return guarded(action, debug)


@app.command()
def resume(
    where: Watched, run: Chosen = None, code: MovedCode = None, scheduler: Scheduler = None,
    force_restart: ForceRestart = False, detach: Detach = False, quiet: Quiet = False, plain: Plain = False,
    live: Page = False, as_json: Json = False, debug: Debug = False,
) -> int:  # fmt: skip
    """Finish the run in DIR: what was drawn is kept, failed chains are tried again. A paused run goes on, also that on
    the Dask scheduler at ADDRESS."""

    def action(scene: Scene) -> int:
        directory, way = run_or_scheduler(where, run), (code, scheduler, force_restart, detach)
        if directory is not None:
            with stopped_at_once():
                from pipelines.going_on import Way, go_on
            return go_on(scene, directory, Way(None, *way), Shown(quiet, plain, as_json, live))
        if any(way):
            raise ConfigError(
                "--code, --scheduler, --force-restart and --detach are for a run directory, and this is a scheduler.",
                remedy="Leave them out: a paused run goes on as it was. Or name the run's directory.",
            )
        with stopped_at_once():
            from pipelines.asking import let_go_on_at
        return let_go_on_at(where, run)

    return guarded(action, debug)


@app.command()
def extend(
    directory: Directory,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Draws of each chain, those there are included.")],
    code: MovedCode = None, scheduler: Scheduler = None, force_restart: ForceRestart = False, detach: Detach = False,
    quiet: Quiet = False, plain: Plain = False, live: Page = False, as_json: Json = False, debug: Debug = False,
) -> int:  # fmt: skip
    """Draw on in DIR until each chain has N draws: the run that had N from the start."""

    def action(scene: Scene) -> int:
        where = run_in(directory)
        with stopped_at_once():
            from pipelines.going_on import Way, go_on
        way = Way(draws, code, scheduler, force_restart, detach)
        return go_on(scene, where, way, Shown(quiet, plain, as_json, live))

    return guarded(action, debug)


@app.command()
def watch(
    where: Watched,
    run: Chosen = None,
    once: Annotated[bool, typer.Option("--once", help="Show where the run stands, and do not wait.")] = False,
    quiet: Quiet = False,
    plain: Plain = False,
    live: Page = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Show the run in DIR, or on the Dask scheduler at ADDRESS, as `exmc run` does, whoever runs it, until it ends.
    Ctrl-C ends the watching alone."""

    def action(scene: Scene) -> int:
        shown, directory = Shown(quiet, plain, as_json, live), run_or_scheduler(where, run)
        with stopped_at_once():
            from pipelines.watch import watch as follow
            from pipelines.watch import watch_on
        try:
            with sigterm_as_control_c():
                return watch_on(where, run, once, shown) if directory is None else follow(directory, once, shown)
        except KeyboardInterrupt:
            how = f" To stop the run: exmc abort {where}{'' if run is None else f' --run {run}'}"
            print(f"exmc: no longer watching.{how}", file=sys.stderr)
            return INTERRUPTED

    return guarded(action, debug)


@app.command()
def pause(where: Watched, run: Chosen = None, debug: Debug = False) -> int:
    """Have the run in DIR, or on the Dask scheduler at ADDRESS, hold, its cluster kept, once its segments are done;
    `exmc resume` lets it go on."""
    return _ask(where, run, "pause", debug)


@app.command()
def abort(where: Watched, run: Chosen = None, debug: Debug = False) -> int:
    """Stop the run in DIR, or on the Dask scheduler at ADDRESS, wherever its driver is, once its segments are done;
    `exmc resume DIR` finishes it."""
    return _ask(where, run, "stop", debug)


def _ask(where: str, run: str | None, wish: str, debug: bool) -> int:
    def action(scene: Scene) -> int:
        directory = run_or_scheduler(where, run)
        with stopped_at_once():
            from pipelines.asking import ask, ask_on
            from pipelines.requests import Wish
        return ask_on(where, run, Wish(wish)) if directory is None else ask(directory, Wish(wish))

    return guarded(action, debug)


@app.command()
def check(config: ConfigFile, set_: Set = None, code: Code = None, debug: Debug = False) -> int:
    """Read CONFIG and its data, build and rewrite its model, and say what it is; nothing is run or written."""

    def action(scene: Scene) -> int:
        from exmc.compile.layout import layout_of
        from exmc.ir.notes import model_notes
        from exmc.methods import NUTS

        checked = checked_config(config, None, set_ or [], code)
        source, model = checked.rewriting.source, checked.rewriting.model
        observed = ", ".join(o.name for o in source.observations) or "nothing"
        options, method = checked.options, checked.config.sampler.method
        length = f"{options.warmup} + {options.draws} draws" if method == NUTS else f"{options.draws} draws by {method}"
        say(
            f"{config}: valid. {layout_of(model).dimension} free parameters in {len(source.free)} variables; observed: "
            f"{observed}. {options.chains} chains of {length}, to {checked.config.out}"
        )
        for note in model_notes(source):
            say(str(checked.config.places.locate(note, "model")))
        return PASSED

    return guarded(action, debug)


app.command()(views.explain)


@app.command()
def summary(directory: Directory, as_json: Json = False, debug: Debug = False) -> int:
    """Summarise the draws in DIR and judge them; those of an unfinished run are shown, and never pass."""

    def action(scene: Scene) -> int:
        run_in(directory)
        with stopped_at_once():
            from exmc.trace.store import RunStore
            from pipelines.stages import judge
        found = judge(RunStore.open(directory))
        say(json.dumps(found.values) if as_json else found.text)
        return PASSED if found.passed else DOUBTFUL

    return guarded(action, debug)


app.command()(views.plot)
app.command()(views.report)


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
            run_in(directory)
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
        checked = checked_config(config, out, set_ or [], code, scheduler)
        with stopped_at_once():
            from pipelines.config import with_out
            from pipelines.counting import counting
            from pipelines.sbc import PICTURE, ZARR, calibrate
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
        run_in(directory)
        with stopped_at_once():
            from exmc.trace.files import location
            from pipelines.counting import working
            from pipelines.predict import Request, predict_run
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
