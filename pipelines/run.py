"""A run from config to result: its directory is created, run and resumed."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exmc.errors import ClusterError, StoreError
from exmc.methods import NUTS, method_of
from exmc.trace.files import Location, free_bytes, location, open_log
from exmc.trace.fits import Fits
from exmc.trace.journal import Journal
from exmc.trace.store import RunStore
from pipelines import stages
from pipelines.checking import Checked, check_config
from pipelines.checkpoint import Checkpoint, check_agreement, mend, read_checkpoint, write_checkpoint
from pipelines.cluster import connect
from pipelines.code import check_code, moved, permitted
from pipelines.config import Config, load_config, with_out
from pipelines.control import Control
from pipelines.creation import create_run, recorded_options, refuse_occupied
from pipelines.events import Event, Listener, ended_by
from pipelines.graph import follow
from pipelines.locks import driving
from pipelines.plan import CONFIG, EVENTS, Plan, check_versions
from pipelines.reasons import reason
from pipelines.requests import Wish, request
from pipelines.sections import Cluster, RemoteCluster
from pipelines.sizes import amount, unlabelled
from pipelines.stages import Diagnosed
from pipelines.topic import announced

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that has finished: where it lies, how its draws were judged, which chains failed and why."""

    directory: Location
    diagnosed: Diagnosed
    failed: dict[int, str]

    def tree(self) -> xr.DataTree:
        """The results; values are read from disk when they are used."""
        return RunStore.open(self.directory).read(loaded=False)


def run_config(
    path: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    on_event: Listener | None = None,
    code: str | os.PathLike[str] | None = None,
) -> xr.DataTree:
    """Run the config in the YAML file `path`, exactly as ``exmc run`` does, and return the results.

    Parameters
    ----------
    out
        The run directory, instead of the config's.
    overrides
        ``key.path=value`` each, put over the file's values.
    on_event
        Called with each `Event` as it happens.
    code
        A folder whose modules the config may import, beside installed packages.

    Raises
    ------
    ConfigError
        For a config that cannot be run, and a directory that holds another run; nothing has been written then.
    ExmcError
        If the run fails. What was drawn is kept; see `resume`.
    """
    config = with_out(load_config(path, overrides, code=code), out)
    return start(check_config(config), on_event or _ignore).tree()


def start(checked: Checked, on_event: Listener, control: Control | None = None) -> RunResult:
    """Run `checked` in a new directory; by `control` it is paused and stopped."""
    began = time.perf_counter()
    refuse_occupied(checked.config)
    with (
        permitted(checked.code),
        _located(checked.config),
        connect(checked.config.cluster, checked.options.chains) as client,
    ):
        plan = create_run(checked)
        with _driving(plan, on_event) as logged, announced(client, plan, logged) as listener:
            listener(_begun(plan, began))
            places = checked.config.places
            diagnosed = follow(client, plan, listener, began, lambda error: places.locate(error, "model"), control)
            return _result(plan, diagnosed, listener, began)


def prepare(checked: Checked) -> None:
    """Make the run directory of `checked`, for somebody else to draw in: `resume` begins there, too.

    Raises `ClusterError` if it shall run on a scheduler that does not answer.
    """
    refuse_occupied(checked.config)
    if isinstance(checked.config.cluster, RemoteCluster):
        with _located(checked.config), connect(checked.config.cluster, checked.options.chains):
            pass
    create_run(checked)


def resume(
    directory: str | os.PathLike[str] | Location,
    on_event: Listener,
    cluster: Cluster | None = None,
    control: Control | None = None,
    code: str | os.PathLike[str] | None = None,
) -> RunResult:
    """Finish the run in `directory`: failed chains are tried again, damaged draws drawn again.

    A run that is finished and whole is only judged again, and a note says so. `code` is the folder that the run's own
    code is in now, if that is not where it was.

    Raises
    ------
    StoreError
        If there is no run, if another process is at it, if its config, model or draws are not those that its
        checkpoint speaks of, if its code has changed, or if this machine's libraries would draw other numbers.
    """
    return _go_on(_read(directory, code), None, on_event, cluster, control)


