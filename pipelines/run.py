"""A run from config to result: its directory is created, run and resumed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xarray as xr

from exmc.compile.layout import layout_of
from exmc.errors import ClusterError, StoreError
from exmc.ir import serial
from exmc.rewrite.run import report_text
from exmc.sampling.options import SamplerOptions
from exmc.trace.description import DESCRIPTION, STATE, ZARR, read_description
from exmc.trace.schema import schema_of
from exmc.trace.store import RunStore
from pipelines import stages
from pipelines.checking import Checked, check_config
from pipelines.cluster import connect
from pipelines.config import Config, config_text, load_config, parse_cluster, resolved, with_out
from pipelines.events import Event, Listener
from pipelines.graph import follow
from pipelines.places import LocatedError, Places
from pipelines.plan import (
    CONFIG,
    EVENTS,
    EXPLANATION,
    LOCK,
    MODEL,
    PLAN,
    STOP,
    Plan,
    check_versions,
    fingerprint,
    versions,
)
from pipelines.sections import Cluster
from pipelines.sizes import existing_parent
from pipelines.stages import Diagnosed


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that has finished: where it lies, how its draws were judged, which chains failed and why."""

    directory: Path
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

    Raises
    ------
    ConfigError
        For a config that cannot be run, and a directory that holds another run; nothing has been written then.
    ExmcError
        If the run fails. What was drawn is kept; see `resume`.
    """
    config = with_out(load_config(path, overrides), out)
    return start(check_config(config), on_event or _ignore).tree()


def start(checked: Checked, on_event: Listener) -> RunResult:
    """Run `checked` in a new directory."""
    began = time.perf_counter()
    refuse_occupied(checked.config)
    with _located(checked.config), connect(checked.config.cluster, checked.options.chains) as client:
        plan = create_run(checked)
        with _driving(plan, on_event) as listener:
            listener(_begun(plan, began))
            places = checked.config.places
            diagnosed = follow(client, plan, listener, began, lambda error: places.locate(error, "model"))
            return _result(plan, diagnosed, listener, began)


def resume(directory: str | os.PathLike[str], on_event: Listener, cluster: Cluster | None = None) -> RunResult:
    """Finish the run in `directory`: failed chains are tried again, damaged draws drawn again.

    A run that is finished and whole is only judged again, and a note says so.

    Raises
    ------
    StoreError
        If there is no run, if another process is at it, or if this machine's libraries would draw other numbers.
    """
    began = time.perf_counter()
    store = RunStore.open(directory)
    plan, recorded = read_plan(Path(directory))
    if not store.failures() and store.sound:
        message = "there was nothing to do: the run is finished, and every byte is as it was written"
        on_event(Event(kind="note", seconds=time.perf_counter() - began, message=message))
        return RunResult(Path(directory), stages.judge(store), {})
    check_versions(plan)
    with _driving(plan, on_event) as listener, connect(cluster or recorded, plan.options.chains) as client:
        store = store.revived()
        store.repair()
        for chain in store.failures():
            store.journal.forgive(chain)
        (plan.path / STOP).unlink(missing_ok=True)
        listener(_begun(plan, began))
        return _result(plan, follow(client, plan, listener, began), listener, began)


@contextlib.contextmanager
def _located(config: Config) -> Iterator[None]:
    """Says in which line of the config the cluster is that cannot be had; the error stays one of the cluster."""
    try:
        yield
    except ClusterError as error:
        if not error.where:
            raise
        raise ClusterError(f"{config.places.of(error.where)}: {error}") from error


def refuse_occupied(config: Config) -> None:
    """Raise `LocatedError` if the run directory holds anything, or cannot be made."""
    out, where = config.out, ("run", "out")
    if (out / STATE / DESCRIPTION).exists() or (out / ZARR).exists():
        remedy = f"Choose another with --out, or go on with that run: exmc resume {out}"
        raise config.places.error(f"{out} holds another run{_state_of(out)}.", where, remedy)
    if out.is_dir():
        if any(out.iterdir()):
            raise config.places.error(f"{out} is not empty.", where, "Choose another with --out.")
    elif out.exists() or out.is_symlink():
        raise config.places.error(f"{out} is a file.", where, "Choose another with --out.")
    parent = existing_parent(out)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise config.places.error(f"{out} cannot be written: {parent} is no folder you may write to.", where)


def _state_of(out: Path) -> str:
    try:
        store = RunStore.open(out)
        begun = str(store.attributes["created_at"])[:16].replace("T", " ")
        return f" ({'finished' if store.complete else 'unfinished'}, begun {begun} UTC)"
    except (StoreError, KeyError):
        return ""


def create_run(checked: Checked) -> Plan:
    """Make the run directory. The store comes first: of two that want the same directory, one gets it."""
    config, rewriting, options = checked.config, checked.rewriting, checked.options
    built_with, digest = versions(), serial.digest(rewriting.source)
    plan = _plan_of(checked, fingerprint(digest, options, config.sampler.engine, built_with))
    layout, warmup = layout_of(rewriting.model), config.run.save_warmup
    schema = schema_of(
        rewriting.source, rewriting.model, layout, options.draws, options.warmup, options.chains, warmup
    )  # fmt: skip
    provenance = {
        "name": config.name,
        "model_digest": digest,
        "fingerprint": plan.fingerprint,
        "sampler": asdict(options) | {"engine": plan.engine},
        "versions": dict(built_with),
        "data": {name: data.source for name, data in rewriting.source.data.items()},
    }
    made = not plan.path.exists()
    try:
        RunStore.create(plan.path, schema, attributes=provenance)
    except StoreError as error:
        raise config.places.error(error.message, ("run", "out"), error.remedy) from None
    except OSError as error:
        raise _not_written(config, error) from None
    try:
        (plan.path / MODEL).write_text(serial.dumps(rewriting.source), encoding="utf-8")
        (plan.path / CONFIG).write_text(config_text(resolved(config)), encoding="utf-8")
        (plan.path / EXPLANATION).write_text(report_text(rewriting), encoding="utf-8")
        recorded = {"plan": asdict(plan), "cluster": config.cluster.model_dump()}
        (plan.path / PLAN).write_text(json.dumps(recorded, indent=1), encoding="utf-8")
    except OSError as error:
        _discard(plan.path, made)
        raise _not_written(config, error) from None
    return plan


def _not_written(config: Config, error: OSError) -> LocatedError:
    return config.places.error(f"{config.out} cannot be written: {error.strerror}.", ("run", "out"))


def _discard(directory: Path, made: bool) -> None:
    """Remove a run that could not be written as a whole; the folder too, if it was `made` for it."""
    for name in (MODEL, CONFIG, EXPLANATION):
        (directory / name).unlink(missing_ok=True)
    for folder in (STATE, ZARR):
        shutil.rmtree(directory / folder, ignore_errors=True)
    if made:
        directory.rmdir()


def _plan_of(checked: Checked, decisive: str) -> Plan:
    config, section = checked.config, checked.config.run
    return Plan(
        label=config.name,
        directory=str(config.out.absolute()),
        options=checked.options,
        engine=config.sampler.engine,
        segment_seconds=section.segment_seconds,
        retries=section.retries,
        min_chains=config.min_chains,
        fingerprint=decisive,
        versions=versions(),
        prior_draws=section.predictive.prior_draws,
        posterior_predictive=section.predictive.posterior,
    )


def read_plan(directory: Path) -> tuple[Plan, Cluster]:
    """The plan of the run in `directory`, wherever that has been moved to, and the cluster it was started on."""
    place = (str(directory),)
    try:
        document = json.loads((directory / PLAN).read_bytes())
        held: dict[str, Any] = document["plan"]
        options = SamplerOptions(**held.pop("options"))
        plan = Plan(**(held | {"options": options, "directory": str(directory.absolute())}))
    except FileNotFoundError:
        read_description(directory)
        if any(directory.glob(f"{STATE}/chain-*/segment-*")):
            raise StoreError(f"{PLAN} is missing.", where=place, remedy="Restore it from a copy.") from None
        message = "the creation of this run was interrupted."
        remedy = "It holds no draws yet: delete the directory and start again."
        raise StoreError(message, where=place, remedy=remedy) from None
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{PLAN} is damaged: {error!r}.", where=place, remedy="Restore it from a copy.") from None
    cluster = parse_cluster(document["cluster"], Places(str(directory / PLAN), {}))
    return plan, cluster


@contextlib.contextmanager
def _driving(plan: Plan, on_event: Listener) -> Iterator[Listener]:
    """Hold the directory's lock (the kernel lets go of it when this process dies), and log each event in it."""
    with open(plan.path / LOCK, "a") as lock, open(plan.path / EVENTS, "a", encoding="utf-8", buffering=1) as log:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                "another process is running this run.", where=(plan.directory,), remedy="Wait for it, or stop it."
            ) from None

        def listener(event: Event) -> None:
            log.write(event.to_json() + "\n")
            on_event(event)

        yield listener


def _begun(plan: Plan, began: float) -> Event:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Event(kind="started", seconds=time.perf_counter() - began, message=f"{plan.label} at {now}")


def _result(plan: Plan, diagnosed: Diagnosed, listener: Listener, began: float) -> RunResult:
    listener(Event(kind="finished", seconds=time.perf_counter() - began))
    failed = {chain: text.strip().splitlines()[-1] for chain, text in RunStore.open(plan.path).failures().items()}
    return RunResult(plan.path, diagnosed, failed)


def _ignore(event: Event) -> None:
    del event
