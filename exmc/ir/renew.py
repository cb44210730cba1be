"""A model with other data: new values in the place of old ones, of other lengths and labels too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import DataError, ModelError, brief, suggest
from exmc.ir.check import check
from exmc.ir.declarations import Label, expressions_of, parents
from exmc.ir.events import infer_call
from exmc.ir.expressions import Apply, Reference, names_in, walk
from exmc.ir.infer import dim_sizes, infer_types
from exmc.ir.inputs import Labelled, as_labelled, as_labels
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.operations import infer_type
from exmc.ir.types import ArrayType

Labels = dict[str, tuple[Label, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Renewed:
    """What `with_new_data` makes of a model.

    Attributes
    ----------
    model
        The variables that are wanted and those that they need, with the new data. Observations without new values are
        variables to be drawn.
    seen
        The observations that have new values, in order.
    """

    model: Model
    seen: tuple[str, ...]


def predictable(source: Model) -> tuple[str, ...]:
    """What predictions of `source` consist of by default: its observations and the deterministics it keeps."""
    return tuple(
        n.name
        for n in source.nodes
        if isinstance(n, Observation) or (isinstance(n, Deterministic) and n.keep and not n.potential)
    )


def with_new_data(
    source: Model, data: Mapping[str, Any], coords: Mapping[str, Any], wanted: Sequence[str] | None = None
) -> Renewed:
    """`source` with new data, as far as the variables `wanted` need it.

    Parameters
    ----------
    data
        Array-likes by the name of the data, or of the observation whose values they are. An `xarray.DataArray` brings
        its labels with it. Whole numbers become floats where the old values are floats.
    coords
        New labels by dim.
    wanted
        Names of variables; None: those of `predictable`.

    Notes
    -----
    Data not given keep their values, label by label, where their dims have other labels now.

    Raises
    ------
    ModelError
        For a name that `source` does not have, data of another rank, labels that are missing or of another kind, and
        data that are not given although a dim of theirs has entries now that they lack.
    """
    names = predictable(source) if wanted is None else _known_names(source, wanted)
    given, labels = _read(source, data, coords)
    seen = tuple(o.name for o in source.observations if o.name in names and any(n in given for n in names_in(o.value)))
    nodes = _needed([n for node in source.nodes for n in _unseen(node, source, seen)], names)
    used = {name for node in nodes for name in parents(node)}
    renewed = _coords(source, given, labels)
    kept = {
        name: given[name] if name in given else _relabelled(old, source, given, renewed)
        for name, old in source.data.items()
        if name in used
    }
    _require_codes(source, nodes, given, renewed)
    sizes = dim_sizes(Model((), kept, renewed))
    types = infer_types(source)
    unseen = [o for o in source.observations if o.name not in seen]
    drawn = {o.target.name if isinstance(o.target, Reference) else o.name for o in unseen}
    shaped = tuple(
        _resized(node, node.name in drawn, types[node.name], types, sizes) if isinstance(node, RandomVariable) else node
        for node in nodes
    )
    model = Model(shaped, kept, renewed)
    stale = [name for name in kept if name not in given]
    _require_rows(source, given, stale)
    try:
        check(model, [n.name for n in shaped if isinstance(n, RandomVariable)])
    except ModelError as error:
        raise _explained(error, given, stale) from error
    return Renewed(model, seen)


def _known_names(source: Model, wanted: Sequence[str]) -> tuple[str, ...]:
    known = [n.name for n in source.nodes]
    for name in wanted:
        if name not in known:
            raise ModelError(f"the model has no variable {name!r}.", remedy=suggest(name, known))
    return tuple(name for name in known if name in set(wanted))


def _read(source: Model, data: Mapping[str, Any], coords: Mapping[str, Any]) -> tuple[dict[str, Data], Labels]:
    """The new data under their own names, and the labels that are given with them or by themselves."""
    labels: Labels = {dim: as_labels(dim, values) for dim, values in coords.items()}
    sizes = {*source.coords, *(d for t in infer_types(source).values() for d in t.dims if d)}
    for dim in labels:
        if dim not in sizes:
            raise ModelError(f"the model has no dim {dim!r}.", where=("coords", dim), remedy=suggest(dim, sizes))
    given: dict[str, Data] = {}
    for name, values in data.items():
        old, where = source.data.get(_datum(source, name)), ("data", name)
        if old is None:
            known = [*source.data, *(o.name for o in source.observations if isinstance(o.value, Reference))]
            raise DataError(f"the model has no data {name!r}.", where=where, remedy=suggest(name, known))
        if old.name in given:
            raise DataError(f"{old.name!r} is given twice.", where=where)
        found = values if isinstance(values, Labelled) else as_labelled(values, None, where)
        given[old.name] = _datum_like(old, found, where)
        for axis, own in found.coords.items():
            if axis in old.dims and labels.setdefault(axis, own) != own:
                raise DataError(f"the dim {axis!r} is given labels twice, not the same.", where=where)
    return given, labels


def _datum(source: Model, name: str) -> str:
    """The name of the data that `name`, perhaps that of an observation, stands for."""
    if name in source.data or name not in source:
        return name
    node = source[name]
    return node.value.name if isinstance(node, Observation) and isinstance(node.value, Reference) else name


def _datum_like(old: Data, found: Labelled, where: tuple[str, ...]) -> Data:
    """New values as data with the axes of `old`."""
    try:
        new = Data(old.name, found.values)
    except DataError as error:
        raise DataError(error.message, where=where, remedy=error.remedy) from None
    values, dims = new.values, found.dims
    if values.ndim != old.values.ndim:
        raise DataError(
            f"the values have shape {values.shape}; in the run they have {old.values.ndim} axes, {old.type}.",
            where=where,
        )
    if not values.size:
        raise DataError("there are no values.", where=where)
    if dims is not None and dims != old.dims and None not in old.dims and set(dims) == set(old.dims):
        values = values.transpose([dims.index(d) for d in old.dims])
    elif dims is not None and any(a and b and a != b for a, b in zip(dims, old.dims, strict=True)):
        raise DataError(f"the dims are {list(dims)}; in the run they are {list(old.dims)}.", where=where)
    return Data(old.name, _like(values, old.values.dtype), old.dims)


def _like(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`values` as `dtype` if none of them changes by it: codes may come as floats, measurements as whole numbers."""
    if values.dtype == dtype:
        return values
    # Whether others fit, such as 0.5 where there were whole numbers, is for the model to say.
    with np.errstate(invalid="ignore"):
        cast = values.astype(dtype)
    return cast if np.array_equal(cast, values) else values


