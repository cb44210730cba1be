"""What numpy's products of arrays mean in primitives."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np

from exmc.compile.arguments import Rule, Unsupported, operand
from exmc.compile.contraction import consistent, contraction_spec
from exmc.compile.tape import TapeBuilder


def contraction(function: Any) -> Rule:
    def rule(builder: TapeBuilder, *arguments: Any, **keywords: Any) -> int:
        if function is anp.tensordot and len(arguments) == 3:
            keywords, arguments = {"axes": arguments[-1]}, arguments[:2]
        text = [a for a in arguments if isinstance(a, str)]
        arrays = [operand(builder, a) for a in arguments if not isinstance(a, str)]
        shapes = [builder.types[a].shape for a in arrays]
        spec = contraction_spec(function, [len(shape) for shape in shapes], text, keywords)
        if spec is not None and consistent(spec, shapes):
            return contracted(builder, spec, arrays)
        if function is anp.matmul:
            return batched_matmul(builder, *arrays)
        raise Unsupported

    return rule


def contracted(builder: TapeBuilder, spec: str, arrays: list[int]) -> int:
    """An einsum; without a sum over products of different layouts it becomes elementwise arithmetic."""
    inputs, output = spec.split("->")
    letters = inputs.split(",")
    if any(len(set(term)) != len(term) for term in letters):
        raise Unsupported
    if any(letter not in inputs for letter in output):
        raise Unsupported
    everything = "".join(dict.fromkeys(output + inputs.replace(",", "")))
    same = all(set(term) == set(letters[0]) for term in letters)
    if len(everything) > len(output) and not same:
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


def batched_matmul(builder: TapeBuilder, a: int, b: int) -> int:
    """matmul whose batch axes need broadcasting."""
    ranks = [len(builder.types[x].shape) for x in (a, b)]
    if min(ranks) < 2:
        raise Unsupported
    batch = np.broadcast_shapes(builder.types[a].shape[:-2], builder.types[b].shape[:-2])
    values = [builder.apply("broadcast", x, shape=batch + builder.types[x].shape[-2:]) for x in (a, b)]
    names = "abcdefgh"[: len(batch)]
    return contracted(builder, f"{names}xy,{names}yz->{names}xz", values)
