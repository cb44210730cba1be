"""The types of a model's variables: shapes, dims and kinds inferred from its expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from exmc.errors import ModelError, suggest
from exmc.ir.calls import batch_of, distribution_of, form_of, unconstrained_type
from exmc.ir.declarations import expressions_of, in_order, place_of
from exmc.ir.events import check_fits, infer_call
from exmc.ir.expressions import Apply, Expression, Reference, transform_bottom_up
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Node, Observation, RandomVariable
from exmc.ir.operations import infer_type, resolve_dims
from exmc.ir.types import ArrayType, Dims

Change: TypeAlias = Callable[[Expression], Expression]


def infer_types(model: Model) -> dict[str, ArrayType]:
    """The type of every variable and datum; raises `ModelError` where shapes or dims do not fit.

    References must be known and free of cycles. The type of an observed random variable is that of its values.
    """
    return _infer_in_order(model, lambda node, _types: node)[0]


def resolve_expressions(model: Model) -> Model:
    """`model` with every ``dim='name'`` option replaced by the axis it stands for."""
    _, nodes = _infer_in_order(model, lambda node, types: map_expressions(node, _axes_of(types)))
    return model.with_nodes(tuple(nodes[n.name] for n in model.nodes))


def _infer_in_order(
    model: Model, change: Callable[[Node, Mapping[str, ArrayType]], Node]
) -> tuple[dict[str, ArrayType], dict[str, Node]]:
    """Types by name, and by name the nodes as `change` leaves them given the types of those before."""
    sizes = dim_sizes(model)
    types = {name: data.type for name, data in model.data.items()}
    values = {o.target.name: o for o in model.observations if isinstance(o.target, Reference)}
    nodes: dict[str, Node] = {}
    for original in in_order(model):
        node = nodes[original.name] = change(original, types)
        if isinstance(node, RandomVariable) and node.name in values:
            types[node.name] = _infer_observed(node, values[node.name], types, sizes)
        else:
            types[node.name] = _infer_node(node, types, sizes, nodes)
    return types, nodes


def dim_sizes(model: Model) -> dict[str, int]:
    """The size of each dim: that of its coordinates, else of the data, else of the variables that run over it."""
    sizes = {dim: len(labels) for dim, labels in model.coords.items()}
    shaped = [(d.dims, d.values.shape) for d in model.data.values()]
    shaped += [
        (n.dims, n.shape)
        for n in model.nodes
        if isinstance(n, RandomVariable) and n.dims and n.shape and len(n.dims) == len(n.shape)
    ]
    for dims, shape in shaped:
        for dim, size in zip(dims, shape, strict=True):
            if dim is not None:
                sizes.setdefault(dim, size)
    return sizes


def map_expressions(node: Node, change: Change) -> Node:
    """`node` with `change` applied to each of its expressions; an error is placed at the expression's key."""

    def at(key: str, expression: Expression) -> Expression:
        try:
            return change(expression)
        except ModelError as error:
            raise error.within(*place_of(node.name, key)) from None

    if isinstance(node, Deterministic):
        return replace(node, expression=at(*next(iter(expressions_of(node).items()))))
    if isinstance(node, RandomVariable):
        return replace(node, call=node.call.map(at))
    return replace(
        node,
        target=node.target.map(at) if isinstance(node.target, Call) else node.target,
        value=at("observed", node.value),
        weight=None if node.weight is None else at("weight", node.weight),
        mask=None if node.mask is None else at("mask", node.mask),
        log_jacobian=at("log_jacobian", node.log_jacobian),
    )


def _axes_of(types: Mapping[str, ArrayType]) -> Change:
    def resolve(part: Expression) -> Expression:
        return resolve_dims(part, types) if isinstance(part, Apply) else part

    return lambda expression: transform_bottom_up(expression, resolve)


def _at(node: Node, key: str, types: Mapping[str, ArrayType]) -> ArrayType:
    """The type of the expression that `node` holds under `key`."""
    try:
        return infer_type(expressions_of(node)[key], types)
    except ModelError as error:
        raise error.within(*place_of(node.name, key)) from None


