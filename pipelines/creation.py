"""A run directory, made from a checked config where nothing was before."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from exmc.compile.layout import layout_digest, layout_of
from exmc.errors import StoreError
from exmc.ir import serial
from exmc.methods import NUTS, described, statistics_of
from exmc.rewrite.run import report_text
from exmc.trace import files
from exmc.trace.description import DESCRIPTION, STATE, ZARR
from exmc.trace.files import Location
from exmc.trace.schema import schema_of
from exmc.trace.sealed import write_sealed
from exmc.trace.store import RunStore
from pipelines.checking import Checked
from pipelines.checkpoint import Checkpoint, text_digest, write_checkpoint
from pipelines.config import Config, config_text, resolved
from pipelines.places import LocatedError
from pipelines.plan import CONFIG, EXPLANATION, MODEL, Plan, fingerprint, versions
from pipelines.sampler_section import method_settings
from pipelines.sizes import unwritable
from pipelines.warm_start import WARM_START


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
    if why := unwritable(out):
        raise config.places.error(f"{out} cannot be written: {why}.", where)


def _state_of(out: Location) -> str:
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
    method, settings = config.sampler.method, method_settings(config.sampler)
    decisive = fingerprint(digest, options, config.sampler.engine, built_with, checked.code, method, settings)
    plan = _plan_of(checked, decisive)
    layout, warmup = layout_of(rewriting.model), config.run.save_warmup
    schema = schema_of(
        rewriting.source, rewriting.model, layout, options.draws, options.warmup, options.chains, warmup,
        statistics_of(method),
    )  # fmt: skip
    provenance = {
        "name": config.name,
        "model_digest": digest,
        "layout_digest": layout_digest(rewriting.model),
        "fingerprint": plan.fingerprint,
        "sampler": recorded_options(plan),
        "versions": dict(built_with),
        **described(method, settings),
        "data": {name: data.source for name, data in rewriting.source.data.items()},
    }
    text, explanation = config_text(resolved(config)), report_text(rewriting)
    made = not plan.path.exists()
    try:
        RunStore.create(plan.path, schema, attributes=provenance)
    except StoreError as error:
        raise config.places.error(error.message, ("run", "out"), error.remedy) from None
    except OSError as error:
        raise _not_written(config, error) from None
    try:
        (plan.path / MODEL).write_text(serial.dumps(rewriting.source), encoding="utf-8")
        (plan.path / CONFIG).write_text(text, encoding="utf-8")
        (plan.path / EXPLANATION).write_text(explanation, encoding="utf-8")
        if checked.learnt is not None:
            write_sealed(plan.path / WARM_START, checked.learnt)
        write_checkpoint(Checkpoint(plan, config.cluster, text, str(config.folder), digest, text_digest(explanation)))
    except OSError as error:
        _discard(plan.path, made)
        raise _not_written(config, error) from None
    return plan


def recorded_options(plan: Plan) -> dict[str, Any]:
    """The options of the sampler as the root's attributes of a store have them."""
    options = asdict(plan.options)
    if plan.method != NUTS:
        options = {key: options[key] for key in ("seed", "draws", "chains", "initial_radius")}
        options |= {"method": plan.method} | dict(plan.settings)
    return options | {"engine": plan.engine}


def _not_written(config: Config, error: OSError) -> LocatedError:
    return config.places.error(f"{config.out} cannot be written: {error.strerror or error}.", ("run", "out"))


def _discard(directory: Location, made: bool) -> None:
    """Remove a run that could not be written as a whole; the folder too, if it was `made` for it."""
    for name in (MODEL, CONFIG, EXPLANATION):
        (directory / name).unlink(missing_ok=True)
    for folder in (STATE, ZARR):
        files.remove(directory / folder)
    if made:
        files.remove(directory)


def _plan_of(checked: Checked, decisive: str) -> Plan:
    config, section = checked.config, checked.config.run
    return Plan(
        label=config.name,
        directory=str(config.out.absolute()),
        options=checked.options,
        engine=config.sampler.engine,
        watchdog=config.sampler.watchdog,
        until=config.sampler.until.asked,
        segment_seconds=section.segment_seconds,
        retries=section.retries,
        min_chains=config.min_chains,
        fingerprint=decisive,
        versions=versions(),
        prior_draws=section.predictive.prior_draws,
        posterior_predictive=section.predictive.posterior,
        code=checked.code,
        method=config.sampler.method,
        settings=method_settings(config.sampler),
    )
