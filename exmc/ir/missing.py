"""Which values of an observation are missing, and the variable that stands for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.distributions import DISTRIBUTIONS
from exmc.distributions.base import Form
from exmc.errors import DataError
from exmc.ir.calls import form_of
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.declarations import Label, expressions_of, observed_call, parents
from exmc.ir.expressions import Reference, names_in
from exmc.ir.model import Model
from exmc.ir.nodes import Argument, Call, Observation, RandomVariable
from exmc.ir.operations import infer_type
from exmc.ir.types import ArrayType
from exmc.transforms.supports import Edge

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Missing:
    """What of one observation's values is missing.

    Attributes
    ----------
    name
        The observation's.
    elements
        Whether each element is missing (NaN), in the shape of the values.
    imputed
        Those of them that become a variable; the others are left out, by a mask or because their probabilities sum to 1
        and nothing depends on them.
    rank
        How many axes an event has.
    whole
        Whether the variable has whole events, drawn from the distribution of what is seen; else it has elements,
        whose density is that of the events which they are part of.
    used
        Whether other nodes refer to the observation.
    """

    name: str
    elements: BoolArray
    imputed: BoolArray
    rank: int
    whole: bool
    used: bool

    @property
    def variable(self) -> str:
        """The name of the variable of the missing values."""
        return f"{self.name}_missing"

    @property
    def dim(self) -> str:
        """The dim of the variable's first axis."""
        return f"{self.variable}_entry"

    @property
    def keys(self) -> tuple[str, ...]:
        """For each axis of `places`, the name of the data that say where the variable's entries belong along it."""
        rank = self.places.ndim
        return tuple(f"{self.variable}_at{f'_{i}' if rank > 1 else ''}" for i in range(rank))

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that imputation gives to something."""
        return (self.variable, self.dim, *self.keys, *(f"{self.variable}_{what}" for what in ("place", "gaps", "seen")))

    @property
    def entries(self) -> BoolArray:
        """Whether each entry, an event, misses something."""
        return of_events(self.elements, self.rank)

    @property
    def places(self) -> BoolArray:
        """What the variable's first axis runs over: the imputed events, or elements."""
        return of_events(self.imputed, self.rank) if self.whole else self.imputed


def missing_in(model: Model) -> dict[str, Missing]:
    """What is missing in each observation that misses anything, by name; nothing in a model without NaN.

    NaN counts as missing where the data that the values are made of have any.
    """
    gaps = {d.name for d in model.data.values() if d.kind == "float" and np.isnan(d.values).any()}
    found: dict[str, Missing] = {}
    if not gaps:
        return found
    for node in model.observations:
        if not gaps.isdisjoint(names_in(node.value)) and is_constant(node.value, model):
            elements = np.isnan(np.asarray(constant_value(node.value, model), dtype=float))
            if elements.any():
                found[node.name] = _missing(node, elements, model)
    return found


def _missing(node: Observation, elements: BoolArray, model: Model) -> Missing:
    call = observed_call(node, model)
    form = None if call is None else form_of(call)
    rank = 0 if form is None else form.rank
    used = _is_used(node, model)
    imputed = elements if used else elements & _counted(node, rank, model)
    if form is not None and not form.transform and not used:
        imputed = np.zeros_like(elements)
    axes = tuple(range(elements.ndim - rank, elements.ndim))
    partly = of_events(imputed, rank) & ~imputed.all(axis=axes)
    whole = not partly.any() and (call is None or _is_open_to_indices(call))
    return Missing(node.name, elements, imputed, rank, whole, used)


def of_events(elements: BoolArray, rank: int) -> BoolArray:
    """Whether any element of each event is true."""
    return np.asarray(elements.any(axis=tuple(range(elements.ndim - rank, elements.ndim))))


def _is_used(node: Observation, model: Model) -> bool:
    """Whether other nodes refer to the observation, or to the variable that it observes."""
    names = {node.name} | ({node.target.name} if isinstance(node.target, Reference) else set())
    return any(not names.isdisjoint(parents(other)) for other in model.nodes if other.name not in names)


