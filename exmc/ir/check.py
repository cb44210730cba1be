"""What makes a model valid: names, references, shapes, dims and values, each failure one clear error."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Form
from exmc.errors import DataError, ExpressionError, ModelError, brief, suggest
from exmc.ir.calls import distribution_of, form_of, law_of
from exmc.ir.check_loops import check_loop, check_times
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.declarations import expressions_of, observed_call, parents, place_of
from exmc.ir.expressions import Apply, Expression, Reference, Slice, extent, names_in, walk
from exmc.ir.infer import (
    dim_sizes,
    infer_types,
    map_expressions,
    resolve_expressions,
)
from exmc.ir.loops import loop_body, place_in_loop
from exmc.ir.missing import check_missing, missing_in, of_events
from exmc.ir.model import Model
from exmc.ir.nodes import CENTERINGS, NO_JACOBIAN, Call, Deterministic, Node, Observation, RandomVariable
from exmc.ir.operations import as_number, infer_type
from exmc.ir.types import ArrayType
from exmc.transforms import TRANSFORMS, Support

__all__ = ["RESERVED", "check", "dim_sizes", "distribution_of", "infer_types", "map_expressions", "resolve_expressions"]

DEEPEST = 200
LARGEST = 100_000
RESERVED = frozenset({"chain", "draw", "sample"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check(model: Model, simulated: Collection[str] = ()) -> dict[str, ArrayType]:
    """The type of every variable and datum of `model`; raises `ModelError` or `DataError` if it is not valid.

    The error's `where` is the path of the offending key, such as ``("variables", "theta", "sigma")``. Variables that
    are `simulated` need not be such as can be sampled: discrete ones, for instance.
    """
    _check_names(model)
    _check_coords(model)
    _check_extents(model)
    for node in model.nodes:
        check_loop(node)
    _check_references(model)
    _check_cycles(model)
    types = infer_types(model)
    check_missing(model)
    resolved = resolve_expressions(model)
    for node in resolved.nodes:
        _check_indices(node, resolved, types)
        _check_values(node, resolved, types, simulated)
        check_times(node, resolved)
    return types


def _check_names(model: Model) -> None:
    seen: set[str] = set()
    for section, names in (("data", list(model.data)), ("variables", [n.name for n in model.nodes])):
        for name in names:
            where = (section, name)
            if not _NAME.match(name):
                raise ModelError(f"{name!r} is not a name.", where=where, remedy="Use letters, digits and underscores.")
            if keyword.iskeyword(name) or name.startswith("__"):
                raise ModelError(
                    f"the name {name!r} cannot stand in an expression.",
                    where=where,
                    remedy=f"Call it {name.strip('_')}_, for instance.",
                )
            if name in RESERVED:
                raise ModelError(f"the name {name!r} is reserved for the sample dimensions.", where=where)
            if name in seen:
                raise ModelError(f"the name {name!r} is used twice.", where=where, remedy="Rename one of them.")
            if name in model.coords:
                remedy = "Rename one: they meet in the results."
                raise ModelError(f"the name {name!r} is also that of a dim.", where=where, remedy=remedy)
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
        for axis, size in zip(data.dims, data.values.shape, strict=True):
            if axis is not None and sizes[axis] != size:
                raise DataError(
                    f"{size} values along dim {axis!r}, which has size {sizes[axis]}.",
                    where=("data", data.name),
                    remedy=f"Give as many values as {axis!r} has labels.",
                )
        if data.kind == "float" and np.isinf(data.values).any():
            at = np.argwhere(np.isinf(data.values))[0]
            place = ", ".join(str(int(i)) for i in at)
            raise DataError(
                f"the value at [{place}] is {data.values[tuple(at)]}.",
                where=("data", data.name),
                remedy="Drop such values, or make them missing (NaN, in YAML null).",
            )


def _check_extents(model: Model) -> None:
    """Everything that reads expressions is recursive: one that is too deep would exhaust the interpreter's stack."""
    for node in model.nodes:
        for place, expression in _placed(node):
            depth, parts = extent(expression, DEEPEST, LARGEST)
            if depth > DEEPEST or parts > LARGEST:
                limit = f"{DEEPEST} levels" if depth > DEEPEST else f"{LARGEST} parts"
                raise ExpressionError(
                    f"the expression has more than {limit}.",
                    where=("variables", node.name, *place),
                    remedy="Use vectors and reductions instead of a loop, or split it into deterministics.",
                )


def _placed(node: Node) -> Iterator[tuple[tuple[str, ...], Expression]]:
    """Each expression of `node`, and those inside its loops, with its keys."""
    for key, expression in expressions_of(node).items():
        body = loop_body(expression)
        yield tuple(key.split(".")), expression
        if body is not None:
            yield from (((key, body.section, name), formula) for name, formula in body.formulas)


