"""From a config's model section to the model: written out, imported, or recorded."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any

import numpy as np

from exmc.distributions.base import Given
from exmc.errors import ExmcError, ModelError
from exmc.imports import import_function
from exmc.ir import serial
from exmc.ir.builder import Builder
from exmc.ir.check import check
from exmc.ir.model import Model
from exmc.ir.nodes import Centering, RandomVariable
from pipelines.model_section import ImportedModel, InlineModel, ModelSource, RecordedModel
from pipelines.sections import DeterministicEntry, ObservationEntry, OdeEntry, PotentialEntry, RandomEntry, ScanEntry


def build_model(source: ModelSource, centering: Centering = "auto") -> Model:
    """The checked model that `source` describes; `centering` is for the variables that choose none themselves.

    Functions that it names are imported as the context permits (`pipelines.code.permitted`). Raises `ModelError`,
    `DataError` or `ExpressionError`, with `where` relative to the section ``model``.
    """
    if isinstance(source, RecordedModel):
        return serial.loads(source.text)
    if isinstance(source, ImportedModel):
        return _with_centering(_call(source), centering)
    return _inline_builder(source, centering).build()


def _inline_builder(source: InlineModel, centering: Centering) -> Builder:
    builder = Builder().coords(**{dim: list(labels) for dim, labels in source.coords.items()})
    for name, data in source.data.items():
        builder.coords(**data.coords).data(name, data.values, data.dims, data.source)
    for name, entry in source.variables.items():
        if isinstance(entry, ObservationEntry):
            seen, weight, mask = (_value(part) for part in (entry.observed, entry.weight, entry.mask))
            builder.obs(name, entry.target, seen, weight=weight, mask=mask, dims=entry.dims)
        elif isinstance(entry, DeterministicEntry):
            builder.det(name, entry.expr, dims=entry.dims, keep=entry.keep)
        elif isinstance(entry, PotentialEntry):
            builder.potential(name, entry.potential, dims=entry.dims, keep=entry.keep)
        elif isinstance(entry, ScanEntry):
            builder.scan(name, **dict(entry.scan), dims=entry.dims, keep=entry.keep)
        elif isinstance(entry, OdeEntry):
            builder.ode(name, **dict(entry.ode), dims=entry.dims, keep=entry.keep)
        else:
            _add_random(builder, name, entry, centering)
    return builder


def _add_random(builder: Builder, name: str, entry: RandomEntry, centering: Centering) -> None:
    parameters = {key: _value(given) for key, given in (entry.model_extra or {}).items()}
    builder.rv(
        name,
        entry.dist,
        dims=entry.dims,
        shape=entry.shape,
        observed=_value(entry.observed),
        weight=_value(entry.weight),
        mask=_value(entry.mask),
        transform=entry.transform,
        # The default is for the variables that are sampled; an observed one has no parameterisation to choose.
        centering=entry.centering or (centering if entry.observed is None else "auto"),
        **parameters,
    )


def _value(given: Any) -> Any:
    """What is written in a config as a builder takes it: distributions among the parameters, lists of numbers."""
    if isinstance(given, dict):
        return Given(given["dist"], tuple((key, _value(value)) for key, value in given.items() if key != "dist"))
    if isinstance(given, list):
        return [_value(item) for item in given] if any(isinstance(v, dict) for v in given) else np.asarray(given)
    return given


def _with_centering(model: Model, centering: Centering) -> Model:
    if centering == "auto":
        return model
    nodes = tuple(
        replace(n, centering=centering) if isinstance(n, RandomVariable) and n.centering == "auto" else n
        for n in model.nodes
    )
    return model.with_nodes(nodes)


def _call(source: ImportedModel) -> Model:
    function = import_function(source.target, ("from",))
    try:
        found = function(**source.arguments)
    except ExmcError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise ModelError(
            f"{source.target} raised {type(error).__name__}: {error} ({frame.filename}:{frame.lineno}).",
            where=("from",),
            remedy="Check the function and the arguments given in args.",
        ) from error
    if isinstance(found, Builder):
        found = found.build()
    if not isinstance(found, Model):
        raise ModelError(
            f"{source.target} returned a value of type {type(found).__name__}.",
            where=("from",),
            remedy="It must return an exmc.Builder or an exmc.Model.",
        )
    check(found)
    return found