def extend(
    directory: str | os.PathLike[str] | Location,
    draws: int,
    on_event: Listener | None = None,
    cluster: Cluster | None = None,
    control: Control | None = None,
    code: str | os.PathLike[str] | None = None,
) -> RunResult:
    """Go on with the run in `directory`, finished or not, until each chain has `draws` draws in all.

    The result is that of a run which had this number from the start, byte for byte. Killed in the middle it is a run
    to be resumed; called again with the same number, it resumes.

    Raises
    ------
    StoreError
        As `resume` does, and if the run has more draws than that already, or the disk has no room for them.
    """
    checkpoint = _read(directory, code)
    planned = checkpoint.plan.options.draws
    if draws < planned:
        message = f"a run of {planned} draws cannot be shortened to {draws}."
        raise StoreError(message, where=(str(directory),), remedy="Slice the results, or begin another run.")
    method = checkpoint.plan.method
    if draws > planned and method != NUTS and method_of(method).fixed_draws:
        message = f"a run of the method {method} cannot be extended: its draws are one whole."
        raise StoreError(message, where=(str(directory),), remedy="Begin another run with more draws.")
    # Who says how many draws there shall be asks for these, whatever the run was begun for.
    exact = replace(checkpoint, plan=replace(checkpoint.plan, until=None))
    return _go_on(exact, draws, on_event or _ignore, cluster, control)


def _read(directory: str | os.PathLike[str] | Location, code: str | os.PathLike[str] | None) -> Checkpoint:
    """The checkpoint in `directory`; its code is there, and what it was, or in the folder `code`."""
    checkpoint = read_checkpoint(location(directory))
    own = moved(checkpoint.plan.code, code)
    check_code(own)
    return replace(checkpoint, plan=replace(checkpoint.plan, code=own))


def restarted(
    directory: str | os.PathLike[str] | Location,
    overrides: Sequence[str] = (),
    code: str | os.PathLike[str] | None = None,
) -> Config:
    """The config in the run directory, to be begun again beside it, in a directory that does not exist yet.

    Its code is what now lies where it was, or in the folder `code`.

    Raises `LocatedError` if that cannot be read.
    """
    source = location(directory).resolve()
    try:
        checkpoint = read_checkpoint(source)
        folder: Path | None = Path(checkpoint.folder)
        own = checkpoint.plan.code
    except StoreError:
        folder, own = source if isinstance(source, Path) else None, None
    config = load_config(source / CONFIG, overrides, folder, code if code is not None or own is None else own.folder)
    beside = (source.with_name(f"{source.name}-restart-{number}") for number in itertools.count(1))
    return with_out(config, next(path for path in beside if not (path.exists() or path.is_symlink())))


def _go_on(
    checkpoint: Checkpoint, draws: int | None, on_event: Listener, cluster: Cluster | None, control: Control | None
) -> RunResult:
    """Finish the run of `checkpoint`, with `draws` draws in all if that is given."""
    with permitted(checkpoint.plan.code):
        return _gone_on(checkpoint, draws, on_event, cluster, control)


def _gone_on(
    checkpoint: Checkpoint, draws: int | None, on_event: Listener, cluster: Cluster | None, control: Control | None
) -> RunResult:
    began, directory = time.perf_counter(), checkpoint.plan.path
    store = RunStore.open(directory)
    longer = checkpoint if draws is None else checkpoint.with_draws(draws)
    plan = longer.plan
    amiss = check_agreement(longer, store, (checkpoint.plan.options.draws,))
    if not amiss and plan.options.draws == store.schema.draws and not store.failures() and store.sound:
        message = "there was nothing to do: the run is finished, and every byte is as it was written"
        on_event(_note(message, began))
        return RunResult(directory, stages.judge(store), {})
    check_versions(plan)
    _check_room(store, plan.options.draws)
    with (
        _driving(plan, on_event) as logged,
        connect(cluster or checkpoint.cluster, plan.options.chains) as client,
        announced(client, plan, logged) as listener,
    ):
        if longer != read_checkpoint(directory):
            # From here on the run is the longer one: whatever is not done of it yet, `resume` does.
            write_checkpoint(longer)
        mend(longer, amiss)
        journal = _revive(store, plan)
        listener(_begun(plan, began))
        for name in amiss:
            listener(_note(f"{name} was missing or damaged, and is written again", began))
        diagnosed = follow(client, plan, listener, began, control=control, journal=journal)
        return _result(plan, diagnosed, listener, began)


