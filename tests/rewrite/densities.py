"""Joint densities worked out without the compiler or the rewriter, as oracles for both.

A model is evaluated at natural-scale values of its free variables. An observed deterministic has the exact density of a
change of variables: its map is affine, so that its matrix is found by applying it to unit vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from exmc.ir.calls import form_of, law_at, law_of, restricted_to
from exmc.ir.check import check
from exmc.ir.expressions import Reference
from exmc.ir.model import Model, in_order
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.ir.operations import evaluate
from exmc.transforms import TRANSFORMS

Values = dict[str, Any]


def all_values(model: Model, free: Mapping[str, Any]) -> Values:
    """Every variable's value given those of the free variables; observed random variables have what was seen."""
    seen = {o.target.name: o for o in model.observations if isinstance(o.target, Reference)}
    values: Values = {name: data.values for name, data in model.data.items()}
    for node in in_order(model):
        if isinstance(node, Deterministic):
            values[node.name] = evaluate(node.expression, values)
        elif isinstance(node, Observation):
            values[node.name] = evaluate(node.value, values)
        else:
            values[node.name] = evaluate(seen[node.name].value, values) if node.name in seen else free[node.name]
    return values


def terms(call: Call, value: Any, values: Values) -> Any:
    """The log density of each event of `value` under `call`; bools are numbers."""
    return law_of(call, lambda e: np.asarray(evaluate(e, values), float)).log_density(np.asarray(value, float))


def batch_shape(call: Call, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one number an event of values of `shape`."""
    return shape[: len(shape) - form_of(call).rank]


def log_joint(model: Model, free: Mapping[str, Any], solved: Mapping[str, str] | None = None) -> float:
    """The log joint density on the natural scale of `free`.

    `solved` names, for each observed deterministic, the free variable that it determines: `free` does not hold it.
    """
    free = dict(free)
    types = check(model)
    maps = {}
    for observation, variable in (solved or {}).items():
        free[variable], maps[variable] = _solve(model, model[observation], variable, free)
    values = all_values(model, free)
    total = 0.0
    for variable in model.free:
        if variable.name not in maps:
            shape = batch_shape(variable.call, types[variable.name].shape)
            total += np.sum(_filled(terms(variable.call, values[variable.name], values), shape))
    for node in model.observations:
        shape = types[node.name].shape
        if node.name in (solved or {}):
            variable = model[solved[node.name]]
            found = _filled(terms(variable.call, values[variable.name], values), shape)
            total += _mapped_likelihood(node, found, maps[variable.name], values)
        else:
            call = node.target if isinstance(node.target, Call) else model[node.target.name].call
            found = _filled(terms(call, values[node.name], values), batch_shape(call, shape))
            jacobian = evaluate(node.log_jacobian, values)
            total += _weighted(node, np.sum(found) + jacobian if node.joint else found + jacobian, values)
    total += sum(np.sum(values[d.name]) for d in model.deterministics if d.potential)
    return float(total)


def _filled(value: Any, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(value, shape)


def _mapped_likelihood(node: Observation, found: Any, matrix: Any, values: Values) -> float:
    """The log likelihood of values that `matrix` makes of a variable with log densities `found`."""
    if np.count_nonzero(matrix - np.diag(np.diagonal(matrix))):
        return _weighted(node, np.sum(found) - np.linalg.slogdet(matrix).logabsdet, values)
    return _weighted(node, found - np.log(np.abs(np.diagonal(matrix))).reshape(found.shape), values)


def _weighted(node: Observation, found: Any, values: Values) -> float:
    if node.mask is not None:
        found = np.where(evaluate(node.mask, values), found, 0.0)
    return float(np.sum(found if node.weight is None else evaluate(node.weight, values) * found))


def _solve(model: Model, node: Observation, variable: str, free: dict[str, Any]) -> tuple[Any, Any]:
    """The value of `variable` at which the observed deterministic has its values, and the matrix of its map."""
    types = check(model)
    shape = types[variable].shape
    count = int(np.prod(shape))
    others = {v.name: np.zeros(types[v.name].shape) for v in model.free} | free

    def made(z: Any) -> Any:
        return np.ravel(all_values(model, others | {variable: np.reshape(z, shape)})[node.target.name])

    shift = made(np.zeros(count))
    columns = np.stack([made(unit) - shift for unit in np.eye(count)], axis=1)
    # Differences leave rounding where the map has zeros.
    matrix = np.where(np.abs(columns) < 1e-12, 0.0, columns)
    seen = np.ravel(all_values(model, others)[node.name])
    return np.reshape(np.linalg.solve(matrix, seen - shift), shape), matrix


def draw(model: Model, seed: int) -> dict[str, Any]:
    """Natural-scale values of the free variables from the prior, parents first."""
    generator = np.random.default_rng(seed)
    types = check(model)
    free = {v.name for v in model.free}
    values = {name: data.values for name, data in model.data.items()}
    drawn: dict[str, Any] = {}
    for node in in_order(model):
        if node.name in free:
            law = law_at(node.call, values)
            law.check()
            drawn[node.name] = values[node.name] = law.draw(generator, types[node.name].shape)
            if (region := restricted_to(node)) is not None:
                drawn[node.name] = values[node.name] = TRANSFORMS[region.name].constrain(drawn[node.name])
        elif isinstance(node, Deterministic):
            values[node.name] = evaluate(node.expression, values)
        elif isinstance(node, Observation):
            values[node.name] = evaluate(node.value, values)
        else:
            seen = next(o for o in model.observations if o.target == Reference(node.name))
            values[node.name] = evaluate(seen.value, values)
    return drawn


def mapped(source: Model, result: Model, free: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """The free variables of `result` at the point `free` of `source`, and log|d source / d result| there.

    A variable ``x`` of `source` that `result` computes from a new auxiliary ``x_raw`` is solved for it, the matrix of
    the affine map found by applying it to unit vectors.
    """
    point: dict[str, Any] = {}
    jacobian = 0.0
    types = check(result)
    # Parents first, so that locations and scales are known when a variable is solved for.
    for node in in_order(result):
        if not (isinstance(node, RandomVariable) and node.name in {v.name for v in result.free}):
            continue
        if node.name in free:
            point[node.name] = free[node.name]
        if node.name in free or not node.auxiliary:
            continue
        original = node.name.removesuffix("_raw")
        rest = {v.name: np.zeros(types[v.name].shape) for v in result.free} | point
        shape = types[node.name].shape
        units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
        shift, *moved = (
            np.ravel(np.broadcast_to(all_values(result, rest | {node.name: z})[original], shape))
            for z in (np.zeros(shape), *units)
        )
        matrix = np.stack(moved, axis=1) - shift[:, None]
        point[node.name] = np.linalg.solve(matrix, np.ravel(free[original]) - shift).reshape(shape)
        jacobian += float(np.linalg.slogdet(matrix).logabsdet)
    return point, jacobian