def _check_references(model: Model) -> None:
    known = {n.name for n in model.nodes} | set(model.data)
    observed: set[str] = set()
    for node in model.nodes:
        for key, expression in expressions_of(node).items():
            for name in names_in(expression):
                if name not in known:
                    raise ModelError(
                        f"there is no variable or data named {name!r}.",
                        where=(*place_of(node.name, key), *place_in_loop(expression, name)),
                        remedy=suggest(name, sorted(known)),
                    )
        if isinstance(node, Observation):
            _check_observation_references(node, model)
            if isinstance(node.target, Reference):
                if node.target.name in observed:
                    raise ModelError(
                        f"{node.target.name!r} is observed twice.",
                        where=("variables", node.name, "observed"),
                        remedy="A variable has one value: give each set of values a variable of its own.",
                    )
                observed.add(node.target.name)


def _check_observation_references(node: Observation, model: Model) -> None:
    where = ("variables", node.name, "observed")
    if isinstance(node.target, Reference):
        targets = [n for n in model.nodes if n.name == node.target.name and not isinstance(n, Observation)]
        if not targets:
            raise ModelError(f"{node.target.name!r} is no variable that could be observed.", where=where)
    if isinstance(node.target, Reference) or node.log_jacobian == NO_JACOBIAN:
        loose = [n for n in names_in(node.value) if n not in model.data]
        if loose:
            raise ModelError(
                f"observed values depend on the variable {loose[0]!r}.",
                where=where,
                remedy="They must be data, or an expression of data alone.",
            )


def _check_cycles(model: Model) -> None:
    names_of_nodes = {n.name for n in model.nodes}
    above = {n.name: [p for p in parents(n) if p in names_of_nodes] for n in model.nodes}
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
                    remedy="Break it: of two variables one can depend on the other. What follows from one another step "
                    "by step is a scan, a random walk or, of whole numbers, a MarkovChain.",
                )
            path.append((following, 0))


def _check_indices(node: Node, model: Model, types: Mapping[str, ArrayType]) -> None:
    """Indices that are data lie within the axis they index."""
    for key, expression in expressions_of(node).items():
        for part in walk(expression):
            if not (isinstance(part, Apply) and part.operation == "index"):
                continue
            base, *indices = part.operands
            sizes = infer_type(base, types).shape
            for size, index in zip(sizes, indices, strict=False):
                if isinstance(index, Slice) or not is_constant(index, model):
                    continue
                values = np.asarray(constant_value(index, model))
                # A number may count from the end; codes of data below 0 mark what is missing, or count from 1.
                least = 0 if names_in(index) else -size
                outside = np.argwhere((values < least) | (values >= size))
                if len(outside):
                    at = tuple(int(i) for i in outside[0])
                    raise ModelError(
                        f"index {values[at]}{_place(at)} is out of range for an axis of size {size}.",
                        where=place_of(node.name, key),
                        remedy=f"Indices go from 0 to {size - 1}.",
                    )


def _check_values(node: Node, model: Model, types: Mapping[str, ArrayType], simulated: Collection[str]) -> None:
    """Parameters and observed values that are data lie in their supports."""
    if isinstance(node, Deterministic):
        return
    if isinstance(node, RandomVariable) and node.name not in simulated:
        _check_variable(node, model)
    call = node.call if isinstance(node, RandomVariable) else observed_call(node, model)
    if call is None:
        return
    form = form_of(call)
    _check_arguments(call, model, types, ("variables", node.name))
    _check_together(call, model, types[node.name].shape, ("variables", node.name))
    bounds = _known_bounds(call, model, types)
    if bounds is None:
        return
    _check_order(call, bounds, ("variables", node.name))
    if isinstance(node, Observation) and is_constant(node.value, model):
        _check_seen(node, model, form, bounds)


def _check_order(call: Call, bounds: list[Any], where: tuple[str, ...]) -> None:
    """Raise the error of the first lower bound that is not below its upper one."""
    if len(bounds) != 2:
        return
    lower, upper = np.broadcast_arrays(*bounds)
    wrong = np.argwhere(~(lower < upper))
    if not len(wrong):
        return
    at = tuple(int(i) for i in wrong[0])
    low, high = DISTRIBUTIONS[call.distribution].bounds or ("the lower bound", "the upper one")
    raise ModelError(
        f"{low} = {lower[at].item()} is not below {high} = {upper[at].item()}{_place(at)}.",
        where=(*where, *((low,) if low in call.arguments else ())),
        remedy="No value lies between them: exchange or part them.",
    )


def _check_arguments(call: Call, model: Model, types: Mapping[str, ArrayType], where: tuple[str, ...]) -> None:
    """Parameters that are data lie in their supports, and counts are whole; those of calls among them too."""
    known = {p.name: p for p in DISTRIBUTIONS[call.distribution].parameters}
    for key, argument in call.parameters:
        if isinstance(argument, Call):
            _check_arguments(argument, model, types, (*where, key))
        elif isinstance(argument, tuple):
            for i, component in enumerate(argument):
                _check_arguments(component, model, types, (*where, key, str(i)))
        elif not isinstance(argument, str) and key in known:
            if is_constant(argument, model):
                _check_inside(constant_value(argument, model), known[key].support, (), (*where, key))
            elif known[key].support.discrete:
                _check_whole(argument, types, call, (*where, key))


