"""Joint densities worked out without the compiler or the rewriter, as oracles for both.

A model is evaluated at natural-scale values of its free variables. An observed deterministic has the exact density of a
change of variables: its map is affine, so that its matrix is found by applying it to unit vectors. Missing values are
those of the free variable ``<name>_missing``, in row-major order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from exmc.ir.calls import form_of, law_at, law_of, restricted_to
from exmc.ir.check import check
from exmc.ir.declarations import in_order
from exmc.ir.expressions import Reference
from exmc.ir.model import Model
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
            values[node.name] = observed_values(node, values, free)
        else:
            target = seen.get(node.name)
            values[node.name] = free[node.name] if target is None else observed_values(target, values, free)
    return values


def observed_values(node: Observation, values: Values, free: Mapping[str, Any]) -> Any:
    """What `node` has seen, with its missing values as in `free`."""
    value = evaluate(node.value, values)
    if f"{node.name}_missing" not in free or not np.isnan(value).any():
        return value
    value = np.array(value)
    value[np.isnan(value)] = np.ravel(free[f"{node.name}_missing"])
    return value


def terms(call: Call, value: Any, values: Values) -> Any:
    """The log density of each event of `value` under `call`; bools are numbers."""
    return law_of(call, lambda e: np.asarray(evaluate(e, values), float)).log_density(np.asarray(value, float))


def batch_shape(call: Call, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one number an event of values of `shape`."""
    return shape[: len(shape) - form_of(call).rank]


def log_joint(model: Model, free: Mapping[str, Any], solved: Mapping[str, str] | None = None) -> float:
    """The log joint density on the natural scale of `free`.

    `solved` names, for each observed deterministic, the free variable that it determines: `free` does not hold it.
    Discrete variables are summed over all that they could be, whatever their values in `free`.
    """
    discrete = [v for v in model.free if form_of(v.call).discrete]
    if discrete:
        everything = (
            _log_joint(model, {**free, **chosen}, solved) for chosen in _configurations(model, discrete, free)
        )
        return float(np.logaddexp.reduce(list(everything)))
    return _log_joint(model, free, solved)


def _configurations(model: Model, discrete: list[RandomVariable], free: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every value of the discrete variables together."""
    values = all_values(model, free)
    grids = []
    for variable in discrete:
        low, high = law_at(variable.call, values).edges
        shape = np.shape(values[variable.name])
        possible = range(int(np.min(low)), int(np.max(high)) + 1)
        grids.append([np.reshape(c, shape) for c in product(possible, repeat=int(np.prod(shape)))])
    for chosen in product(*grids):
        yield {v.name: c for v, c in zip(discrete, chosen, strict=True)}


def _log_joint(model: Model, free: Mapping[str, Any], solved: Mapping[str, str] | None = None) -> float:
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
    # What is missing and no variable has probabilities that sum to 1.
    found = np.where(np.isnan(found), 0.0, found) if np.isnan(values[node.name]).any() else found
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
            shape = types[node.name].shape
            flat = node.call.distribution == "Flat"
            drawn[node.name] = generator.standard_normal(shape) if flat else law.draw(generator, shape)
            values[node.name] = drawn[node.name]
            if (region := restricted_to(node)) is not None:
                drawn[node.name] = values[node.name] = TRANSFORMS[region.name].constrain(drawn[node.name])
        elif isinstance(node, Deterministic):
            values[node.name] = evaluate(node.expression, values)
        elif isinstance(node, Observation):
            values[node.name] = value = evaluate(node.value, values)
            if isinstance(node.target, Call) and np.isnan(value).any() and form_of(node.target).transform:
                new = law_at(node.target, values).draw(generator, np.shape(value))
                drawn[f"{node.name}_missing"] = new[np.isnan(value)].reshape(-1, *rows_of(node, value))
                values[node.name] = observed_values(node, values, drawn)
        else:
            seen = next(o for o in model.observations if o.target == Reference(node.name))
            values[node.name] = evaluate(seen.value, values)
    return drawn


def rows_of(node: Observation, value: Any) -> tuple[int, ...]:
    """The shape of one entry of the variable of missing values: of an event, if all are missing as a whole."""
    rank = form_of(node.target).rank
    events = np.isnan(value).reshape(*np.shape(value)[: np.ndim(value) - rank], -1)
    return np.shape(value)[np.ndim(value) - rank :] if (events.any(-1) == events.all(-1)).all() else ()


def mapped(source: Model, result: Model, free: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """The free variables of `result` at the point `free` of `source`, and log|d source / d result| there.

    A variable ``x`` of `source` that `result` computes from new auxiliary ones, ``x_raw`` or several, is solved for
    them, the matrix of the affine map found by applying it to unit vectors.
    """
    # Missing values are free before there is a variable of them.
    point: dict[str, Any] = {name: value for name, value in free.items() if name not in result}
    jacobian = 0.0
    types = check(result)
    sources = {v.name for v in source.free}
    # Parents first, so that locations and scales are known when a variable is solved for.
    for node in in_order(result):
        if node.name in free and node in result.free:
            point[node.name] = free[node.name]
        if not (isinstance(node, Deterministic) and node.name in sources):
            continue
        unknown = [
            v for v in result.free if v.auxiliary and v.name not in free and _origin(v.name, sources) == node.name
        ]
        if not unknown:
            # It is computed from variables of the source.
            continue
        rest = {v.name: np.zeros(types[v.name].shape) for v in result.free} | point
        shapes = [types[v.name].shape for v in unknown]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

        def parts(z: Any, unknown: Any = unknown, shapes: Any = shapes, ends: Any = ends) -> dict[str, Any]:
            pieces = np.split(z, ends[:-1])
            return {v.name: piece.reshape(shape) for v, piece, shape in zip(unknown, pieces, shapes, strict=True)}

        found = [
            np.ravel(np.broadcast_to(all_values(result, rest | parts(z))[node.name], types[node.name].shape))
            for z in (np.zeros(ends[-1]), *np.eye(ends[-1]))
        ]
        matrix = np.stack(found[1:], axis=1) - found[0][:, None]
        point |= parts(np.linalg.solve(matrix, np.ravel(free[node.name]) - found[0]))
        jacobian += float(np.linalg.slogdet(matrix).logabsdet)
    return point, jacobian


def _origin(name: str, sources: set[str]) -> str:
    """Of `sources` the variable that an auxiliary one is called after."""
    return max((s for s in sources if name.startswith(f"{s}_")), key=len, default="")
