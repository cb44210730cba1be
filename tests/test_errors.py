"""Errors: what they show, and that they survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

from exmc import errors
from exmc.errors import ExmcError, ModelError, suggest

KINDS = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, ExmcError)]


def test_text_has_place_message_and_remedy() -> None:
    error = ModelError("sigma is -1.", where=("variables", "theta", "sigma"), remedy="Make it positive.")
    assert str(error) == "variables.theta.sigma: sigma is -1. Make it positive."
    assert str(ModelError("bad.")) == "bad."


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_pickling(kind: type[ExmcError]) -> None:
    error = kind("message", where=("a", "b"), remedy="remedy")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.where, again.remedy) == ("message", ("a", "b"), "remedy")
    assert str(again) == str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_prefixed_by_whoever_knows_more(kind: type[ExmcError]) -> None:
    error = kind("message", where=("theta",), remedy="remedy").within("model", "variables")
    assert type(error) is kind
    assert error.where == ("model", "variables", "theta")
    assert error.remedy == "remedy"


def test_kinds() -> None:
    assert issubclass(errors.ExpressionError, ModelError)
    assert issubclass(errors.DataError, ModelError)
    assert issubclass(errors.MissingLoweringError, errors.CompileError)
    assert all(kind.__doc__ for kind in KINDS)


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("sgima", ["mu", "sigma"], "Did you mean 'sigma'?"),
        ("normal", ["Normal", "Gamma"], "Did you mean 'Normal'?"),
        ("NORMAL", ["Normal", "Gamma"], "Did you mean 'Normal'?"),
        ("zzz", ["mu", "sigma", "mu"], "Known: mu, sigma."),
        ("zzz", [], ""),
    ],
)
def test_suggestions(name: str, known: list[str], text: str) -> None:
    assert suggest(name, known) == text
