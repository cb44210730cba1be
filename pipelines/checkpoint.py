"""The checkpoint of a run: all that its directory must agree with before anybody goes on with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from exmc.diagnostics.until import Until
from exmc.errors import ExmcError, StoreError
from exmc.ir import serial
from exmc.ir.model import Model
from exmc.rewrite.run import report_text, rewrite
from exmc.sampling.options import SamplerOptions
from exmc.trace.description import DESCRIPTION, STATE, read_description, write_description
from exmc.trace.files import Location, write_whole
from exmc.trace.journal import Journal
from exmc.trace.sealed import intact, read_sealed, write_sealed
from exmc.trace.store import RunStore
from pipelines.building import build_model
from pipelines.code import Code, check_code, moved
from pipelines.config import config_text, parse_cluster, parse_config
from pipelines.places import LocatedError, Places
from pipelines.plan import CONFIG, EXPLANATION, MODEL, PLAN, Plan
from pipelines.sections import Cluster
from pipelines.yaml_lines import read_yaml


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What ``state/plan.json`` holds.

    Attributes
    ----------
    plan, cluster
        The run, and where it was begun.
    config
        The text of ``config.yaml``.
    folder
        Where the config was that the run was begun with: paths of data are relative to it.
    model_digest, explanation
        Digests of the model, and of the text in ``explain.txt``.
    """

    plan: Plan
    cluster: Cluster
    config: str
    folder: str
    model_digest: str
    explanation: str

    def with_draws(self, draws: int) -> Checkpoint:
        """The checkpoint of the same run with `draws` draws in each chain."""
        plan = replace(self.plan, options=replace(self.plan.options, draws=draws))
        return replace(self, plan=plan, config=config_text(_with_draws(_values(self.config, PLAN), draws)))


def write_checkpoint(checkpoint: Checkpoint) -> None:
    """Write `checkpoint` into its run directory, at once."""
    document = {
        "plan": asdict(checkpoint.plan),
        "cluster": checkpoint.cluster.model_dump(),
        "config": checkpoint.config,
        "folder": checkpoint.folder,
        "model_digest": checkpoint.model_digest,
        "explanation": checkpoint.explanation,
    }
    write_sealed(checkpoint.plan.path / PLAN, document)


def read_checkpoint(directory: Location) -> Checkpoint:
    """The checkpoint of the run in `directory`, wherever that has been moved to.

    Raises `StoreError` if there is none, or if it and its spare are damaged.
    """
    place = (str(directory),)
    again = f"or begin again beside it: exmc resume {directory} --force-restart"
    try:
        document = read_sealed(directory / PLAN)
        held: dict[str, Any] = document["plan"]
        options, code, until = SamplerOptions(**held.pop("options")), held.pop("code", None), held.pop("until", None)
        made = {
            "options": options,
            "code": None if code is None else Code(**code),
            "until": None if until is None else Until(**until),
        }
        plan = Plan(**(held | made | {"directory": str(directory.absolute())}))
        cluster = parse_cluster(document["cluster"], Places(str(directory / PLAN), {}))
        texts = (str(document[key]) for key in ("config", "folder", "model_digest", "explanation"))
        return Checkpoint(plan, cluster, *texts)
    except FileNotFoundError:
        read_description(directory)
        if any(directory.glob(f"{STATE}/chain-*/segment-*")):
            remedy = f"So is its spare: restore it from a copy, {again}"
            raise StoreError(f"{PLAN} is missing.", where=place, remedy=remedy) from None
        message = "the creation of this run was interrupted."
        remedy = "It holds no draws yet: delete the directory and start again."
        raise StoreError(message, where=place, remedy=remedy) from None
    except StoreError as error:
        remedy = f"So is its spare: restore it from a copy, {again}"
        raise StoreError(f"{STATE}/{error.message}", where=place, remedy=remedy) from None
    except (ValueError, KeyError, TypeError, ExmcError) as error:
        message = f"{PLAN} was written by another version: {type(error).__name__}: {error}."
        raise StoreError(message, where=place, remedy=f"Use the one that wrote it, {again}") from None


def code_of(directory: Location, now_in: str | os.PathLike[str] | None = None) -> Code | None:
    """The code that the run in `directory` depends on, in the folder `now_in` if that is given.

    None if it depends on none, or if the checkpoint cannot be read. Raises `CodeError` if files are gone or changed.
    """
    try:
        held = read_sealed(directory / PLAN)["plan"].get("code")
    except (FileNotFoundError, StoreError, KeyError):
        held = None
    found = moved(None if held is None else Code(**held), now_in)
    check_code(found)
    return found


