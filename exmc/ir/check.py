"""What makes a model valid: names, references, shapes, dims and values, each failure one clear error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Distribution
from exmc.errors import DataError, ModelError, suggest
from exmc.ir.expressions import Apply, Constant, Expression, Reference, names_in, transform_bottom_up
from exmc.ir.model import Model, expressions_of, in_order, parents
from exmc.ir.nodes import CENTERINGS, Call, Deterministic, Node, Observation, RandomVariable
from exmc.ir.operations import evaluate, infer_type, resolve_dims
from exmc.ir.types import ArrayType, Dims, broadcast
from exmc.transforms import TRANSFORMS

RESERVED = frozenset({"chain", "draw", "sample"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check(model: Model) -> dict[str, ArrayType]:
    """The type of every variable and datum of `model`; raises `ModelError` or `DataError` if it is not valid.

    The error's `where` is the path of the offending key, such as ``("variables", "theta", "sigma")``.
    """
    _check_names(model)
    _check_coords(model)
    _check_references(model)
    _check_cycles(model)
    types = infer_types(model)
    for node in model.nodes:
        _check_values(node, model, types)
    return types


def dim_sizes(model: Model) -> dict[str, int]:
    """The size of each dim: that of its coordinates, else that of the data that run over it."""
    sizes = {dim: len(labels) for dim, labels in model.coords.items()}
    for data in model.data.values():
        for dim, size in zip(data.dims, data.values.shape, strict=True):
            if dim is not None:
                sizes.setdefault(dim, size)
    return sizes


def infer_types(model: Model) -> dict[str, ArrayType]:
    """The type of every variable and datum; raises `ModelError` where shapes or dims do not fit."""
    sizes = dim_sizes(model)
    types = {name: data.type for name, data in model.data.items()}
    values = {o.target.name: o for o in model.observations if isinstance(o.target, Reference)}
    for node in in_order(model):
        if isinstance(node, RandomVariable) and node.name in values:
            types[node.name] = _at(values[node.name], "observed", types)
            _check_parameters(node.name, node.call, types[node.name], types)
        else:
            types[node.name] = _infer_node(node, types, sizes)
    return types


def resolve_expressions(model: Model) -> Model:
    """`model` with every ``dim='name'`` option replaced by the axis it stands for."""
    types = {name: data.type for name, data in model.data.items()}
    sizes = dim_sizes(model)
    by_name: dict[str, Node] = {}
    for node in in_order(model):
        resolved = map_expressions(node, lambda e: transform_bottom_up(e, _axis_of(types)))
        by_name[node.name] = resolved
        types[node.name] = _infer_node(resolved, types, sizes)
    return model.with_nodes(tuple(by_name[n.name] for n in model.nodes))


def map_expressions(node: Node, change: Any) -> Node:
    """`node` with `change` applied to each of its expressions; an error is placed at the expression's key."""

    def at(key: str, expression: Expression) -> Expression:
        try:
            changed: Expression = change(expression)
        except ModelError as error:
            raise error.within("variables", node.name, key) from None
        return changed

    if isinstance(node, Deterministic):
        return replace(node, expression=at("expr", node.expression))
    if isinstance(node, RandomVariable):
        return replace(node, call=_map_call(node.call, at))
    return replace(
        node,
        target=_map_call(node.target, at) if isinstance(node.target, Call) else node.target,
        value=at("observed", node.value),
        weight=None if node.weight is None else at("weight", node.weight),
        mask=None if node.mask is None else at("mask", node.mask),
        log_jacobian=at("log_jacobian", node.log_jacobian),
    )


def _map_call(call: Call, at: Any) -> Call:
    return Call(call.distribution, tuple((name, at(name, e)) for name, e in call.parameters))


def _axis_of(types: Mapping[str, ArrayType]) -> Any:
    return lambda e: resolve_dims(e, types) if isinstance(e, Apply) else e


