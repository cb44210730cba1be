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
        size, dim = 1, None
        for t in types:
            if len(t.shape) < -axis:
                continue
            here, name = t.shape[axis], t.dims[axis]
            if here == 1 and name is None:
                continue
            if size not in (1, here) and here != 1:
                raise ModelError(f"shapes do not fit together: {_listed(types)}.")
            if dim is not None and name is not None and dim != name:
                raise ModelError(
                    f"dims {dim!r} and {name!r} meet on one axis: {_listed(types)}.",
                    remedy="Index one of them so that both run over the same dim.",
                )
            size = here if size == 1 else size
            dim = dim or name
        shape.append(size)
        dims.append(dim)
    return ArrayType(tuple(shape), tuple(dims), kind)


def _listed(types: list[ArrayType]) -> str:
    return " and ".join(str(t) for t in types)
