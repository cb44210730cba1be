"""What makes a model valid: names, references, shapes and dims, each failure one clear error."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator

import numpy as np

from exmc.distributions.base import Form
from exmc.errors import DataError, ExpressionError, ModelError, suggest
from exmc.ir.calls import distribution_of, form_of
from exmc.ir.check_loops import check_loop, check_times
from exmc.ir.check_values import check_indices, check_values
from exmc.ir.declarations import expressions_of, parents, place_of
from exmc.ir.expressions import Expression, Reference, extent, names_in
from exmc.ir.infer import (
    dim_sizes,
    infer_types,
    map_expressions,
    resolve_expressions,
)
from exmc.ir.loops import loop_body, place_in_loop
from exmc.ir.missing import check_missing
from exmc.ir.model import Model
from exmc.ir.nodes import CENTERINGS, NO_JACOBIAN, Node, Observation, RandomVariable
from exmc.ir.types import ArrayType
from exmc.transforms import TRANSFORMS

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
        check_indices(node, resolved, types)
        if isinstance(node, RandomVariable) and node.name not in simulated:
            _check_variable(node, resolved)
        check_values(node, resolved, types)
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
