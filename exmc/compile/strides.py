"""How the axes of arrays in memory advance, in elements."""

from __future__ import annotations

from exmc.compile.tape import Equation

_FEW_COLUMNS = 8


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of a row-major array."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return tuple(strides)


def row_major(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the elements lie side by side in order."""
    plain = contiguous(shape)
    return all(n <= 1 or mine == theirs for n, mine, theirs in zip(shape, strides, plain, strict=True))


def view_strides(equation: Equation, strides: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a transpose or slice of an array with these strides."""
    static = equation.static
    if equation.primitive == "transpose":
        return tuple(strides[axis] for axis in static["permutation"])
    return tuple(step * stride for (_, _, step), stride in zip(static["bounds"], strides, strict=True))


def renamed_strides(old: tuple[int, ...], strides: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...] | None:
    """The strides of a reshape that only adds or drops axes of length 1, or None for another."""
    long = [(n, s) for n, s in zip(old, strides, strict=True) if n != 1]
    if [n for n, _ in long] != [n for n in new if n != 1]:
        return None
    steps = iter(s for _, s in long)
    return tuple(1 if n == 1 else next(steps) for n in new)


def array_strides(equation: Equation, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array that an operation makes in memory.

    The few components of a recurrence's states lie one after the other, so that loops over the steps read side by side.
    """
    if equation.primitive == "recurrence" and shape[1] <= _FEW_COLUMNS:
        return (1, shape[0])
    return contiguous(shape)