def _coords(source: Model, given: Mapping[str, Data], labels: Labels) -> Labels:
    """The labels of every dim; without any where new data bring rows to a dim of data alone."""
    types, sizes, found = infer_types(source), dim_sizes(source), dict(source.coords) | labels
    for dim, new in labels.items():
        old = source.coords.get(dim, ())
        if old and new and isinstance(old[0], str) != isinstance(new[0], str):
            message = f"the label {brief(new[0])} is not of a kind with the run's, such as {brief(old[0])}."
            raise ModelError(message, where=("coords", dim))
    lying = {dim: v.name for v in source.free for dim in types[v.name].dims}
    for name, datum in given.items():
        for axis, size in zip(datum.dims, datum.values.shape, strict=True):
            if axis is None or axis in labels or size == sizes[axis]:
                continue
            if axis in lying:
                raise DataError(
                    f"{size} values along the dim {axis!r}, where {lying[axis]!r} lies; the run has {sizes[axis]}.",
                    where=("data", name),
                    remedy=f"Say by coords of {axis!r} which they are: labels that the run does not have are new.",
                )
            found.pop(axis, None)
    return found


def _unseen(node: Node, source: Model, seen: Sequence[str]) -> Iterator[Node]:
    """`node`, or what stands for an observation without values: a variable to draw, or what it observed."""
    if not isinstance(node, Observation) or node.name in seen:
        yield node
    elif isinstance(node.target, Call):
        yield RandomVariable(node.name, node.target)
    else:
        yield Deterministic(node.name, node.target)


def _needed(nodes: Iterable[Node], names: Sequence[str]) -> list[Node]:
    """The nodes called `names` and all that they refer to, in order."""
    by_name = {node.name: node for node in nodes}
    pending, found = list(names), set[str]()
    while pending:
        name = pending.pop()
        if name in by_name and name not in found:
            found.add(name)
            pending.extend(parents(by_name[name]))
    return [node for name, node in by_name.items() if name in found]


