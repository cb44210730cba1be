"""The type of a value in a model: its shape, its dims and what kind of number it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from exmc.errors import ModelError

Kind: TypeAlias = Literal["float", "int", "bool"]
Dims: TypeAlias = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class ArrayType:
    """Shape, one dim (or None) per axis, and kind of number of a variable, datum or expression."""

    shape: tuple[int, ...] = ()
    dims: Dims = ()
    kind: Kind = "float"

    def __str__(self) -> str:
        if not self.shape:
            return "a scalar"
        if any(self.dims):
            named = ", ".join(f"{d or '?'}: {n}" for d, n in zip(self.dims, self.shape, strict=True))
            return f"of shape {self.shape} ({named})"
        return f"of shape {self.shape}"

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for n in self.shape:
            count *= n
        return count


def broadcast(types: list[ArrayType], kind: Kind = "float") -> ArrayType:
    """The common type of `types` under numpy's rule, aligned at the last axis.

    Raises `ModelError` where sizes do not fit or two different dims meet on one axis.
    """
    rank = max((len(t.shape) for t in types), default=0)
    shape: list[int] = []
    dims: list[str | None] = []
    for axis in range(-rank, 0):
        here = [(t.shape[axis], t.dims[axis]) for t in types if len(t.shape) >= -axis]
        sizes = {size for size, _ in here} - {1}
        if len(sizes) > 1:
            raise ModelError(f"shapes do not fit together: {_listed(types)}.")
        named = list(dict.fromkeys(dim for _, dim in here if dim is not None))
        if len(named) > 1:
            raise ModelError(
                f"dims {named[0]!r} and {named[1]!r} meet on one axis: {_listed(types)}.",
                remedy="Index one of them so that both run over the same dim.",
            )
        size = sizes.pop() if sizes else 1
        # A dim of size 1 that is stretched does not name the longer axis.
        kept = bool(named) and (size, named[0]) in here
        shape.append(size)
        dims.append(named[0] if kept else None)
    return ArrayType(tuple(shape), tuple(dims), kind)


def _listed(types: list[ArrayType]) -> str:
    return " and ".join(str(t) for t in types)