def _infer_node(
    node: Node, types: Mapping[str, ArrayType], sizes: Mapping[str, int], before: Mapping[str, Node]
) -> ArrayType:
    if isinstance(node, Deterministic):
        return _named(_at(node, next(iter(expressions_of(node))), types), node.dims, node.name, sizes)
    if isinstance(node, Observation):
        return _infer_observation(node, _call_of(node, before), types, sizes)
    distribution_of(node.call, node.name)
    declared = _declared_type(node, sizes)
    found = infer_call(node.name, node.call, types, declared)
    result = ArrayType(found.shape, found.dims, "int" if form_of(node.call).discrete else "float")
    _check_transformed(node, result)
    return result


def _call_of(node: Observation, before: Mapping[str, Node]) -> Call | None:
    """The distribution of what `node` observes, if it has one."""
    if isinstance(node.target, Call):
        return node.target
    target = before.get(node.target.name)
    return target.call if isinstance(target, RandomVariable) else None


def _check_transformed(node: RandomVariable, found: ArrayType) -> None:
    """Whether values of the type `found` can be transformed as `node` says."""
    try:
        unconstrained_type(node, found)
    except ModelError as error:
        raise error.within("variables", node.name) from None


def _infer_observed(
    node: RandomVariable, observation: Observation, types: Mapping[str, ArrayType], sizes: Mapping[str, int]
) -> ArrayType:
    """The type of a random variable whose values are seen: theirs, which must be as the variable declares."""
    distribution_of(node.call, node.name)
    seen = _named(_at(observation, "observed", types), observation.dims, observation.name, sizes)
    declared = _declared_type(node, sizes)
    if declared is not None:
        clash = any(a and b and a != b for a, b in zip(declared.dims, seen.dims, strict=False))
        if declared.shape != seen.shape or clash:
            raise ModelError(
                f"values {seen} do not fit the variable {node.name!r}, which is {declared}.",
                where=("variables", observation.name, "observed"),
            )
        seen = ArrayType(seen.shape, joined_dims(declared.dims, seen.dims) or (), seen.kind)
    infer_call(node.name, node.call, types, seen)
    return seen


def _infer_observation(
    node: Observation, call: Call | None, types: Mapping[str, ArrayType], sizes: Mapping[str, int]
) -> ArrayType:
    value = _named(_at(node, "observed", types), node.dims, node.name, sizes)
    if isinstance(node.target, Reference):
        target = types[node.target.name]
        if target.shape == value.shape:
            value = ArrayType(value.shape, joined_dims(value.dims, target.dims) or (), value.kind)
    else:
        distribution_of(node.target, node.name)
        infer_call(node.name, node.target, types, value)
    batch = value if call is None else batch_of(value, form_of(call))
    for key in ("weight", "mask"):
        if getattr(node, key) is not None:
            check_fits(_at(node, key, types), batch, ("variables", node.name, key))
    _check_jacobian(node, batch, types)
    return value


def _check_jacobian(node: Observation, batch: ArrayType, types: Mapping[str, ArrayType]) -> None:
    found = _at(node, "log_jacobian", types)
    where = ("variables", node.name)
    if not node.joint:
        check_fits(found, batch, (*where, "log_jacobian"))
    elif found.shape:
        raise ModelError(f"a joint log Jacobian must be a scalar, not {found}.", where=(*where, "log_jacobian"))
    elif node.mask is not None:
        raise ModelError("a mask cannot leave out parts of a joint observation.", where=(*where, "mask"))


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
            reason = "is not known" if given is None else f"is given as {given}, but the dim has size {size}"
            raise ModelError(f"the size of axis {axis} (dim {dim!r}) {reason}.", where=where)
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
    fits = len(dims) == len(found.shape) and all(w in (None, n) for w, n in zip(wanted, found.shape, strict=True))
    clash = fits and any(a and b and a != b for a, b in zip(dims, found.dims, strict=True))
    if not fits or clash:
        raise ModelError(f"dims {list(dims)} do not fit a value {found}.", where=where)
    return ArrayType(found.shape, joined_dims(dims, found.dims) or (), found.kind)


def joined_dims(first: Dims | None, second: Dims | None) -> Dims | None:
    """For each axis the dim of `first`, or of `second` where it has none. None: nothing is said of the axes."""
    if first is None or second is None:
        return second if first is None else first
    return tuple(a or b for a, b in zip(first, second, strict=True))