def _relabelled(old: Data, source: Model, given: Mapping[str, Data], coords: Labels) -> Data:
    """Data that are not given, for the labels that their dims have now."""
    values = old.values
    for axis, dim in enumerate(old.dims):
        if dim is None:
            continue
        before, now = source.coords.get(dim), coords.get(dim)
        if before == now and now is not None:
            continue
        places = {label: i for i, label in enumerate(before or range(old.values.shape[axis]))}
        size = old.values.shape[axis]
        lengths = [s for d in given.values() for own, s in zip(d.dims, d.values.shape, strict=True) if own == dim]
        missing = [label for label in now or () if label not in places]
        if missing or (now is None and any(length != size for length in lengths)):
            lacking = f", such as {brief(missing[0])}" if missing else f": {lengths[0]}, and {size} in the run"
            raise DataError(
                f"it lies along {dim!r}, which has other entries now{lacking}; it is not given anew.",
                where=("data", old.name),
                remedy="Give it for the new entries too.",
            )
        if now is not None:
            values = np.take(values, [places[label] for label in now], axis=axis)
    return replace(old, values=values)


def _require_codes(source: Model, nodes: Iterable[Node], given: Mapping[str, Data], coords: Labels) -> None:
    """Raise `DataError` if data that are not given index a dim whose labels have moved."""
    types = infer_types(source)
    moved = {
        dim
        for dim, old in source.coords.items()
        if any(a != b for a, b in zip(old, coords.get(dim, old), strict=False))
    }
    for node in nodes:
        for expression in expressions_of(node).values():
            for part in walk(expression):
                if not (isinstance(part, Apply) and part.operation == "index") or not moved:
                    continue
                if any(name not in types for name in names_in(part.operands[0])):
                    continue  # a name of a loop's own
                dims = infer_type(part.operands[0], types).dims
                for dim, index in zip(dims, part.operands[1:], strict=False):
                    codes = [n for n in names_in(index) if n in source.data and n not in given]
                    if dim in moved and codes:
                        raise DataError(
                            f"it holds places along {dim!r}, whose labels are in other places now.",
                            where=("data", codes[0]),
                            remedy="Give it anew, or add new labels after the old ones.",
                        )


def _require_rows(source: Model, given: Mapping[str, Data], stale: Sequence[str]) -> None:
    """Raise `DataError` if data not given would be spread, or spread themselves, along an axis that was theirs too.

    Other lengths that do not fit are found when types are inferred; a length of 1 fits everything.
    """
    for name, new in given.items():
        old = source.data[name]
        for dim, before, now in zip(old.dims, old.values.shape, new.values.shape, strict=True):
            for other in stale:
                shared = (None, before) in zip(source.data[other].dims, source.data[other].values.shape, strict=True)
                if dim is None and before != now and 1 in (before, now) and shared:
                    raise DataError(
                        f"it has {before} entries, as {name!r} had, which has {now} now; it is not given anew.",
                        where=("data", other),
                        remedy="Give it for the new entries too.",
                    )


def _resized(
    node: RandomVariable, drawn: bool, old: ArrayType, types: Mapping[str, ArrayType], sizes: Mapping[str, int]
) -> RandomVariable:
    """`node`, which had the type `old`, with the shape that it has with the new data.

    That of an observed one was its values'; one that is `drawn` instead has its dims, or else what its parameters say.
    """
    if node.dims is not None or node.shape is not None:
        if node.dims is None or node.shape is None:
            return node
        return replace(node, shape=_lengths(ArrayType(node.shape, node.dims), sizes))
    if not drawn or _says_parameters(node, old, types):
        return node
    named = all(dim in sizes for dim in old.dims)
    return replace(node, dims=old.dims if any(old.dims) else None, shape=None if named else _lengths(old, sizes))


def _says_parameters(node: RandomVariable, old: ArrayType, types: Mapping[str, ArrayType]) -> bool:
    """Whether the shape and dims of `node` are those of its parameters."""
    try:
        found = infer_call(node.name, node.call, types, None)
    except ModelError:
        return False  # they say nothing
    return found.shape == old.shape and all(d in (None, own) for d, own in zip(old.dims, found.dims, strict=True))


def _lengths(found: ArrayType, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes.get(dim or "", size) for dim, size in zip(found.dims, found.shape, strict=True))


def _explained(error: ModelError, given: Mapping[str, Data], stale: Sequence[str]) -> ModelError:
    """`error`, which the new data cause, with what might be missing."""
    hint = f"Not given anew: {', '.join(stale)}." if stale and given else ""
    return type(error)(error.message, where=error.where, remedy=f"{error.remedy} {hint}".strip())
