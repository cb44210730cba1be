"""What numpy's products of arrays mean in primitives."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np

from exmc.compile.arguments import Rule, Unsupported, operand
from exmc.compile.contraction import Plan, contraction_plan
from exmc.compile.indexing import flat_indices
from exmc.compile.tape import TapeBuilder


def contraction(function: Any) -> Rule:
    def rule(builder: TapeBuilder, *arguments: Any, **keywords: Any) -> int:
        if function is anp.tensordot and len(arguments) == 3:
            keywords, arguments = {"axes": arguments[-1]}, arguments[:2]
        text = [a for a in arguments if isinstance(a, str)]
        arrays = [operand(builder, a) for a in arguments if not isinstance(a, str)]
        plan = contraction_plan(function, [builder.types[a].shape for a in arrays], text, keywords)
        if plan is None:
            raise Unsupported
        entered = [builder.apply("reshape", a, shape=shape) for a, shape in zip(arrays, plan.shapes, strict=True)]
        return contracted(builder, plan, entered)

    return rule


def contracted(builder: TapeBuilder, plan: Plan, arrays: list[int]) -> int:
    """An einsum; without a sum over products of different layouts it becomes elementwise arithmetic."""
    output, inputs = plan.output, "".join(plan.terms)
    if set(output) - set(inputs):
        raise Unsupported
    letters, arrays = _diagonals(builder, plan.terms, arrays)
    everything = "".join(dict.fromkeys(output + inputs))
    same = all(set(term) == set(letters[0]) for term in letters)
    if len(everything) > len(output) and not same:
        spec = ",".join(letters) + "->" + output
        return builder.apply("contract", *(builder.apply("to_float", a) for a in arrays), spec=spec)
    product: int | None = None
    for term, array in zip(letters, arrays, strict=True):
        order = [term.index(letter) for letter in everything if letter in term]
        aligned = builder.apply("transpose", array, permutation=tuple(order))
        extents = {term[i]: n for i, n in enumerate(builder.types[array].shape)}
        aligned = builder.apply("reshape", aligned, shape=tuple(extents.get(letter, 1) for letter in everything))
        product = aligned if product is None else builder.apply("multiply", product, aligned)
    assert product is not None
    summed = tuple(range(len(output), len(everything)))
    return builder.apply("sum", product, axes=summed) if summed else product


def _diagonals(builder: TapeBuilder, terms: list[str], arrays: list[int]) -> tuple[list[str], list[int]]:
    """Operands with a letter twice, replaced by their diagonals."""
    letters, values = [], []
    for term, array in zip(terms, arrays, strict=True):
        single = "".join(dict.fromkeys(term))
        if single != term:
            numbers = np.einsum(f"{term}->{single}", flat_indices(builder.types[array].shape))
            array = builder.apply("take", array, builder.constant(numbers))
        letters.append(single)
        values.append(array)
    return letters, values
