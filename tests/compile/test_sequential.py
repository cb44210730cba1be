"""Loops of a model by compiled primitives against the plain loops in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exmc.compile.kernel import compile_density
from exmc.compile.layout import layout_of
from exmc.compile.logp import constrain_function, log_density_function
from exmc.compile.oracle import autograd_value_and_gradient
from exmc.compile.program import compile_model
from exmc.compile.sequential import evaluate_loop, loop_values
from exmc.ir.builder import Builder
from exmc.ir.declarations import in_order
from exmc.ir.expressions import Apply
from exmc.ir.infer import infer_types
from exmc.ir.loops import loop_body
from exmc.ir.model import Model
from exmc.ir.nodes import Deterministic
from exmc.ir.operations import evaluate
from exmc.rewrite.run import rewrite
from tests.ir.sequential import SEQUENTIAL, predators


def values_of(model: Model, position: np.ndarray) -> tuple[dict[str, object], Deterministic]:
    """Every variable's value at a position of the rewritten model, and its loop."""
    nodes = in_order(model)
    loop = next(n for n in nodes if isinstance(n, Deterministic) and loop_body(n.expression))
    names = [v.name for v in model.free]
    values: dict[str, object] = {name: data.values for name, data in model.data.items()}
    values |= dict(zip(names, constrain_function(model, names)(position), strict=True))
    for node in nodes:
        if isinstance(node, Deterministic):
            values[node.name] = evaluate(node.expression, values)
    return values, loop


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_values_and_types_are_those_of_the_plain_loop(name: str) -> None:
    model = rewrite(SEQUENTIAL[name]().build()).model
    position = np.random.default_rng(2).uniform(-1.0, 1.0, layout_of(model).dimension)
    values, loop = values_of(model, position)
    found = evaluate_loop(loop.expression, values)
    assert np.shape(found) == infer_types(model)[loop.name].shape
    np.testing.assert_allclose(found, values[loop.name], rtol=1e-9)


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_machine_code_of_the_whole_model(name: str, tmp_path: Path) -> None:
    model = rewrite(SEQUENTIAL[name]().build()).model
    density, dimension = log_density_function(model), layout_of(model).dimension
    kernel = compile_density(density, dimension, cache=tmp_path).load()
    position, step = np.random.default_rng(3).uniform(-1.0, 1.0, dimension), 1e-3
    value, gradient = autograd_value_and_gradient(density, position)
    found = kernel(position)
    assert found[0] == pytest.approx(float(value), rel=1e-9)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-8, atol=1e-9 * np.max(np.abs(gradient)))
    for k in range(dimension):
        a, b, c, d = (kernel(position + n * step * np.eye(dimension)[k])[0] for n in (-2, -1, 1, 2))
        assert gradient[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", ["garch", "hidden Markov", "predators", "forced"])
def test_many_samples_by_machine_code(name: str, tmp_path: Path) -> None:
    model = rewrite(SEQUENTIAL[name]().build()).model
    positions = np.random.default_rng(4).uniform(-1.0, 1.0, (3, layout_of(model).dimension))
    each = [values_of(model, position) for position in positions]
    loop = each[0][1]
    assert isinstance(loop.expression, Apply)
    operands = [[evaluate(o, values) for o in loop.expression.operands] for values, _ in each]
    varying = [np.ndim(o) == 0 or not np.array_equal(o, operands[1][i]) for i, o in enumerate(operands[0])]
    stacked = [np.stack([row[i] for row in operands]) if v else operands[0][i] for i, v in enumerate(varying)]
    body = loop_body(loop.expression)
    assert body is not None
    found = loop_values(body, stacked, varying, cache=tmp_path)
    np.testing.assert_allclose(found, np.stack([values[loop.name] for values, _ in each]), rtol=1e-9)
    assert loop_values(body, stacked, varying, engine="autograd") is None


@pytest.mark.parametrize("method", ["dormand_prince", "rodas"])
def test_without_a_solution_the_log_density_is_minus_infinity(method: str, tmp_path: Path) -> None:
    """y' = y**2 explodes at time 1 / y; half of these positions come after that."""
    model = (
        Builder()
        .rv("y0", "LogNormal")
        .ode("y", state={"y": "y0"}, derivative={"y": "y**2"}, times=[0.5, 1.0], method=method, max_steps=80)
        .rv("seen", "Poisson", mu="y", observed=[1, 2])
        .build()
    )
    compiled = compile_model(model, rewrite(model).model, cache=tmp_path)
    density = compiled.density()
    assert np.isfinite(density(np.array([-1.0]))[0])
    assert density(np.array([1.0]))[0] == -np.inf
    value, _ = autograd_value_and_gradient(log_density_function(compiled.model), np.array([1.0]))
    assert value == -np.inf
    assert np.isnan(compiled.constrain(np.array([[1.0]]))["y"][0, -1])


def test_code_does_not_depend_on_the_number_of_times() -> None:
    sizes = []
    for count in (3, 30):
        model = (
            Builder()
            .rv("y0", "LogNormal")
            .ode("y", state={"y": "y0"}, derivative={"y": "-y"}, times=np.arange(1.0, 1.0 + count))
            .rv("seen", "Normal", mu="y", sigma=1.0, observed=np.zeros(count))
            .build()
        )
        kernel = compile_density(log_density_function(rewrite(model).model), 1)
        sizes.append(len(kernel.text))  # type: ignore[union-attr]
    assert abs(sizes[0] - sizes[1]) < 200


def test_the_two_methods_agree() -> None:
    found = []
    for method in ("dormand_prince", "rodas"):
        model = rewrite(predators(method).build()).model
        position = np.random.default_rng(6).uniform(-1.0, 1.0, layout_of(model).dimension)
        found.append(values_of(model, position)[0]["z"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