def _revive(store: RunStore, plan: Plan) -> Journal:
    """Make a run directory ready to be drawn in: as long as planned, without damage and failures; its journal."""
    if plan.options.draws > store.schema.draws:
        store = store.reopen(plan.options.draws, {"sampler": recorded_options(plan)})
    else:
        store = store.revived()
    store.repair()
    for chain in store.failures():
        store.journal.forgive(chain)
    Fits(plan.path, plan.fingerprint).forgive()
    return store.journal


def _check_room(store: RunStore, draws: int) -> None:
    """Raise `StoreError` if the disk has no room for what `store` lacks of `draws` draws in each chain."""
    schema, folder = store.schema, store.journal.directory
    free = free_bytes(folder)
    # How many draws there are is not asked in vain: on an object store that takes many requests.
    total = 0 if free is None else (draws - store.draws_done()) * schema.chains * schema.bytes_per_draw
    if free is not None and total > free:
        raise StoreError(
            f"{draws} draws in each of {schema.chains} chains take {amount(total)} more; {amount(free)} are free.",
            where=(str(folder),),
            remedy="Make room, or draw less.",
        )
    # Object stores say nothing of the room that they have.
    if (why := unlabelled(draws)) is not None:
        raise StoreError(why, where=(str(folder),), remedy="Draw less.")


@contextlib.contextmanager
def _located(config: Config) -> Iterator[None]:
    """Says in which line of the config the cluster is that cannot be had; the error stays one of the cluster."""
    try:
        yield
    except ClusterError as error:
        if not error.where:
            raise
        raise ClusterError(f"{config.places.of(error.where)}: {error}") from error


@contextlib.contextmanager
def _driving(plan: Plan, on_event: Listener) -> Iterator[Listener]:
    """Be the one driver of the run (`pipelines.locks`), and log each event in its directory.

    The log is for people, and for `pipelines.watching`; a disk that has no room for it ends no run.
    """
    began = time.perf_counter()
    with driving(plan.path) as check, contextlib.closing(open_log(plan.path / EVENTS)) as log:
        # Requests to the driver before; later ones, which see the lock, are for this one.
        request(plan.path, Wish.GO)

        def write(event: Event) -> None:
            with contextlib.suppress(OSError):
                log.write(f"{event.to_json()}\n".encode())

        def listener(event: Event) -> None:
            check()
            write(event)
            on_event(event)

        try:
            yield listener
        except BaseException as error:
            write(ended_by(error, time.perf_counter() - began))
            raise


def _begun(plan: Plan, began: float) -> Event:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Event(kind="started", seconds=time.perf_counter() - began, message=f"{plan.label} at {now}")


def _note(message: str, began: float) -> Event:
    return Event(kind="note", seconds=time.perf_counter() - began, message=message)


def result_of(directory: Location) -> RunResult:
    """What the finished run in `directory` came to, judged again."""
    store = RunStore.open(directory)
    return RunResult(directory, stages.judge(store), _reasons(store))


def _result(plan: Plan, diagnosed: Diagnosed, listener: Listener, began: float) -> RunResult:
    listener(Event(kind="finished", seconds=time.perf_counter() - began))
    return RunResult(plan.path, diagnosed, _reasons(RunStore.open(plan.path)))


def _reasons(store: RunStore) -> dict[int, str]:
    return {chain: reason(text) for chain, text in store.failures().items()}


def _ignore(event: Event) -> None:
    del event
