"""What every row of DEFAULT_PASSES must keep, on every model: each new row enters by itself."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from exmc.ir.check import check
from exmc.ir.expressions import Reference
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic
from exmc.ir.serial import digest, dumps, loads
from exmc.rewrite import DEFAULT_PASSES
from exmc.rewrite.run import rewrite
from tests.rewrite.densities import draw, log_joint, mapped
from tests.rewrite.models import MODELS

CASES = [pytest.param(p, m, id=f"{p}-{m}") for p in DEFAULT_PASSES for m in MODELS]


def before(pass_name: str, model_name: str) -> Model:
    """The model as `pass_name` finds it: after the passes that come before it."""
    earlier = {}
    for name, function in DEFAULT_PASSES.items():
        if name == pass_name:
            break
        earlier[name] = function
    return rewrite(MODELS[model_name][0]().build(), earlier).model


def still_solved(model: Model, solved: dict[str, str]) -> dict[str, str]:
    """Of `solved` the observations that still target a deterministic."""
    return {
        o.name: solved[o.name]
        for o in model.observations
        if isinstance(o.target, Reference) and isinstance(model[o.target.name], Deterministic)
    }


@pytest.mark.parametrize(("pass_name", "model_name"), CASES)
def test_result_is_valid_and_comes_back_from_json(pass_name: str, model_name: str) -> None:
    result, _ = DEFAULT_PASSES[pass_name](before(pass_name, model_name))
    check(result)
    assert digest(loads(dumps(result))) == digest(result)


@pytest.mark.parametrize(("pass_name", "model_name"), CASES)
def test_deterministic_and_idempotent(pass_name: str, model_name: str) -> None:
    run = DEFAULT_PASSES[pass_name]
    first, changes = run(before(pass_name, model_name))
    second, same_changes = run(before(pass_name, model_name))
    assert (digest(first), changes) == (digest(second), same_changes)
    again, no_changes = run(first)
    assert no_changes == ()
    assert digest(again) == digest(first)


@pytest.mark.parametrize(("pass_name", "model_name"), CASES)
def test_changes_are_told_if_and_only_if_the_model_changes(pass_name: str, model_name: str) -> None:
    model = before(pass_name, model_name)
    result, changes = DEFAULT_PASSES[pass_name](model)
    assert bool(changes) == (digest(result) != digest(model))
    for change in changes:
        assert change.variable in model
        assert change.what
        assert change.why


@pytest.mark.parametrize(("pass_name", "model_name"), CASES)
def test_density_is_kept(pass_name: str, model_name: str) -> None:
    """Up to the Jacobian of what is computed from auxiliary variables, worked out by evaluating, not by formula."""
    model = before(pass_name, model_name)
    result, _ = DEFAULT_PASSES[pass_name](model)
    solved = MODELS[model_name][1]
    finite = 0
    for seed in range(20):
        free = draw(model, seed)
        for variable in still_solved(model, solved).values():
            del free[variable]
        with np.errstate(all="ignore"):
            expected = log_joint(model, free, still_solved(model, solved))
            point, jacobian = mapped(model, result, free)
            found = log_joint(result, point, still_solved(result, solved))
        if math.isfinite(expected):
            finite += 1
            assert found == pytest.approx(expected + jacobian, rel=1e-9, abs=1e-9)
        else:
            assert found == expected
    assert finite >= 5


@pytest.mark.parametrize("model_name", MODELS)
def test_all_passes_leave_what_the_compiler_needs(model_name: str) -> None:
    result = rewrite(MODELS[model_name][0]().build()).model
    assert all(v.transform is not None for v in result.free)
    assert not any(isinstance(o.target, Reference) for o in result.observations)
    json.dumps(dumps(result))