def _check_names(model: Model) -> None:
    seen: set[str] = set()
    for section, names in (("data", list(model.data)), ("variables", [n.name for n in model.nodes])):
        for name in names:
            where = (section, name)
            if not _NAME.match(name):
                raise ModelError(
                    f"{name!r} is not a name.", where=where, remedy="Use letters, digits and underscores."
                )
            if name in RESERVED:
                raise ModelError(f"the name {name!r} is reserved for the sample dimensions.", where=where)
            if name in seen:
                raise ModelError(
                    f"the name {name!r} is used twice.", where=where, remedy="Rename one of them."
                )
            if name in model.coords:
                raise ModelError(
                    f"the name {name!r} is also that of a dim.",
                    where=where,
                    remedy="Rename one: they meet in the results.",
                )
            seen.add(name)


def _check_coords(model: Model) -> None:
    for dim, labels in model.coords.items():
        where = ("coords", dim)
        if not _NAME.match(dim) or dim in RESERVED:
            raise ModelError(f"{dim!r} cannot be the name of a dim.", where=where)
        if len(set(labels)) != len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise ModelError(f"the label {twice!r} appears twice in dim {dim!r}.", where=where)
    sizes = dim_sizes(model)
    for data in model.data.values():
        for dim, size in zip(data.dims, data.values.shape, strict=True):
            if dim is not None and sizes[dim] != size:
                raise DataError(
                    f"{size} values along dim {dim!r}, which has size {sizes[dim]}.",
                    where=("data", data.name),
                    remedy=f"Give as many values as {dim!r} has labels.",
                )
        if data.values.dtype.kind == "f" and not np.isfinite(data.values).all():
            at = np.argwhere(~np.isfinite(data.values))[0]
            place = ", ".join(str(int(i)) for i in at)
            raise DataError(
                f"the value at [{place}] is {data.values[tuple(at)]}.",
                where=("data", data.name),
                remedy="Drop or mask missing values; data must be finite.",
            )


def _check_references(model: Model) -> None:
    variables = {n.name for n in model.nodes}
    known = [*variables, *model.data]
    for node in model.nodes:
        for key, expression in expressions_of(node).items():
            for name in names_in(expression):
                if name not in known:
                    raise ModelError(
                        f"there is no variable or data named {name!r}.",
                        where=("variables", node.name, key),
                        remedy=suggest(name, sorted(known)),
                    )
        if isinstance(node, Observation):
            _check_observation_references(node, model)


def _check_observation_references(node: Observation, model: Model) -> None:
    where = ("variables", node.name, "observed")
    if isinstance(node.target, Reference):
        target = model[node.target.name] if node.target.name in model else None
        if target is None or isinstance(target, Observation):
            raise ModelError(f"{node.target.name!r} is no variable that could be observed.", where=where)
    if isinstance(node.target, Reference) or isinstance(node.log_jacobian, Constant):
        loose = [n for n in names_in(node.value) if n not in model.data]
        if loose:
            raise ModelError(
                f"observed values depend on the variable {loose[0]!r}.",
                where=where,
                remedy="They must be data, or an expression of data alone.",
            )


def _check_cycles(model: Model) -> None:
    above = {n.name: [p for p in parents(n) if p in model] for n in model.nodes}
    state: dict[str, int] = {}
    for root in above:
        path: list[tuple[str, int]] = [(root, 0)]
        while path:
            name, position = path.pop()
            if position == 0:
                if state.get(name) == 2:
                    continue
                state[name] = 1
            if position == len(above[name]):
                state[name] = 2
                continue
            path.append((name, position + 1))
            following = above[name][position]
            if state.get(following) == 1:
                names = [n for n, _ in path]
                cycle = [*names[names.index(following) :], following]
                raise ModelError(
                    f"the variables depend on each other in a circle: {' -> '.join(cycle)}.",
                    where=("variables", name),
                )
            path.append((following, 0))


def _at(node: Node, key: str, types: Mapping[str, ArrayType]) -> ArrayType:
    """The type of the expression that `node` holds under `key`."""
    try:
        return infer_type(expressions_of(node)[key], types)
    except ModelError as error:
        raise error.within("variables", node.name, key) from None