def check_agreement(checkpoint: Checkpoint, store: RunStore, draws: Sequence[int] = ()) -> tuple[str, ...]:
    """Raise `StoreError` for the first thing in the run directory that is not what `checkpoint` says.

    Files that are missing, or so damaged that they say nothing, contradict nothing: they are returned, for `mend`. A
    config that asks for one of `draws` draws is no contradiction either.
    """
    check_config(checkpoint, (*draws, store.schema.draws))
    model, directory = _recorded_model(checkpoint), checkpoint.plan.path
    if model is not None and (found := serial.digest(model)) != checkpoint.model_digest:
        remedy = f"Delete {MODEL}, which is then made again from {CONFIG}, {_again(checkpoint)}"
        raise _contradiction(checkpoint, MODEL, "model_digest", found, checkpoint.model_digest, remedy)
    _check_store(checkpoint, store)
    amiss = {
        PLAN: not intact(directory / PLAN),
        f"{STATE}/{DESCRIPTION}": not intact(directory / STATE / DESCRIPTION),
        CONFIG: _config_is_stale(checkpoint),
        MODEL: model is None,
        EXPLANATION: _explanation_is_damaged(checkpoint),
    }
    return tuple(name for name, wrong in amiss.items() if wrong)


def check_config(checkpoint: Checkpoint, draws: Sequence[int]) -> None:
    """Raise `StoreError` if ``config.yaml`` asks for another run than `checkpoint`'s, or cannot be read."""
    path = checkpoint.plan.path / CONFIG
    undo = f"Undo that (if you delete the file, it is written again), {_again(checkpoint)}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    if checkpoint.config.encode().startswith(content):
        # It is the run's own, or the part of it that a torn file has left: see `mend`.
        return
    try:
        found = read_yaml(content, CONFIG).values
    except LocatedError as error:
        message = f"it is not what the run was begun with, and cannot be read: {error}"
        raise StoreError(message, where=(str(path),), remedy=undo) from None
    recorded = _values(checkpoint.config, PLAN)
    # An extension that was killed has left the shorter config, or its user has written the longer one already.
    allowed = (*draws, checkpoint.plan.options.draws)
    differences = [d for n in allowed if (d := _first_difference(found, _with_draws(recorded, n)))]
    if len(differences) == len(allowed):
        # What differs whatever the draws comes first.
        key, one, other = min(differences, key=lambda d: d[0] == "sampler.draws")
        if key == "sampler.draws" and isinstance(one, int) and one > other:
            undo = f"To draw more: exmc extend {checkpoint.plan.directory} --draws {one}. {undo}"
        raise _contradiction(checkpoint, CONFIG, key, one, other, undo)


def mend(checkpoint: Checkpoint, files: Collection[str]) -> None:
    """Write again those `files`, which `check_agreement` named. Only while nobody else writes.

    Raises `StoreError` if the model is lost and cannot be made again.
    """
    directory = checkpoint.plan.path
    if PLAN in files:
        write_checkpoint(checkpoint)
    if f"{STATE}/{DESCRIPTION}" in files:
        write_description(directory, read_description(directory))
    if CONFIG in files:
        write_whole(directory / CONFIG, checkpoint.config.encode())
    if MODEL in files:
        write_whole(directory / MODEL, serial.dumps(_rebuilt(checkpoint)).encode())
    if EXPLANATION in files:
        model = serial.loads((directory / MODEL).read_text(encoding="utf-8"))
        write_whole(directory / EXPLANATION, report_text(rewrite(model)).encode())