def _counted(node: Observation, rank: int, model: Model) -> BoolArray:
    """Whether the mask and the weight of `node` let each event count; they may broadcast over its elements."""
    counted: Any = np.asarray(True)
    if node.mask is not None and is_constant(node.mask, model):
        counted = counted & np.asarray(constant_value(node.mask, model), dtype=bool)
    if node.weight is not None and is_constant(node.weight, model):
        counted = counted & (np.asarray(constant_value(node.weight, model)) != 0)
    return np.asarray(np.reshape(counted, (*counted.shape, *(1,) * rank)))


def _is_open_to_indices(call: Call) -> bool:
    """Whether it is known of each parameter what its axes are: those of a function of the user's own may be any."""
    calls = [a for _, a in call.parameters if isinstance(a, Call)]
    calls += [c for _, a in call.parameters if isinstance(a, tuple) for c in a]
    return not DISTRIBUTIONS[call.distribution].open and all(_is_open_to_indices(c) for c in calls)


def check_missing(model: Model) -> None:
    """Raise `DataError` for missing values that nothing can be said of: in covariates, or of what cannot be imputed."""
    for data in model.data.values():
        if data.kind == "float" and np.isnan(data.values).any():
            _check_use(data.name, np.argwhere(np.isnan(data.values))[0], model)
    for missing in missing_in(model).values():
        _check_observation(missing, model)


def _check_use(name: str, at: NDArray[Any], model: Model) -> None:
    """Raise unless the data called `name`, missing at the index `at`, are observed and nothing else."""
    uses = [(n, key) for n in model.nodes for key, e in expressions_of(n).items() if name in names_in(e)]
    others = [f"{n.name!r}" for n, key in uses if not (isinstance(n, Observation) and key == "observed")]
    if uses and not others:
        return
    place = ", ".join(str(int(i)) for i in at)
    raise DataError(
        f"the value at [{place}] is missing (NaN)" + (f", and {others[0]} depends on it." if others else "."),
        where=("data", name),
        remedy=f"Give what is measured a distribution, x: {{dist: Normal, mu: m, sigma: s, observed: {name}}}, and "
        "refer to x instead: its missing values are then sampled. Or drop such rows."
        if others
        else "Missing values are sampled where data are observed. Drop these.",
    )


def _check_observation(missing: Missing, model: Model) -> None:
    where = ("variables", missing.name, "observed")
    node = model[missing.name]
    assert isinstance(node, Observation)
    call = observed_call(node, model)
    count = f"{int(missing.elements.sum())} of {missing.elements.size} values are missing"
    if missing.entries.all():
        raise DataError(f"{count}: nothing is seen.", where=where, remedy="Leave observed out.")
    if call is not None and form_of(call).discrete and form_of(call).rank > form_of(call).support.event_rank:
        partly = missing.entries & ~missing.elements.all(axis=-1)
        if partly.any():
            remedy = "Leave such series out with mask, or leave observed out: the whole chain is then summed out."
            raise DataError(f"{count}, parts of series of {call.distribution}.", where=where, remedy=remedy)
    if not missing.imputed.any():
        return
    if call is None:
        remedy = "Observe a random variable instead, or leave them out with mask."
        raise DataError(f"{count}, of a deterministic.", where=where, remedy=remedy)
    form = form_of(call)
    if not form.transform:
        kind = "discrete" if form.discrete else "can only be observed"
        remedy = "Give the variables that depend on it a continuous one, or drop these entries."
        raise DataError(f"{count}; {call.distribution} is {kind}, and others depend on it.", where=where, remedy=remedy)
    if not missing.whole and free_elements(form) is None:
        what = "are parts of vectors or matrices" if missing.rank else "cannot be told apart in its parameters"
        raise DataError(
            f"{count} and {what} of {call.distribution}.", where=where, remedy="Leave those entries out with mask."
        )
    taken = {n.name for n in model.nodes} | set(model.data) | set(model.coords)
    for name in missing.names:
        if name in taken:
            remedy = "Rename it: missing values are sampled under such names."
            raise DataError(f"{count}, and the name {name!r} is taken.", where=where, remedy=remedy)