def _infer_node(node: Node, types: Mapping[str, ArrayType], sizes: Mapping[str, int]) -> ArrayType:
    if isinstance(node, Deterministic):
        return _named(_at(node, "expr", types), node.dims, node.name, sizes)
    if isinstance(node, Observation):
        return _infer_observation(node, types)
    distribution = distribution_of(node.call, node.name)
    parameters = [_at(node, name, types) for name, _ in node.call.parameters]
    declared = _declared_type(node, sizes)
    try:
        joined = broadcast(parameters) if declared is None else declared
    except ModelError as error:
        raise error.within("variables", node.name) from None
    result = ArrayType(joined.shape, joined.dims, "int" if distribution.discrete else "float")
    _check_parameters(node.name, node.call, result, types)
    return result


def _infer_observation(node: Observation, types: Mapping[str, ArrayType]) -> ArrayType:
    value = _at(node, "observed", types)
    if isinstance(node.target, Call):
        distribution_of(node.target, node.name)
        _check_parameters(node.name, node.target, value, types)
    for key in ("weight", "mask"):
        if getattr(node, key) is not None:
            _check_fits(_at(node, key, types), value, node.name, key)
    return value


def _declared_type(node: RandomVariable, sizes: Mapping[str, int]) -> ArrayType | None:
    if node.dims is None and node.shape is None:
        return None
    dims = node.dims if node.dims is not None else (None,) * len(node.shape or ())
    where = ("variables", node.name, "dims")
    if node.shape is not None and len(node.shape) != len(dims):
        raise ModelError(f"dims {list(dims)} do not match the shape {node.shape}.", where=where)
    shape = []
    for axis, dim in enumerate(dims):
        size = _dim_size(dim, sizes, where) if dim is not None else None
        given = node.shape[axis] if node.shape is not None else size
        if given is None or (size is not None and given != size):
            raise ModelError(
                f"the size of axis {axis} (dim {dim!r}) is not known or not {size}.", where=where
            )
        shape.append(given)
    return ArrayType(tuple(shape), dims)


def _dim_size(dim: str, sizes: Mapping[str, int], where: tuple[str, ...]) -> int:
    if dim not in sizes:
        near = suggest(dim, sizes)
        raise ModelError(
            f"the dim {dim!r} has no coordinates and no data.",
            where=where,
            remedy=f"{near} Or give its labels under coords.".strip(),
        )
    return sizes[dim]


def _named(found: ArrayType, dims: Dims | None, name: str, sizes: Mapping[str, int]) -> ArrayType:
    if dims is None:
        return found
    where = ("variables", name, "dims")
    wanted = tuple(None if d is None else _dim_size(d, sizes, where) for d in dims)
    fits = len(dims) == len(found.shape) and all(
        w in (None, n) for w, n in zip(wanted, found.shape, strict=True)
    )
    clash = fits and any(a and b and a != b for a, b in zip(dims, found.dims, strict=True))
    if not fits or clash:
        raise ModelError(f"dims {list(dims)} do not fit a value {found}.", where=where)
    return ArrayType(found.shape, dims, found.kind)


def _check_parameters(name: str, call: Call, target: ArrayType, types: Mapping[str, ArrayType]) -> None:
    for key, expression in call.parameters:
        try:
            found = infer_type(expression, types)
        except ModelError as error:
            raise error.within("variables", name, key) from None
        _check_fits(found, target, name, key)


def _check_fits(found: ArrayType, target: ArrayType, name: str, key: str) -> None:
    where = ("variables", name, key)
    try:
        joined = broadcast([found, target])
    except ModelError as error:
        raise error.within(*where) from None
    if joined.shape != target.shape:
        raise ModelError(
            f"a value {found} does not fit the variable, which is {target}.",
            where=where,
            remedy="Give the variable the dims it should have, or index the value.",
        )


