"""The names, dtypes and dims of every array of a run's results, derived once from its model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exmc.compile.layout import Layout, posterior_names
from exmc.errors import StoreError
from exmc.ir.calls import batch_of, form_of
from exmc.ir.declarations import Label, observed_call
from exmc.ir.expressions import Reference
from exmc.ir.infer import infer_types
from exmc.ir.missing import entry_labels, imputed_variables
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation
from exmc.ir.types import ArrayType
from exmc.sampling.statistics import STATISTICS, Statistic
from exmc.trace.kept import LEFT_OUT, kept_entries

SAMPLE_DIMS = ("chain", "draw")
Axis: TypeAlias = Literal["draws", "warmup", "prior", "data"]

GROUPS: dict[str, Axis] = {
    "posterior": "draws",
    "sample_stats": "draws",
    "unconstrained_posterior": "draws",
    "warmup_posterior": "warmup",
    "warmup_sample_stats": "warmup",
    "log_likelihood": "draws",
    "log_prior": "draws",
    "posterior_predictive": "draws",
    "predictions": "draws",
    "prior": "prior",
    "prior_predictive": "prior",
    "observed_data": "data",
    "constant_data": "data",
    "predictions_constant_data": "data",
}
"""Every group, and what its sample dimensions run over: kept draws, warm-up draws, prior draws or nothing."""

SAMPLED_GROUPS = (
    "posterior",
    "sample_stats",
    "unconstrained_posterior",
    "warmup_posterior",
    "warmup_sample_stats",
)
"""The groups written while sampling; all others are derived afterwards."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One array: the shape and dims of a single draw (sample dimensions left out), and its numpy dtype's name."""

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    dtype: str = "float64"

    @property
    def bytes_per_draw(self) -> int:
        """Bytes that one draw takes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Schema:
    """The groups of a run in the order of `GROUPS`, labels of every dim, and counts of chains and draws."""

    groups: Mapping[str, tuple[Variable, ...]]
    coords: Mapping[str, tuple[Label, ...]]
    draws: int
    warmup: int
    chains: int

    def sample_shape(self, group: str) -> tuple[int, ...]:
        """Lengths of the sample dimensions of `group`; ``()`` for data. Prior groups have none fixed: (1, draws)."""
        axis = GROUPS[group]
        if axis == "data":
            return ()
        if axis == "prior":
            return (1, self.draws)
        return (self.chains, self.draws if axis == "draws" else self.warmup)

    def shape(self, group: str, variable: Variable) -> tuple[int, ...]:
        """The full shape of an array of `group`."""
        return (*self.sample_shape(group), *variable.shape)

    def dims(self, group: str, variable: Variable) -> tuple[str, ...]:
        """The full dims of an array of `group`."""
        return (*(SAMPLE_DIMS if GROUPS[group] != "data" else ()), *variable.dims)

    def sampled(self) -> Iterator[tuple[str, tuple[Variable, ...]]]:
        """The groups that are written while sampling."""
        return ((group, self.groups[group]) for group in SAMPLED_GROUPS if group in self.groups)

    def paths(self) -> Iterator[str]:
        """Every group and ``group/name`` in order."""
        for group, variables in self.groups.items():
            yield group
            yield from (f"{group}/{v.name}" for v in variables)

    @property
    def bytes_per_draw(self) -> int:
        """Bytes that one draw of one chain takes over all groups written while sampling."""
        kept = (self.groups[g] for g in SAMPLED_GROUPS if g in self.groups and GROUPS[g] == "draws")
        return sum(v.bytes_per_draw for variables in kept for v in variables)


def schema_of(
    source: Model,
    rewritten: Model,
    layout: Layout,
    draws: int,
    warmup: int,
    chains: int,
    save_warmup: bool = False,
    statistics: Sequence[Statistic] = STATISTICS,
) -> Schema:
    """The schema of a run of `source`, sampled as `rewritten` with its free variables packed by `layout`.

    ``posterior`` holds the variables that a user of `source` knows (`posterior_names`). Auxiliary variables of the
    rewriting appear in ``unconstrained_posterior`` only. `statistics` are those of the method of inference.
    """
    types = infer_types(source)
    known = infer_types(rewritten)
    namer = _DimNamer(source, rewritten)
    reported = posterior_names(source, rewritten)
    posterior = tuple(namer.variable(name, (types if name in types else known)[name]) for name in reported)
    sampled = tuple(Variable(name, (), (), np.dtype(dtype).name) for name, dtype, *_ in statistics)
    groups: dict[str, tuple[Variable, ...]] = {
        "posterior": posterior,
        "sample_stats": sampled,
        "unconstrained_posterior": tuple(namer.variable(e.name, ArrayType(e.shape, e.dims)) for e in layout.entries),
    }
    if save_warmup:
        groups["warmup_posterior"] = posterior
        groups["warmup_sample_stats"] = sampled
    observed = {o.name: o for o in source.observations}
    kept = {o.name: kept_entries(o, source, types[o.name]) for o in source.observations}

    def seen(name: str, found: ArrayType, suffix: str = "kept") -> Variable:
        entries = kept[name]
        if entries is None:
            return namer.variable(name, found)
        return namer.entries(name, found, entries if suffix == "kept" else ~entries, suffix)

    groups["log_likelihood"] = tuple(
        Variable(o.name, (), ()) if o.joint else seen(o.name, _likelihood(o, known[o.name]))
        for o in rewritten.observations
    )
    groups["log_prior"] = tuple(
        namer.variable(v.name, batch_of(types[v.name], form_of(v.call))) for v in source.free if v.name in reported
    )
    groups["log_prior"] += tuple(
        namer.variable(v.name, batch_of(known[v.name], form_of(v.call))) for v in imputed_variables(source, types)
    )
    generated = {name: _predicted(o, source, types) for name, o in observed.items()}
    predictive = tuple(seen(name, found) for name, found in generated.items())
    groups["posterior_predictive"] = predictive
    groups[LEFT_OUT] = tuple(
        seen(name, found, "left_out") for name, found in generated.items() if kept[name] is not None
    )
    groups["prior"] = tuple(
        namer.variable(n.name, types[n.name])
        for n in source.nodes
        if n in source.free or (isinstance(n, Deterministic) and n.keep)
    )
    groups["prior_predictive"] = predictive
    # Whole numbers under a continuous distribution are what the model sees: floats.
    groups["observed_data"] = tuple(
        seen(name, ArrayType(found.shape, found.dims) if generated[name].kind == "float" else found)
        for name, found in ((name, types[name]) for name in observed)
    )
    groups["constant_data"] = tuple(namer.variable(n, types[n]) for n in constant_data_names(source))
    ordered = {name: groups[name] for name in GROUPS if groups.get(name)}
    return Schema(ordered, namer.coords(ordered), draws, warmup, chains)


def predictions_schema(renewed: Model, names: Sequence[str], scored: Sequence[str], draws: int, chains: int) -> Schema:
    """The schema of predictions of the variables `names` of a model with new data, `exmc.ir.renew.Renewed.model`.

    They are whole, masked entries included; the log likelihoods of the observations `scored`, and the values seen,
    are of the entries that count, as in a run.
    """
    types, namer = infer_types(renewed), _DimNamer(renewed, renewed)
    seen = {o.name: o for o in renewed.observations}

    def counted(name: str, found: ArrayType) -> Variable:
        entries = kept_entries(seen[name], renewed, types[name])
        return namer.variable(name, found) if entries is None else namer.entries(name, found, entries, "kept")

    values = {name: _predicted(o, renewed, types) for name, o in seen.items()}
    calls = {name: observed_call(seen[name], renewed) for name in scored}
    batches = {name: batch_of(types[name], form_of(call)) for name, call in calls.items() if call is not None}
    groups = {
        "predictions": tuple(namer.variable(name, values.get(name, types[name])) for name in names),
        "log_likelihood": tuple(counted(name, ArrayType(b.shape, b.dims)) for name, b in batches.items()),
        "observed_data": tuple(counted(name, found) for name, found in values.items()),
        "predictions_constant_data": tuple(namer.variable(n, types[n]) for n in constant_data_names(renewed)),
    }
    ordered = {name: groups[name] for name in GROUPS if groups.get(name)}
    return Schema(ordered, namer.coords(ordered), draws, 0, chains)


def constant_data_names(source: Model) -> tuple[str, ...]:
    """The data of `source` that are more than the plain values of an observation, in order."""
    observed = {o.value.name for o in source.observations if isinstance(o.value, Reference)}
    return tuple(name for name in source.data if name not in observed)


def _predicted(node: Observation, source: Model, types: Mapping[str, ArrayType]) -> ArrayType:
    """The type of what the model would generate in place of the values of `node`."""
    found, call = types[node.name], observed_call(node, source)
    discrete = call is not None and form_of(call).discrete
    return ArrayType(found.shape, found.dims, "int" if discrete else "float")


def _likelihood(node: Observation, found: ArrayType) -> ArrayType:
    """The type of the pointwise log likelihood of `node`: a number an event."""
    batch = batch_of(found, form_of(node.target)) if isinstance(node.target, Call) else found
    return ArrayType(batch.shape, batch.dims)


class _DimNamer:
    """Gives every axis a name: its dim, or ``<variable>_dim_<i>`` as ArviZ does for axes without one."""

    def __init__(self, source: Model, rewritten: Model) -> None:
        self._labels = dict(rewritten.coords) | dict(source.coords)
        self._taken = {*(n.name for n in source.nodes), *source.data}

    def variable(self, name: str, found: ArrayType) -> Variable:
        dtype = {"float": "float64", "int": "int64", "bool": "bool"}[found.kind]
        dims: list[str] = []
        for axis, dim in enumerate(found.dims):
            # A dim may be shared by the axes of different variables, not by two axes of one.
            fallback = f"{name}_dim_{axis}"
            chosen = fallback if dim is None or dim in dims else dim
            # A dim without coordinates may bear a variable's name, which one dataset cannot hold twice.
            dims.append(f"{chosen}_dim" if chosen in self._taken else chosen)
        return Variable(name, found.shape, tuple(dims), dtype)

    def entries(self, name: str, found: ArrayType, chosen: NDArray[np.bool_], suffix: str) -> Variable:
        """The `chosen` entries of a variable, along an axis ``<variable>_<suffix>`` with their labels.

        The first axes of a value are those of `chosen`; others, of events, stay.
        """
        dim = f"{name}_{suffix}"
        dim = f"{dim}_dim" if dim in self._taken else dim
        self._labels[dim] = tuple(entry_labels(found, chosen, self._labels))
        event = slice(chosen.ndim, None)
        entries = ArrayType((int(chosen.sum()), *found.shape[event]), (dim, *found.dims[event]), found.kind)
        return self.variable(name, entries)

    def coords(self, groups: Mapping[str, Iterable[Variable]]) -> dict[str, tuple[Label, ...]]:
        found: dict[str, tuple[Label, ...]] = {}
        for variables in groups.values():
            for variable in variables:
                for dim, size in zip(variable.dims, variable.shape, strict=True):
                    labels = self._labels.get(dim)
                    fits = labels is not None and len(labels) == size
                    found.setdefault(dim, labels if labels is not None and fits else tuple(range(size)))
        return found


def label_array(labels: tuple[Label, ...]) -> NDArray[Any]:
    """`labels` as a coordinate: int64 or float64 where all are numbers, else strings (object dtype)."""
    if all(isinstance(label, int) and not isinstance(label, bool) for label in labels):
        return np.array(labels, dtype=np.int64)
    if all(isinstance(label, int | float) and not isinstance(label, bool) for label in labels):
        return np.array(labels, dtype=np.float64)
    return np.array([str(label) for label in labels], dtype=object)


def to_document(schema: Schema) -> dict[str, Any]:
    """`schema` as JSON values."""
    return {
        "groups": {g: [asdict(v) for v in variables] for g, variables in schema.groups.items()},
        "coords": {dim: list(labels) for dim, labels in schema.coords.items()},
        "draws": schema.draws,
        "warmup": schema.warmup,
        "chains": schema.chains,
    }


def from_document(document: Mapping[str, Any]) -> Schema:
    """The schema that `to_document` described; raises `StoreError` if it is damaged."""
    try:
        groups = {
            g: tuple(Variable(v["name"], tuple(v["shape"]), tuple(v["dims"]), v["dtype"]) for v in variables)
            for g, variables in document["groups"].items()
        }
        coords = {dim: tuple(labels) for dim, labels in document["coords"].items()}
        return Schema(groups, coords, document["draws"], document["warmup"], document["chains"])
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the schema of this run is damaged: {error!r}.") from None
