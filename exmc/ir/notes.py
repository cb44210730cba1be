"""What the user of a model should know of it before it runs: values that are missing, variables that are summed out."""

from __future__ import annotations

from exmc.errors import ExmcError, ModelError
from exmc.ir.calls import form_of
from exmc.ir.missing import missing_notes
from exmc.ir.model import Model


def model_notes(model: Model) -> tuple[ExmcError, ...]:
    """The notes on `model`, a user's, each with its place in the model; often none."""
    return (*missing_notes(model), *_summed_notes(model))


def _summed_notes(model: Model) -> tuple[ModelError, ...]:
    message = "it is discrete, and summed out: results hold the probabilities of its values instead of draws."
    return tuple(ModelError(message, where=("variables", v.name)) for v in model.free if form_of(v.call).discrete)
