"""The pass that lifts observations of an invertible linear map of a random vector into observations of the vector.

If ``y = c + A @ z`` is seen, A is square and constant and the elements of z are independent with density p, then y has
the joint density ``prod p(inv(A) (y - c)) / |det A|``. Sums, differences, signs and factors around or inside the
product are undone likewise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exmc.errors import ModelError
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.expressions import Apply, Constant, Expression, Reference, apply, names_in
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Data, Deterministic, Observation, RandomVariable
from exmc.ir.operations import infer_type
from exmc.ir.text import expression_text
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import magnitude, minus, negated, over, plus, times
from exmc.rewrite.changes import Change, unused_name
from exmc.rewrite.lift_affine import solve_affine
from exmc.rewrite.lifting import (
    Solution,
    candidates,
    inlined,
    objection_to_shapes,
    observed_deterministic,
    with_solution,
)

# With a condition number above this, half of the digits of the solution are lost (Higham 2002, ch. 14).
WORST_CONDITION = 1.0 / math.sqrt(np.finfo(float).eps)


def lift_matmul(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` with each observed deterministic ``c + A @ z`` observed through z instead.

    The inverse of A becomes data called ``<name of A>_inverse``. It is the last lifting pass.

    Raises
    ------
    ModelError
        For an observed deterministic that neither this pass nor those before it can lift, with the reasons; also where
        A is singular, or so badly conditioned that half of the digits would be lost.
    """
    changes: list[Change] = []
    for name in [o.name for o in model.observations]:
        # Looked up each time: what was lifted before may have changed what this one refers to.
        found = observed_deterministic(model, name)
        if found is None:
            continue
        observation, target = found
        types = infer_types(model)
        reasons: list[str] = []
        for variable in candidates(model, observation, target):
            solution = _solve(model, observation, target, variable, types)
            if isinstance(solution, Solution):
                model = with_solution(model, observation, target, variable, solution)
                changes.append(Change(observation.name, f"is now an observation of {variable.name}", solution.why))
                break
            affine = solve_affine(model, observation, target, variable, types)
            reasons += [r for r in (affine, solution) if isinstance(r, str)]
        else:
            raise _cannot_lift(observation, target, reasons)
    return model, tuple(changes)


def _cannot_lift(observation: Observation, target: Deterministic, reasons: list[str]) -> ModelError:
    why = "; ".join(dict.fromkeys(reasons)) or "it depends on no continuous variable that is used nowhere else"
    return ModelError(
        f"the deterministic {target.name!r} is observed, but has no density that could be worked out: {why}.",
        where=("variables", observation.name, "observed"),
        remedy=(
            "Observe a random variable instead, such as y ~ Normal(mu, sigma); or a + b * z or A @ z + c, "
            "where z is a random variable of the shape of the values that nothing else uses."
        ),
    )


@dataclass(slots=True)
class _Inversion:
    """The unknown's value so far, the terms of the log Jacobian, and the inverses found on the way."""

    value: Expression
    terms: list[Expression]
    inverses: list[Data]
    matrices: int = 0


def _solve(
    model: Model,
    observation: Observation,
    target: Deterministic,
    variable: RandomVariable,
    types: dict[str, ArrayType],
) -> Solution | str:
    """`target` solved for the vector `variable`, or why it cannot be."""
    if objection := objection_to_shapes(observation, target, variable, types):
        return objection
    if len(types[variable.name].shape) != 1:
        return f"{variable.name!r} is not a vector"
    if observation.mask is not None:
        return "a mask cannot leave out elements of values that depend on each other"
    if observation.weight is not None and infer_type(observation.weight, types).shape:
        return "values that depend on each other can have only one weight in common"
    expression = inlined(target, variable.name, model)
    state = _Inversion(observation.value, [], [])
    count = types[variable.name].size
    while expression != Reference(variable.name):
        following = _peel(expression, variable.name, state, model, types, count)
        if isinstance(following, str):
            return following
        expression = following
    if not state.matrices:
        return f"{target.name!r} has no product with a matrix"
    log_jacobian = state.terms[0]
    for term in state.terms[1:]:
        log_jacobian = plus(log_jacobian, term)
    lifted = replace(
        observation, target=variable.call, value=state.value, log_jacobian=apply("negative", log_jacobian), joint=True
    )
    why = f"{target.name} is an invertible linear map of {variable.name}"
    return Solution(lifted, Reference(observation.name), why, tuple(state.inverses))