def distribution_of(call: Call, name: str) -> Distribution:
    """The row of `DISTRIBUTIONS` that `call` names; raises `ModelError` for a wrong name or parameters."""
    distribution = DISTRIBUTIONS.get(call.distribution)
    where = ("variables", name)
    if distribution is None:
        raise ModelError(
            f"there is no distribution {call.distribution!r}.",
            where=(*where, "dist"),
            remedy=suggest(call.distribution, DISTRIBUTIONS),
        )
    given = [n for n, _ in call.parameters]
    known = [p.name for p in distribution.parameters]
    for key in given:
        if key not in known:
            raise ModelError(
                f"{call.distribution} has no parameter {key!r}.",
                where=(*where, key),
                remedy=suggest(key, known),
            )
    if not any(sorted(given) == sorted(legal) for legal in distribution.alternatives):
        legal = " or ".join("(" + ", ".join(a) + ")" for a in distribution.alternatives)
        raise ModelError(
            f"{call.distribution} is given ({', '.join(given)}).", where=where, remedy=f"It takes {legal}."
        )
    return distribution


def _check_values(node: Node, model: Model, types: Mapping[str, ArrayType]) -> None:
    if isinstance(node, Deterministic):
        return
    if isinstance(node, RandomVariable):
        call, value = node.call, None
        _check_variable(node, model)
    else:
        call, value = _observed_call(node, model), node.value
        if call is None:
            return
    distribution = distribution_of(call, node.name)
    constants = _constant_arguments(call, model)
    for parameter in distribution.parameters:
        if parameter.name in constants:
            _check_inside(
                constants[parameter.name], parameter.support, (), ("variables", node.name, parameter.name)
            )
    bounds = [constants[b] for b in distribution.bounds if b in constants]
    if len(bounds) != len(distribution.bounds):
        return
    if len(bounds) == 2 and not np.all(np.asarray(bounds[0]) < np.asarray(bounds[1])):
        low, high = distribution.bounds
        raise ModelError(
            f"{low} = {_shown(bounds[0])} is not below {high} = {_shown(bounds[1])}.",
            where=("variables", node.name, low),
        )
    if value is not None and all(n in model.data for n in names_in(value)):
        seen = np.asarray(evaluate(value, {n: d.values for n, d in model.data.items()}))
        _check_inside(seen, distribution.support, tuple(bounds), ("variables", node.name, "observed"))


def _check_variable(node: RandomVariable, model: Model) -> None:
    distribution = distribution_of(node.call, node.name)
    if node.centering not in CENTERINGS:
        raise ModelError(
            f"centering {node.centering!r} is not known.",
            where=("variables", node.name, "centering"),
            remedy=suggest(node.centering, CENTERINGS),
        )
    if distribution.discrete and node.name not in model.observed_targets:
        raise ModelError(
            f"{distribution.name} is discrete, and {node.name!r} is not observed.",
            where=("variables", node.name),
            remedy="NUTS needs continuous variables: observe it, or sum it out.",
        )
    if node.transform is not None and node.transform not in TRANSFORMS:
        raise ModelError(
            f"there is no transform {node.transform!r}.",
            where=("variables", node.name, "transform"),
            remedy=suggest(node.transform, TRANSFORMS),
        )


def _observed_call(node: Observation, model: Model) -> Call | None:
    if isinstance(node.target, Call):
        return node.target
    target = model[node.target.name]
    return target.call if isinstance(target, RandomVariable) else None


def _constant_arguments(call: Call, model: Model) -> dict[str, Any]:
    values = {name: data.values for name, data in model.data.items()}
    return {
        name: evaluate(expression, values)
        for name, expression in call.parameters
        if all(n in values for n in names_in(expression))
    }


def _check_inside(value: Any, support: Any, bounds: tuple[Any, ...], where: tuple[str, ...]) -> None:
    array = np.asarray(value)
    inside = np.broadcast_to(np.asarray(support.contains(array, *bounds)), array.shape)
    if inside.all():
        return
    at = tuple(int(i) for i in np.argwhere(~inside)[0]) if array.ndim else ()
    place = f" at [{', '.join(map(str, at))}]" if at else ""
    error = DataError if where[-1] == "observed" else ModelError
    raise error(f"the value {array[at].item()}{place} is not {support.description}.", where=where)


def _shown(value: Any) -> str:
    array = np.asarray(value)
    return str(array.item()) if array.ndim == 0 else f"an array of shape {array.shape}"