def text_digest(text: str) -> str:
    """SHA-256 (hex) of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()


def _check_store(checkpoint: Checkpoint, store: RunStore) -> None:
    plan, described = checkpoint.plan, read_description(checkpoint.plan.path).attributes
    counts = {
        "chains": (store.schema.chains, plan.options.chains),
        "warmup": (store.schema.warmup, plan.options.warmup),
    }
    for key, (one, other) in counts.items():
        if one != other:
            raise _contradiction(checkpoint, f"{STATE}/{DESCRIPTION}", key, one, other)
    if store.schema.draws > plan.options.draws:
        raise _contradiction(checkpoint, f"{STATE}/{DESCRIPTION}", "draws", store.schema.draws, plan.options.draws)
    if described.get("fingerprint") != plan.fingerprint:
        raise _contradiction(
            checkpoint, f"{STATE}/{DESCRIPTION}", "fingerprint", described.get("fingerprint"), plan.fingerprint
        )
    try:
        found = store.attributes
    except StoreError:
        found = {}
    # Another run differs in its fingerprint and in what that is made of; a flipped bit in one of them only.
    if found and found.get("fingerprint") != plan.fingerprint:
        for key in ("model_digest", "sampler", "versions"):
            if found.get(key) != described.get(key):
                raise _contradiction(checkpoint, store.zarr_path.name, key, found.get(key), described.get(key))
    _check_records(checkpoint, store.journal)


def _check_records(checkpoint: Checkpoint, journal: Journal) -> None:
    for chain in range(journal.schema.chains):
        try:
            record = journal.record(chain, 0)
        except StoreError:
            continue
        if record is not None and record.fingerprint != checkpoint.plan.fingerprint:
            where = f"{STATE}/chain-{chain:05d}"
            raise _contradiction(checkpoint, where, "fingerprint", record.fingerprint, checkpoint.plan.fingerprint)


def _contradiction(
    checkpoint: Checkpoint, file: str, key: str, found: Any, recorded: Any, remedy: str = ""
) -> StoreError:
    message = f"{file} says {key}: {_short(found)}, but the checkpoint says {_short(recorded)}."
    remedy = remedy or f"Restore it from a copy, {_again(checkpoint)}"
    return StoreError(message, where=(checkpoint.plan.directory,), remedy=remedy)


def _again(checkpoint: Checkpoint) -> str:
    return f"or begin a new run beside this one: exmc resume {checkpoint.plan.directory} --force-restart"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _values(text: str, source: str) -> Any:
    return read_yaml(text.encode(), source).values


def _with_draws(values: dict[str, Any], draws: int) -> dict[str, Any]:
    return values | {"sampler": values["sampler"] | {"draws": draws}}


def _config_is_stale(checkpoint: Checkpoint) -> bool:
    """Whether ``config.yaml`` is missing, or not yet that of an extended run; other spacing, and comments, may stay."""
    try:
        content = (checkpoint.plan.path / CONFIG).read_bytes()
        whole = content == checkpoint.config.encode()
        return not whole and read_yaml(content, CONFIG).values != _values(checkpoint.config, PLAN)
    except (FileNotFoundError, LocatedError):
        return True


def _explanation_is_damaged(checkpoint: Checkpoint) -> bool:
    try:
        content = (checkpoint.plan.path / EXPLANATION).read_bytes()
    except FileNotFoundError:
        return True
    return hashlib.sha256(content).hexdigest() != checkpoint.explanation


def _recorded_model(checkpoint: Checkpoint) -> Model | None:
    """The model in ``ir.json``, whichever it is; None if there is none to be read."""
    try:
        return serial.loads((checkpoint.plan.path / MODEL).read_text(encoding="utf-8"))
    except Exception:  # Of damaged JSON anything may come.
        return None


def _rebuilt(checkpoint: Checkpoint) -> Model:
    """The model made again from the config; raises `StoreError` if that does not give it."""
    values, places = _values(checkpoint.config, PLAN), Places(CONFIG, {})
    try:
        config = parse_config(values, places, Path(checkpoint.folder))
        model = build_model(config.model, config.sampler.centering)
        reason = "the config now gives another model" if serial.digest(model) != checkpoint.model_digest else ""
    except ExmcError as error:
        reason = str(error)
    if reason:
        remedy = f"Restore it from a copy, {_again(checkpoint)}"
        message = f"{MODEL} is damaged, and cannot be made again from {CONFIG}: {reason.rstrip('.')}."
        raise StoreError(message, where=(checkpoint.plan.directory,), remedy=remedy)
    return model


def _first_difference(found: Any, recorded: Any, path: tuple[str, ...] = ()) -> tuple[str, Any, Any] | None:
    """The first key in which two configs differ, and the values there ("nothing" where one has no such key)."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        for key in (*recorded, *(k for k in found if k not in recorded)):
            inner = (*path, str(key))
            difference = _first_difference(found.get(key, "nothing"), recorded.get(key, "nothing"), inner)
            if difference is not None:
                return difference
        return None
    return None if found == recorded else (".".join(path) or "the whole", found, recorded)