def free_elements(form: Form) -> str | None:
    """The family without a density of its own that single elements of an event range over; None if there is none."""
    if form.support.event_rank or form.support.discrete:
        return None
    families: dict[tuple[Edge, Edge], str] = {(None, None): "Flat", (0.0, None): "HalfFlat"}
    return families.get(form.support.edges)


def imputed_call(call: Call, batch: tuple[int, ...], keys: tuple[str, ...], types: Mapping[str, ArrayType]) -> Call:
    """The distribution of some entries of a variable: `call` with each parameter indexed.

    Parameters
    ----------
    batch
        The shape of the variable without event axes.
    keys
        For each of its axes, the name of integer data, one index an entry.
    """
    known = {p.name: len(p.event) for p in DISTRIBUTIONS[call.distribution].parameters}

    def entries(name: str, argument: Argument) -> Argument:
        if isinstance(argument, Call):
            return imputed_call(argument, batch, keys, types)
        if isinstance(argument, tuple):
            return tuple(imputed_call(c, batch, keys, types) for c in argument)
        if isinstance(argument, str):
            return argument
        shape = infer_type(argument, types).shape
        own = shape[: max(len(shape) - known[name], 0)]
        if not own:
            return argument
        lead = len(batch) - len(own)
        # What is stretched over an axis has one element there.
        chosen = [Reference(keys[lead + i]) if n == batch[lead + i] else 0 for i, n in enumerate(own)]
        return argument[tuple(chosen)]

    return Call(call.distribution, tuple((name, entries(name, a)) for name, a in call.parameters))


def imputed_variable(call: Call, missing: Missing, found: ArrayType, types: Mapping[str, ArrayType]) -> RandomVariable:
    """The variable of the missing values of an observation of `call`, whose type is `found`."""
    count = int(missing.places.sum())
    if not missing.whole:
        family = free_elements(form_of(call))
        assert family is not None  # a model's check sees to it
        return RandomVariable(missing.variable, Call(family, ()), (missing.dim,), (count,))
    batch = missing.places.shape
    event = slice(len(batch), None)
    entries = imputed_call(call, batch, missing.keys, types)
    return RandomVariable(missing.variable, entries, (missing.dim, *found.dims[event]), (count, *found.shape[event]))


def imputed_variables(model: Model, types: Mapping[str, ArrayType]) -> tuple[RandomVariable, ...]:
    """The variables of missing values of `model`, a user's, that have a density of their own."""
    found = []
    for missing in missing_in(model).values():
        node = model[missing.name]
        assert isinstance(node, Observation)
        call = observed_call(node, model)
        if call is not None and missing.whole and missing.imputed.any():
            found.append(imputed_variable(call, missing, types[missing.name], types))
    return tuple(found)


def entry_labels(found: ArrayType, chosen: BoolArray, coords: Mapping[str, tuple[Label, ...]]) -> list[Label]:
    """A label for each `chosen` entry of `found`, whose first axes are those of `chosen`.

    It is that along a single axis, else those along all, such as ``a, 3``.
    """
    sizes = zip(found.dims, chosen.shape, strict=False)
    axes = [coords.get(dim or "", tuple(range(size))) for dim, size in sizes]
    entries = [labels for labels, is_chosen in zip(product(*axes), chosen.ravel(), strict=True) if is_chosen]
    return [labels[0] if len(axes) == 1 else ", ".join(map(str, labels)) for labels in entries]


def missing_notes(model: Model) -> tuple[DataError, ...]:
    """What the user of `model` should know of its missing values: of which variable, how many, where they are kept."""
    notes = []
    for missing in missing_in(model).values():
        total, sampled = int(missing.elements.sum()), int(missing.imputed.sum())
        fate = []
        if sampled:
            fate.append(f"{sampled} are sampled, as {missing.variable!r}")
        if total - sampled:
            fate.append(f"{total - sampled} are left out")
        message = f"{total} of {missing.elements.size} values are missing: {' and '.join(fate)}."
        notes.append(DataError(message, where=("variables", missing.name, "observed")))
    return tuple(notes)
