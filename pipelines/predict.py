"""Predictions of a run for new data: computed part by part and stored beside its draws."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from exmc.compile.sequential import loop_values
from exmc.diagnostics.predictions import Score, Tally, predictions_text
from exmc.errors import ConfigError, ExmcError, ModelError, StoreError, suggest
from exmc.ir import serial
from exmc.ir.model import Model
from exmc.prediction import Prediction, prepare, seed_of
from exmc.trace.dataset import coordinates
from exmc.trace.files import Location, free_bytes, location
from exmc.trace.predictions import PredictionStore, refuse_existing
from exmc.trace.schema import Variable
from exmc.trace.store import RunStore
from pipelines.checkpoint import code_of
from pipelines.code import permitted
from pipelines.config import read_document
from pipelines.new_data import NewData, read_new_data
from pipelines.plan import CONFIG, MODEL
from pipelines.sizes import amount, existing_parent
from pipelines.standing import unfinished

_SHOWN = 40
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """What to predict: for the data in the file `data`, the `variables` (None: the observed and deterministic ones).

    The predictions go to `out`, or to `name` (with the suffix .zarr) in the run directory. `seed` None means the
    run's; with `unfinished` an unfinished run will do. `code` is the folder that the run's own code is in now, if
    that has been moved.
    """

    data: str
    out: str | None = None
    name: str | None = None
    seed: int | None = None
    variables: tuple[str, ...] | None = None
    unfinished: bool = False
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Predicted:
    """Where predictions lie, and what they come to: the first of their `entries` as rows, and the score, if any."""

    store: Location
    rows: list[dict[str, Any]]
    entries: int
    score: Score | None
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The table, and the notes."""
        return "\n".join(
            [*self.notes, *([""] if self.notes else []), predictions_text(self.rows, self.entries, self.score)]
        )

    def document(self) -> dict[str, Any]:
        """As JSON values; numbers that are not finite are null."""
        rows = [{k: _finite(v) if isinstance(v, float) else v for k, v in row.items()} for row in self.rows]
        score = {} if self.score is None else {k: _finite(v) for k, v in self.score._asdict().items()}
        return {
            "store": str(self.store),
            "predictions": rows,
            "entries": self.entries,
            "notes": list(self.notes),
        } | score


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


Watch = Callable[[int, int], None]


def predict_run(directory: Location, request: Request, on_part: Watch = lambda done, total: None) -> Predicted:
    """Predict as `request` says from the run in `directory`; `on_part` is told how many parts of how many are done.

    Raises
    ------
    ConfigError
        For a request that cannot be granted, data that do not fit the model above all; with the place of the fault.
    StoreError
        If the run is unfinished, and if there is something at the place of the predictions.
    """
    store, path = RunStore.open(directory), _path_of(directory, request)
    refuse_existing(path)
    notes = _standing(store, request)
    with permitted(code_of(directory, request.code)):
        model = _model(directory, store)
        for name in request.variables or ():
            if name not in model:
                near = suggest(name, [node.name for node in model.nodes])
                raise ConfigError(f"the model has no variable {name!r}.", where=("--vars",), remedy=near)
        prediction, new = _prepared(store, model, directory, request)
        attributes = {
            "name": store.attributes.get("name", ""),
            "model_digest": store.attributes.get("model_digest", ""),
            "seed": prediction.forecast.seed,
            "data": request.data,
            "notes": [*notes, *prediction.notes()],
        }
        _require_space(prediction, path)
        try:
            tally = _written(prediction, path, attributes, on_part)
        except OSError as error:
            raise StoreError(f"it cannot be written: {error.strerror or error}.", where=(str(path),)) from error
        except ModelError as error:
            # Parameters outside their supports, most often, for which the new data are to blame.
            raise new.places.locate(error) from error
    entries = sum(math.prod(v.shape) for v in prediction.schema.groups["predictions"])
    return Predicted(path, tally.rows(), entries, tally.score(), tuple(attributes["notes"]))