def _check_together(call: Call, model: Model, shape: tuple[int, ...], where: tuple[str, ...]) -> None:
    """Parameters that are data fit each other and the shape of one value, those of calls among them too."""
    row, form = DISTRIBUTIONS[call.distribution], form_of(call)
    for key, argument in call.parameters:
        if isinstance(argument, Call) and form_of(argument).rank == form.rank:
            _check_together(argument, model, shape, (*where, key))
    if row.objection is not None:
        known = {k: constant_value(e, model) for k, e in call.arguments.items() if is_constant(e, model)}
        if objection := row.objection(shape[len(shape) - form.rank :], known):
            raise ModelError(objection, where=where)


def _check_whole(expression: Expression, types: Mapping[str, ArrayType], call: Call, where: tuple[str, ...]) -> None:
    """Raise unless a count that depends on variables is a whole number whatever they are: else it never is one."""
    if infer_type(expression, types).kind == "float":
        raise ModelError(
            f"{call.distribution} needs whole numbers for {where[-1]!r}, and this depends on continuous variables.",
            where=where,
            remedy="Give it data, or a comparison such as x > 0.",
        )


def _known_bounds(call: Call, model: Model, types: Mapping[str, ArrayType]) -> list[Any] | None:
    """The bounds of the support of `call`; None where they depend on variables."""

    def known(expression: Expression) -> Any:
        if is_constant(expression, model):
            return as_number(constant_value(expression, model))
        return np.full(infer_type(expression, types).shape, np.nan)

    with np.errstate(all="ignore"):
        bounds = [np.asarray(bound) for bound in law_of(call, known).bounds]
    return None if any(np.isnan(bound).any() for bound in bounds) else bounds


def _check_seen(node: Observation, model: Model, form: Form, bounds: list[Any]) -> None:
    seen = np.asarray(constant_value(node.value, model))
    if not seen.size:
        raise DataError("there are no values.", where=("variables", node.name, "observed"), remedy="Give at least one.")
    kept: Any = True
    if node.mask is not None and is_constant(node.mask, model):
        # What is masked out may be anything.
        kept = np.asarray(constant_value(node.mask, model), bool)
        kept = kept.reshape(kept.shape + (1,) * (form.rank - form.support.event_rank))
    missing = missing_in(model).get(node.name)
    if missing is not None:
        kept = kept & ~of_events(missing.elements, form.support.event_rank)
    _check_inside(seen, form.support, tuple(bounds), ("variables", node.name, "observed"), kept)


def _check_variable(node: RandomVariable, model: Model) -> None:
    form = form_of(node.call)
    if node.centering not in CENTERINGS:
        raise ModelError(
            f"centering {node.centering!r} is not known.",
            where=("variables", node.name, "centering"),
            remedy=suggest(node.centering, CENTERINGS),
        )
    summable = form.discrete and form.support.edges[1] is not None
    if not form.transform and not summable and node.name not in model.observed_targets:
        counts = "discrete, of vectors" if form.support.event_rank else "discrete without a largest value"
        kind = counts if form.discrete else "for observations"
        raise ModelError(
            f"{node.call.distribution} is {kind}, and {node.name!r} is not observed.",
            where=("variables", node.name),
            remedy="NUTS needs continuous variables: observe it, or sum it out.",
        )
    if node.transform is not None:
        _check_transform(node.transform, node.call.distribution, form, ("variables", node.name, "transform"))


def _check_transform(name: str, distribution: str, form: Form, where: tuple[str, ...]) -> None:
    if name not in TRANSFORMS:
        raise ModelError(f"there is no transform {name!r}.", where=where, remedy=suggest(name, TRANSFORMS))
    fitting = [
        t.name
        for t in TRANSFORMS.values()
        if form.support in t.supports or (not form.rank and form.support in t.restricts)
    ]
    if name not in fitting:
        raise ModelError(
            f"the transform {name!r} does not reach every value of a {distribution}, and no other.",
            where=where,
            remedy=f"Use {' or '.join(fitting)}, or leave it out." if fitting else "Leave it out.",
        )


def _check_inside(
    value: Any, support: Support, bounds: tuple[Any, ...], where: tuple[str, ...], kept: Any = True
) -> None:
    """Raise the error of the first event of `value` that is not in `support`, of those `kept`."""
    array = np.asarray(value)
    if array.ndim < support.event_rank:
        return  # a number in the place of equal elements
    batch = array.shape[: array.ndim - support.event_rank]
    inside = np.broadcast_to(support.contains(array, *bounds) | ~np.asarray(kept), batch)
    if inside.all():
        return
    at = tuple(int(i) for i in np.argwhere(~inside)[0]) if batch else ()
    limits = [np.broadcast_to(bound, batch)[at].item() for bound in bounds]
    within = f" ({' and '.join(map(str, limits))})" if limits else ""
    what = f"the value {brief(array[at].tolist())}{_place(at)} is not {support.description}{within}."
    if where[-1] == "observed":
        raise DataError(what, where=where, remedy="Mend or mask it, or choose a distribution that can take it.")
    raise ModelError(what, where=where, remedy=f"Give {where[-1]!r} another value.")


def _place(at: tuple[int, ...]) -> str:
    return f" at [{', '.join(map(str, at))}]" if at else ""
