"""The pass that lifts observations of an affine function of a random variable into observations of the variable.

If ``y = a + b * z`` is seen and z has the density p, then y has the density ``p((y - a) / b) / |b|`` (change of
variables, elementwise). A location-scale family absorbs the map: z ~ F(m, s) makes y ~ F(a + b m, |b| s). This is exact
for finite b other than 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exmc.distributions import DISTRIBUTIONS
from exmc.ir.constants import constant_value, is_constant
from exmc.ir.expressions import Apply, Expression, Reference, apply, names_in
from exmc.ir.infer import infer_types
from exmc.ir.model import Model
from exmc.ir.nodes import Call, Deterministic, Observation, RandomVariable
from exmc.ir.text import expression_text
from exmc.ir.types import ArrayType
from exmc.rewrite.algebra import ONE, ZERO, is_number, magnitude, minus, negated, over, plus, times
from exmc.rewrite.changes import Change
from exmc.rewrite.lifting import (
    Solution,
    candidates,
    inlined,
    objection_to_shapes,
    observed_deterministic,
    with_solution,
)


def lift_affine(model: Model) -> tuple[Model, tuple[Change, ...]]:
    """`model` with each observed deterministic ``a + b * z`` observed through z instead, where that can be done.

    z must be a continuous variable that no other density depends on, of the shape of the values; a and b may be any
    expressions without z. Others are left to the passes that follow.
    """
    changes: list[Change] = []
    for name in [o.name for o in model.observations]:
        # Looked up each time: what was lifted before may have changed what this one refers to.
        found = observed_deterministic(model, name)
        if found is None:
            continue
        observation, target = found
        types = infer_types(model)
        for variable in candidates(model, observation, target):
            solution = solve_affine(model, observation, target, variable, types)
            if isinstance(solution, Solution):
                model = with_solution(model, observation, target, variable, solution)
                changes.append(Change(observation.name, f"is now an observation of {variable.name}", solution.why))
                break
    return model, tuple(changes)


def solve_affine(
    model: Model,
    observation: Observation,
    target: Deterministic,
    variable: RandomVariable,
    types: dict[str, ArrayType],
) -> Solution | str:
    """`target` solved for `variable`, or why it cannot be."""
    parts = _affine(inlined(target, variable.name, model), variable.name)
    if isinstance(parts, str):
        return parts
    shift, factor = parts
    if objection := objection_to_shapes(observation, target, variable, types):
        return objection
    if is_constant(factor, model) and not np.all(np.asarray(constant_value(factor, model))):
        return f"the factor of {variable.name!r} is 0"
    formula = f"{target.name} = {expression_text(shift)} + ({expression_text(factor)}) * {variable.name}"
    solved = over(minus(observation.value, shift), factor)
    call = variable.call
    row = DISTRIBUTIONS[call.distribution]
    location_scale = row.location_scale if row.symmetric or _is_positive(factor, model) else None
    if location_scale is not None and all(name in call.arguments for name in location_scale):
        moved = _moved(call, location_scale, shift, factor, model)
        why = f"{formula}, and affine maps of {call.distribution} are {call.distribution}"
        return Solution(replace(observation, target=moved), solved, why)
    # An operation even where |b| = 1: a Jacobian other than NO_JACOBIAN marks values that may depend on variables.
    log_jacobian = apply("negative", apply("log", magnitude(factor, model)))
    lifted = replace(observation, target=call, value=solved, log_jacobian=log_jacobian)
    return Solution(lifted, Reference(observation.name), f"{formula} can be solved for it")


def _is_positive(factor: Expression, model: Model) -> bool:
    return is_constant(factor, model) and bool(np.all(np.asarray(constant_value(factor, model)) > 0))


def _moved(call: Call, location_scale: tuple[str, str], shift: Expression, factor: Expression, model: Model) -> Call:
    """The distribution of ``shift + factor * z`` where z has that of `call`."""
    location, scale = location_scale
    arguments = call.arguments
    centre = arguments[location]
    arguments[location] = shift if is_number(centre, 0) else plus(shift, times(factor, centre))
    arguments[scale] = times(magnitude(factor, model), arguments[scale])
    return Call(call.distribution, tuple(arguments.items()))


def _affine(expression: Expression, name: str) -> tuple[Expression, Expression] | str:
    """(a, b) such that `expression` is ``a + b * name``, neither with `name` in it; or why there are none."""
    if name not in names_in(expression):
        return expression, ZERO
    if isinstance(expression, Reference):
        return ZERO, ONE
    assert isinstance(expression, Apply)
    operation, operands = expression.operation, expression.operands
    refusal = f"{expression_text(expression)} is not an affine function of {name!r}"
    if operation not in ("negative", "add", "subtract", "multiply", "divide"):
        return refusal
    parts = []
    for operand in operands:
        part = _affine(operand, name)
        if isinstance(part, str):
            return part
        parts.append(part)
    if operation == "negative":
        ((shift, factor),) = parts
        return negated(shift), negated(factor)
    (left_shift, left), (right_shift, right) = parts
    if operation == "add":
        return plus(left_shift, right_shift), plus(left, right)
    if operation == "subtract":
        factor = negated(right) if is_number(left, 0) else minus(left, right)
        return (negated(right_shift) if is_number(left_shift, 0) else minus(left_shift, right_shift)), factor
    if operation == "divide" and name not in names_in(operands[1]):
        return (ZERO if is_number(left_shift, 0) else over(left_shift, operands[1])), over(left, operands[1])
    if operation == "multiply" and name not in names_in(operands[1]):
        return (ZERO if is_number(left_shift, 0) else times(left_shift, operands[1])), times(left, operands[1])
    if operation == "multiply" and name not in names_in(operands[0]):
        return (ZERO if is_number(right_shift, 0) else times(operands[0], right_shift)), times(operands[0], right)
    return refusal
