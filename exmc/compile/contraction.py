"""Every product of arrays as one einsum specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import autograd.numpy as anp

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Plan(NamedTuple):
    """A product: its specification with explicit output, and the shape in which each operand enters it.

    An operand's axis of length 1 that stands for a longer one has no letter, and is not in its shape.
    """

    spec: str
    shapes: tuple[tuple[int, ...], ...]

    @property
    def terms(self) -> list[str]:
        """The letters of each operand."""
        return self.spec.split("->")[0].split(",")

    @property
    def output(self) -> str:
        """The letters of the result."""
        return self.spec.split("->")[1]

    @property
    def sizes(self) -> dict[str, int]:
        """The length of each letter's axis."""
        return {
            c: n for term, shape in zip(self.terms, self.shapes, strict=True) for c, n in zip(term, shape, strict=True)
        }


def contraction_plan(
    function: Any, shapes: Sequence[tuple[int, ...]], text: Sequence[str], keywords: Mapping[str, Any]
) -> Plan | None:
    """What a call multiplies and sums, or None where that is not known.

    Parameters
    ----------
    function
        One of autograd's dot, matmul, tensordot, inner, outer, einsum.
    shapes
        The shape of each operand.
    text
        The string arguments of the call (einsum's specification).
    keywords
        Its keyword arguments.
    """
    spec = _specification(function, [len(shape) for shape in shapes], text, keywords)
    if spec is None:
        return None
    terms, output = spec.split("->")[0].split(","), spec.split("->")[1]
    if [len(term) for term in terms] != [len(shape) for shape in shapes]:
        return None
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
    kept = [
        [(c, n) for c, n in zip(term, shape, strict=True) if n == sizes[c]]
        for term, shape in zip(terms, shapes, strict=True)
    ]
    entered = tuple(tuple(n for _, n in letters) for letters in kept)
    return Plan(",".join("".join(c for c, _ in letters) for letters in kept) + "->" + output, entered)


def _specification(function: Any, ranks: Sequence[int], text: Sequence[str], keywords: Mapping[str, Any]) -> str | None:
    if function is anp.einsum:
        return _explicit(text[0], ranks) if len(text) == 1 and not set(keywords) - {"optimize"} else None
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
        # Leading axes are aligned at their ends.
        batch = _LETTERS[: max(a, b) - 2]
        left, right = (batch[len(batch) - n + 2 :] if n > 2 else "" for n in (a, b))
        row, column = ("x" if a > 1 else ""), ("z" if b > 1 else "")
        return f"{left}{row}y,{right}y{column}->{batch}{row}{column}"
    return _tensordot(a, b, ([a - 1], [b - 1 if function is anp.inner else max(b - 2, 0)]))


def _explicit(spec: str, ranks: Sequence[int]) -> str | None:
    spec = spec.replace(" ", "")
    inputs, arrow, output = spec.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        return None
    if not arrow:
        letters = inputs.replace(",", "").replace(".", "")
        output = "..." * ("." in inputs) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if "." in spec:
        # Ellipses are aligned at their ends.
        counts = [
            rank - len(term.replace(".", "")) if "." in term else 0 for term, rank in zip(terms, ranks, strict=True)
        ]
        free = [c for c in _LETTERS + _LETTERS.upper() if c not in spec]
        most = max(counts)
        if min(counts) < 0 or most > len(free):
            return None
        names = "".join(free[:most])
        terms = [term.replace("...", names[most - n :]) for term, n in zip(terms, counts, strict=True)]
        output = output.replace("...", names)
    known = set("".join(terms))
    if not all(c.isalpha() for c in known | set(output)) or set(output) - known or len(set(output)) != len(output):
        return None
    return ",".join(terms) + "->" + output


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
