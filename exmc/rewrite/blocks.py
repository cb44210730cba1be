"""Discrete variables that are summed out together: their values, and which rows depend on which of their elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from exmc.errors import ModelError
from exmc.ir.calls import batch_of, form_of, law_of
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.declarations import expressions_of
from exmc.ir.expressions import Expression, names_in
from exmc.ir.missing import missing_in
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Node, Observation, RandomVariable
from exmc.ir.operations import as_number, infer_type
from exmc.ir.types import ArrayType
from exmc.rewrite.owners import MANY, NONE, Owners, owners_in_call

MOST_TERMS = 100
"""The largest number of terms of a sum: the product of the numbers of values of the variables of a block."""
MOST_NUMBERS = 1 << 24
"""The largest number of terms over all elements and rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some discrete variables of one shape that meet in a density.

    Attributes
    ----------
    variables
        In the model's order.
    values
        The values that each may have, by name.
    combinations
        Every choice of a value for each variable: the terms of the sum.
    shape
        That of each variable.
    owners
        By name, for each observation that depends on the block, the number of the element that each event depends on.
    """

    variables: tuple[RandomVariable, ...]
    values: Mapping[str, tuple[int, ...]]
    combinations: tuple[dict[str, int], ...]
    shape: tuple[int, ...]
    owners: Mapping[str, Owners]

    @property
    def chains(self) -> tuple[RandomVariable, ...]:
        """The variables whose elements follow from one another, along the last axis."""
        return tuple(v for v in self.variables if _is_chain(v))

    @property
    def users(self) -> tuple[str, ...]:
        """The observations that depend on the block."""
        return tuple(self.owners)

    @property
    def size(self) -> int:
        """How many elements each variable has."""
        return int(np.prod(self.shape, dtype=np.int64))


def refusal(name: str, why: str) -> ModelError:
    """The error of a discrete variable that cannot be summed out."""
    return ModelError(
        f"{name!r} is discrete, and cannot be summed out: {why}.",
        where=("variables", name),
        remedy="Write a chain as a MarkovChain, another sum by Mixture, or by a scan with a potential; or observe it.",
    )


def block_of(names: tuple[str, ...], model: Model, types: Mapping[str, ArrayType]) -> Block:
    """The block of the variables `names`; raises `ModelError` if it cannot be summed out."""
    variables = tuple(n for n in model.nodes if isinstance(n, RandomVariable) and n.name in names)
    first = variables[0].name
    values = {v.name: _values_of(v, model, types) for v in variables}
    count = int(np.prod([len(v) for v in values.values()], dtype=np.int64))
    if count > MOST_TERMS:
        raise refusal(first, f"the sum has {count} terms, and at most {MOST_TERMS} can be")
    shape = types[first].shape
    for variable in variables[1:]:
        if types[variable.name].shape != shape:
            why = f"{variable.name!r}, which meets it in a density, has another shape, {types[variable.name].shape}"
            raise refusal(first, f"{why} instead of {shape}")
    known = {name: np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape) for name in names}
    for variable in variables:
        chain = _is_chain(variable)
        own = owners_in_call(variable.call, shape[:-1] if chain else shape, known, model, types)
        if not np.all((own == NONE) | (False if chain else own == known[variable.name])):
            why = "its elements depend on each other or on other elements of its like"
            raise refusal(variable.name, "its probabilities depend on discrete variables" if chain else why)
    owners = {}
    for node in model.nodes:
        used = {n for e in expressions_of(node).values() for n in names_in(e)} & set(names)
        if used and node.name not in names:
            owners[node.name] = _owners_in(node, min(used), known, model, types)
    rows = sum(own.size for own in owners.values()) + int(np.prod(shape, dtype=np.int64))
    if rows * count > MOST_NUMBERS:
        raise refusal(first, f"{rows} densities of {count} terms are too many")
    combinations = tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))
    return Block(variables, values, combinations, shape, owners)


def _is_chain(variable: RandomVariable) -> bool:
    return variable.call.distribution == "MarkovChain"


def _values_of(variable: RandomVariable, model: Model, types: Mapping[str, ArrayType]) -> tuple[int, ...]:
    """The values that `variable` may have, from the least to the largest of any of its elements."""

    def known(expression: Expression) -> Any:
        if is_constant(expression, model):
            return as_number(constant_value(expression, model))
        return np.full(infer_type(expression, types).shape, np.nan)

    if form_of(variable.call).rank and not _is_chain(variable):
        raise refusal(variable.name, f"a value of {variable.call.distribution} is a vector")
    low, high = law_of(variable.call, known).edges
    if low is None or high is None or not np.isfinite(low).all() or not np.isfinite(high).all():
        raise refusal(variable.name, "it has no largest or least value, or one that depends on variables")
    least, largest = int(np.min(low)), int(np.max(high))
    if largest - least >= MOST_TERMS:
        raise refusal(variable.name, f"it has {largest - least + 1} values, and at most {MOST_TERMS} can be")
    return tuple(range(least, largest + 1))


def _owners_in(
    node: Node, name: str, known: Mapping[str, Owners], model: Model, types: Mapping[str, ArrayType]
) -> Owners:
    """The element on which each event of `node` depends, which must be an observation of independent events."""
    if isinstance(node, Deterministic | RandomVariable):
        raise refusal(name, f"{node.name!r}, which depends on it, is not observed")
    assert isinstance(node, Observation)
    if not isinstance(node.target, Call):
        raise refusal(name, f"a deterministic that depends on it is observed by {node.name!r}")
    if node.weight is not None:
        raise refusal(name, f"{node.name!r}, which depends on it, is weighted")
    missing = missing_in(model).get(node.name)
    if missing is not None and missing.imputed.any():
        raise refusal(name, f"{node.name!r}, which depends on it, has missing values: mask them")
    batch = batch_of(types[node.name], form_of(node.target)).shape
    owners = owners_in_call(node.target, batch, known, model, types)
    if (owners == MANY).any():
        at = [int(i) for i in np.argwhere(owners == MANY)[0]]
        raise refusal(name, f"the density of {node.name!r} at {at} depends on several of its elements")
    return owners
