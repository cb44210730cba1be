"""Running passes: the checks between them and what is told about them."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.expressions import ref
from exmc.ir.model import Model
from exmc.ir.nodes import Call, RandomVariable
from exmc.ir.serial import digest
from exmc.rewrite import DEFAULT_PASSES
from exmc.rewrite.changes import Change
from exmc.rewrite.run import RewriteError, report_text, rewrite, to_json
from tests.rewrite.models import schools, seed_example


def rename(model: Model) -> tuple[Model, tuple[Change, ...]]:
    first = replace(model.nodes[0], name="renamed")
    return model.with_nodes((first, *model.nodes[1:])), (Change("mu", "renamed", "it is a test"),)


def test_passes_run_in_order_and_every_step_is_kept() -> None:
    rewriting = rewrite(seed_example().build())
    assert [s.name for s in rewriting.steps] == list(DEFAULT_PASSES)
    assert rewriting.model is rewriting.steps[-1].model
    assert digest(rewriting.source) == digest(seed_example().build())
    with pytest.raises(FrozenInstanceError):
        rewriting.steps = ()  # type: ignore[misc]


def test_the_order_of_the_table() -> None:
    """What changes likelihoods needs plain observations, centring to know what is free, transforms come last."""
    assert list(DEFAULT_PASSES) == [
        "normalize_observations",
        "marginalize_discrete",
        "impute",
        "lift_affine",
        "lift_matmul",
        "noncenter",
        "default_transforms",
    ]


def test_no_passes() -> None:
    model = seed_example().build()
    assert rewrite(model, {}).model is model


def test_running_again_changes_nothing() -> None:
    once = rewrite(schools().build())
    again = rewrite(once.model)
    assert all(step.changes == () for step in again.steps)
    assert digest(again.model) == digest(once.model)


def test_an_invalid_model_is_the_users_fault() -> None:
    with pytest.raises(ModelError, match="no variable or data named 'm'"):
        rewrite(Model((RandomVariable("x", Call("Normal", (("mu", ref("m")), ("sigma", ref("m"))))),)))


def test_a_pass_that_breaks_the_model_is_named() -> None:
    with pytest.raises(RewriteError, match=r"the rewrite pass 'rename' broke the model: .*'mu'") as caught:
        rewrite(seed_example().build(), {"rename": rename})
    assert "defect of exmc" in caught.value.remedy
    assert caught.value.where == ("variables", "x", "mu")


REPORT = """\
Model
  v_observed[?]: float (2,)
  mu ~ Normal(mu=0, sigma=5)
  x ~ Normal(mu=mu, sigma=1.0)
  v: v_observed ~ x

normalize_observations
  x: became the distribution of the observation v, because observed values are data: neither sampled nor transformed.

marginalize_discrete
  nothing to do

impute
  nothing to do

lift_affine
  nothing to do

lift_matmul
  nothing to do

noncenter
  nothing to do

default_transforms
  mu: transform identity, because Normal has its density on real values.

Model after rewriting
  v_observed[?]: float (2,)
  mu ~ Normal(mu=0, sigma=5)  (transform identity)
  v: v_observed ~ Normal(mu=mu, sigma=1.0)
"""


def example() -> Model:
    return Builder().rv("mu", "Normal", mu=0, sigma=5).rv("x", "Normal", mu="mu").obs("v", "x", [1.0, 2.0]).build()


def test_report_golden() -> None:
    assert report_text(rewrite(example())) == REPORT


def test_json_tells_the_same() -> None:
    rewriting = rewrite(example())
    told = json.loads(json.dumps(to_json(rewriting)))
    assert told["source"]["digest"] == digest(rewriting.source)
    assert [s["name"] for s in told["steps"]] == list(DEFAULT_PASSES)
    assert told["steps"][-1]["changes"] == [
        {"variable": "mu", "what": "transform identity", "why": "Normal has its density on real values"}
    ]
    assert told["steps"][-1]["model"]["digest"] == digest(rewriting.model)