def _peel(
    expression: Expression, name: str, state: _Inversion, model: Model, types: dict[str, ArrayType], count: int
) -> Expression | str:
    """Undo the outermost operation of `expression` on the value; the operand that holds `name`, or an objection."""
    assert isinstance(expression, Apply)
    operation, operands = expression.operation, expression.operands
    holding = [name in names_in(o) for o in operands]
    refusal = f"{expression_text(expression)} cannot be solved for {name!r}"
    if sum(holding) != 1:
        return refusal
    place = holding.index(True)
    inner, other = operands[place], operands[1 - place] if len(operands) == 2 else None
    if operation == "negative":
        state.value = negated(state.value)
        return inner
    if other is None or len(operands) != 2:
        return refusal
    if operation == "add":
        state.value = minus(state.value, other)
    elif operation == "subtract":
        state.value = plus(state.value, other) if place == 0 else minus(other, state.value)
    elif operation in ("matmul", "dot"):
        return _peel_matrix(inner, other, place == 1, state, model)
    elif operation == "multiply" or (operation == "divide" and place == 0):
        total = _log_magnitude(other, model, types, count)
        if isinstance(total, str):
            return total
        multiplies = operation == "multiply"
        state.value = over(state.value, other) if multiplies else times(state.value, other)
        state.terms.append(total if multiplies else negated(total))
    else:
        return refusal
    return inner


def _log_magnitude(factor: Expression, model: Model, types: dict[str, ArrayType], count: int) -> Expression | str:
    """The sum of log|factor| over the `count` elements that it multiplies."""
    if is_constant(factor, model) and not np.all(np.asarray(constant_value(factor, model))):
        return f"the factor {expression_text(factor)} is 0"
    found = infer_type(factor, types)
    logarithm = apply("log", magnitude(factor, model))
    return times(Constant(float(count // found.size)), apply("sum", logarithm) if found.shape else logarithm)


def _peel_matrix(
    inner: Expression, matrix: Expression, from_left: bool, state: _Inversion, model: Model
) -> Expression | str:
    """Undo a product with `matrix`, which stands to the left of the unknown or to its right."""
    if not is_constant(matrix, model):
        return f"the matrix {expression_text(matrix)} depends on variables"
    values = np.asarray(constant_value(matrix, model), float)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        return f"{expression_text(matrix)}, of shape {values.shape}, is not a square matrix"
    inverse, log_determinant = _inverse(values, expression_text(matrix))
    label = f"{matrix.name if isinstance(matrix, Reference) else _first_name(matrix)}_inverse"
    data = _named_inverse(label, inverse, state, model)
    operands = (Reference(data.name), state.value) if from_left else (state.value, Reference(data.name))
    state.value = apply("matmul", *operands)
    state.terms.append(Constant(log_determinant))
    state.matrices += 1
    return inner


def _first_name(matrix: Expression) -> str:
    """A name for a matrix that is an expression: that of the first data in it."""
    return names_in(matrix)[0]


def _named_inverse(label: str, inverse: NDArray[np.float64], state: _Inversion, model: Model) -> Data:
    """`inverse` as data called `label` (with underscores, if that is taken); the same inverse is stored once."""
    known = [*model.data.values(), *state.inverses]
    for data in known:
        if data.name.rstrip("_") == label and np.array_equal(data.values, inverse):
            return data
    name = unused_name(label, Model(model.nodes, {d.name: d for d in known}, model.coords))
    data = Data(name, inverse)
    state.inverses.append(data)
    return data


def _inverse(values: NDArray[np.float64], label: str) -> tuple[NDArray[np.float64], float]:
    """The inverse of a matrix, and the logarithm of its determinant's magnitude."""
    condition = float(np.linalg.cond(values)) if values.size else 1.0
    if not condition < WORST_CONDITION:
        raise ModelError(
            f"the matrix {label} has the condition number {condition:.2g}: its inverse would lose half of all digits.",
            where=("data", label),
            remedy=f"Rescale it or drop dependent columns; the limit is {WORST_CONDITION:.2g}.",
        )
    return np.asarray(np.linalg.inv(values), np.float64), float(np.linalg.slogdet(values)[1])
