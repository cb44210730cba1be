"""Every product of arrays as one einsum specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import autograd.numpy as anp

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def contraction_spec(
    function: Any, ranks: Sequence[int], text: Sequence[str], keywords: Mapping[str, Any]
) -> str | None:
    """The explicit einsum specification of a call, or None if it has none.

    Parameters
    ----------
    function
        One of autograd's dot, matmul, tensordot, inner, outer, einsum.
    ranks
        The number of axes of each operand.
    text
        The string arguments of the call (einsum's specification).
    keywords
        Its keyword arguments.
    """
    if function is anp.einsum:
        return _explicit(text[0]) if len(text) == 1 and not keywords else None
    if set(keywords) - {"axes"} or len(ranks) != 2:
        return None
    if function is anp.outer:
        return "a,b->ab" if tuple(ranks) == (1, 1) else None
    a, b = ranks
    if function is anp.tensordot:
        return _tensordot(a, b, keywords.get("axes", 2))
    if a == 0 or b == 0:
        return _tensordot(a, b, 0) if function is not anp.matmul else None
    if function is anp.matmul and max(a, b) > 2:
        batch = _LETTERS[: a - 2]
        return f"{batch}xy,{batch}yz->{batch}xz" if a == b else None
    return _tensordot(a, b, ([a - 1], [b - 1 if function is anp.inner else max(b - 2, 0)]))


def _explicit(spec: str) -> str | None:
    spec = spec.replace(" ", "")
    if "." in spec:
        return None
    if "->" not in spec:
        letters = spec.replace(",", "")
        spec += "->" + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return spec


def _tensordot(a: int, b: int, axes: Any) -> str:
    if isinstance(axes, int):
        axes = (list(range(a - axes, a)), list(range(axes)))
    left, right = ([axis] if isinstance(axis, int) else list(axis) for axis in axes)
    first = list(_LETTERS[:a])
    second = list(_LETTERS[a : a + b])
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    summed = {first[i] for i in left}
    output = [c for c in first + second if c not in summed]
    return f"{''.join(first)},{''.join(second)}->{''.join(output)}"


def adjoint_spec(spec: str, operand: int) -> str | None:
    """The specification of the cotangent of one operand, from the result's cotangent and the other operands.

    None where the operand sums over a letter of its own, which needs a broadcast instead.
    """
    inputs, output = spec.split("->")
    terms = inputs.split(",")
    others = [term for i, term in enumerate(terms) if i != operand]
    if len(set(terms[operand])) != len(terms[operand]) or set(terms[operand]) - set("".join([output, *others])):
        return None
    return ",".join([output, *others]) + "->" + terms[operand]


def consistent(spec: str, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether every letter has one size, so that nothing needs broadcasting."""
    sizes: dict[str, int] = {}
    terms = spec.split("->")[0].split(",")
    return all(
        sizes.setdefault(letter, size) == size
        for term, shape in zip(terms, shapes, strict=True)
        for letter, size in zip(term, shape, strict=True)
    )