def _path_of(directory: Location, request: Request) -> Location:
    if request.out is not None and request.name is not None:
        raise ConfigError("--out and --name exclude each other.", remedy="Keep one of them.")
    if request.out is not None:
        return location(os.path.expanduser(request.out))
    name = request.name if request.name is not None else "predictions"
    if not _NAME.match(name):
        message = f"{name!r} is not a name."
        raise ConfigError(message, where=("--name",), remedy="Use letters, digits, '-', '_' and '.'; or --out.")
    return directory / f"{name}.zarr"


def _standing(store: RunStore, request: Request) -> list[str]:
    """A note that the run is unfinished, if it is; raises `StoreError` unless that will do."""
    standing = unfinished(store)
    if standing and not (request.unfinished and store.draws_done()):
        way = "" if request.unfinished or not store.draws_done() else "Or predict from its draws so far: --unfinished."
        raise StoreError(standing, remedy=way)
    return [standing] if standing else []


def _model(directory: Location, store: RunStore) -> Model:
    """The model of the run as its user wrote it."""
    try:
        model = serial.loads((directory / MODEL).read_text(encoding="utf-8"))
    except (OSError, ExmcError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"{MODEL} cannot be read: {reason}", where=(str(directory),)) from error
    if serial.digest(model) != store.attributes.get("model_digest"):
        raise StoreError(f"{MODEL} is not the model of this run.", where=(str(directory),), remedy="Restore it.")
    return model


def _prepared(store: RunStore, model: Model, directory: Location, request: Request) -> tuple[Prediction, NewData]:
    attributes = store.attributes
    new = read_new_data(request.data, model, _recorded(directory))
    loops = partial(loop_values, engine=attributes.get("sampler", {}).get("engine", "native"))
    seed = seed_of(attributes) if request.seed is None else request.seed
    posterior = store.read(loaded=False)["posterior"].to_dataset()
    try:
        return prepare(posterior, model, new.data, new.coords, seed, request.variables, loops), new
    except ExmcError as error:
        raise new.places.locate(error) from error


def _recorded(directory: Location) -> dict[str, Mapping[str, Any]]:
    """The entries of the run's data; none if its model was imported."""
    values, _ = read_document(directory / CONFIG)
    found = (values.get("model") or {}).get("data") or {}
    return {name: entry for name, entry in found.items() if isinstance(entry, dict)}


def _require_space(prediction: Prediction, path: Location) -> None:
    schema = prediction.schema
    drawn = [v for group in ("predictions", "log_likelihood") for v in schema.groups.get(group, ())]
    total = schema.chains * schema.draws * sum(v.bytes_per_draw for v in drawn)
    folder = existing_parent(path)
    free = free_bytes(folder)
    if free is not None and total > free:
        message = f"the predictions take {amount(total)}; {amount(free)} are free in {folder}."
        raise ConfigError(message, remedy="Predict fewer --vars, or choose another disk with --out.")


def _written(prediction: Prediction, path: Location, attributes: Mapping[str, Any], on_part: Watch) -> Tally:
    step, schema = prediction.draws_at_once, prediction.schema
    total = schema.chains * -(-schema.draws // step)
    store = PredictionStore.create(path, schema, step, prediction.chains, attributes)
    tally = Tally(dict(_first_labels(prediction, _SHOWN)))
    try:
        for done, part in enumerate(prediction.parts(), 1):
            store.write(part.chain, part.first, part.groups)
            tally.add(part.groups["predictions"], part.groups.get("log_likelihood", {}))
            on_part(done, total)
        store.finish(prediction.data())
    finally:
        store.discard()
    return tally


def _first_labels(prediction: Prediction, limit: int) -> Iterator[tuple[str, Sequence[str]]]:
    """The labels of the first `limit` entries, by variable."""
    for variable in prediction.schema.groups["predictions"]:
        labels = _labels(prediction, variable, limit)
        limit -= len(labels)
        yield variable.name, labels


def _labels(prediction: Prediction, variable: Variable, limit: int) -> list[str]:
    if not variable.shape:
        return [variable.name][:limit]
    axes = coordinates(prediction.schema, "predictions", [variable], ())
    found = []
    for place in range(min(limit, math.prod(variable.shape))):
        index = np.unravel_index(place, variable.shape)
        own = ", ".join(str(axes[dim][i]) for dim, i in zip(variable.dims, index, strict=True))
        found.append(f"{variable.name}[{own}]")
    return found
