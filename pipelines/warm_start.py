"""A run that begins with what an earlier one has learnt: positions, step sizes and metrics of its chains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from exmc.compile.layout import layout_digest
from exmc.errors import StoreError
from exmc.ir.model import Model
from exmc.sampling.chain import Carried
from exmc.sampling.state import ChainState
from exmc.trace.description import STATE, read_description
from exmc.trace.files import location
from exmc.trace.journal import Journal
from exmc.trace.records import decode_array, encode_array
from exmc.trace.sealed import read_sealed
from pipelines.config import Config
from pipelines.plan import Plan
from pipelines.sections import SamplerSection

WARM_START = f"{STATE}/warm-start.json"
_WHERE = ("sampler", "warm_start")


def learnt_for(config: Config, model: Model) -> Mapping[str, Any] | None:
    """What the run that ``sampler.warm_start`` names has learnt, as a document; None if none is named.

    Raises `LocatedError` if there is no such run, if no chain of it is warmed up, if its metric is another, or if its
    positions mean something else than those of `model` (rewritten).
    """
    section = config.sampler
    if not isinstance(section, SamplerSection) or section.warm_start is None:
        return None
    directory = location(section.warm_start)
    try:
        attributes = read_description(directory).attributes
        states = _states(Journal.open(directory))
    except StoreError as error:
        raise config.places.error(error.message, _WHERE, error.remedy) from None
    fault = _unlike(attributes, section.metric, layout_digest(model))
    if not fault and not states:
        fault = "none of its chains is warmed up"
    if fault:
        message = f"{directory} cannot be begun from: {fault}."
        raise config.places.error(message, _WHERE, "Leave warm_start out, to warm up anew.")
    return {"chains": [_document(state) for state in states]}


def digest_of(learnt: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of what was learnt."""
    return hashlib.sha256(json.dumps(learnt, sort_keys=True).encode()).hexdigest()


def carried_by(plan: Plan, chain: int) -> Carried:
    """What `chain` of the run `plan` takes over; with fewer chains before, several take the same.

    Raises `StoreError` if the file is missing or damaged.
    """
    try:
        chains = read_sealed(plan.path / WARM_START)["chains"]
    except FileNotFoundError:
        raise StoreError(f"{WARM_START} is missing.", where=(plan.directory,), remedy="Begin another run.") from None
    held = {name: decode_array(array) for name, array in chains[chain % len(chains)].items()}
    step_size, careful = float(held["step_size"]), bool(held["careful"])
    return Carried(held["position"], step_size, held["inverse_mass_matrix"], careful)


def _states(journal: Journal) -> list[ChainState]:
    """The last state of each chain that is past its warm-up."""
    last = [records[-1] for chain in range(journal.schema.chains) if (records := journal.committed(chain))]
    return [ChainState.from_arrays(record.state) for record in last if not record.warmup]


def _unlike(attributes: Mapping[str, Any], metric: str, digest: str) -> str:
    """In what the run with these `attributes` differs from one that could begin from it; nothing if in nothing."""
    before = attributes["sampler"].get("metric")
    if before != metric:
        return f"its metric is {before!r}, and {metric!r} is asked for"
    if attributes.get("layout_digest") != digest:
        return "its model has other parameters: names, shapes, transforms or centering differ"
    return ""


def _document(state: ChainState) -> dict[str, Any]:
    arrays = state.to_arrays()
    return {name: encode_array(arrays[name]) for name in Carried._fields}
