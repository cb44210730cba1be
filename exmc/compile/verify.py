"""Compares a translation of a density with what it was made from, and names the worst element."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from exmc.compile.primitives import Array
from exmc.errors import CompileError

RELATIVE = 1e-9
"""Two orders of summation of a million terms agree to about this; a wrong rule does not."""

_DIFFERENCE_TOLERANCE = 1e-5
"""A fourth-order difference at step 1e-3 is good to about 1e-9; this leaves room for badly scaled densities."""

Oracle = Callable[[Callable[[Any], Any], Array], tuple[Array, Array]]


LARGE = 2**17
"""Data of so many elements take longer to evaluate than to compile: one point then has to do."""


def points(dimension: int, generator: np.random.Generator, size: int = 0) -> Iterator[Array]:
    """Positions at which translations are compared: near the origin, and over the range of initial points.

    With data of `size` elements, only as many as can be afforded. The sum over many rows leaves few errors unseen.
    """
    for scale in (0.3, 1.0, 2.0, 2.0) if size < LARGE else (1.0,):
        yield generator.uniform(-scale, scale, dimension)


def remembered(oracle: Oracle) -> Oracle:
    """An oracle that is asked once a position: the tape and the machine code are compared with the same answers."""
    known: dict[bytes, tuple[Array, Array]] = {}

    def ask(function: Callable[[Any], Any], position: Array) -> tuple[Array, Array]:
        key = position.tobytes()
        if key not in known:
            known[key] = oracle(function, position)
        return known[key]

    return ask


def worst(found: Array, expected: Array) -> tuple[float, tuple[int, ...]]:
    """The largest error relative to its tolerance, and where; NaN matches NaN and an infinity itself only."""
    if found.shape != expected.shape:
        return np.inf, ()
    if expected.size == 0:
        return 0.0, ()
    with np.errstate(all="ignore"):
        finite = np.isfinite(expected)
        scale = np.max(np.abs(expected[finite]), initial=0.0)
        error = np.abs(found - expected) / (RELATIVE * np.abs(expected) + 1e-12 * scale + 1e-290)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    error = np.where(same, 0.0, np.where(finite & np.isfinite(found), error, np.inf))
    place = np.unravel_index(int(np.argmax(error)), error.shape)
    return float(error[place]), tuple(int(i) for i in place)


def verify_outputs(
    what: str,
    found: tuple[Array, ...],
    expected: tuple[Array, ...],
    position: Array,
    function: Callable[[Array], tuple[Array, ...]] | None = None,
) -> None:
    """Raise CompileError unless all outputs agree, up to what rounding does to those of `function`."""
    if len(found) != len(expected):
        raise CompileError(f"The {what} has {len(found)} outputs, not {len(expected)}.")
    for number, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        if function is not None and mine.shape == theirs.shape and worst(mine, theirs)[0] > 1.0:
            allowed = 8 * _noise(function, number, theirs, position)
            with np.errstate(invalid="ignore"):
                mine = np.where(np.abs(mine - theirs) <= allowed, theirs, mine)
        _agree(f"output {number}", what, mine, theirs, position)


def _noise(function: Callable[[Array], tuple[Array, ...]], number: int, expected: Array, position: Array) -> Array:
    """What rounding does to each element of `expected`, the output `number`: second differences at steps of 1e-6.

    A small difference of large numbers has no more digits than that, in whichever order it is computed. Curvature adds
    about 1e-12, which is nothing to the tolerance.
    """
    generator = np.random.default_rng(len(position))
    found = np.zeros(expected.shape)
    with np.errstate(all="ignore"):
        if not np.array_equal(function(position)[number], expected, equal_nan=True):
            return found  # it differs from call to call, and no rounding excuses it
        for _ in range(16):
            step = generator.uniform(-1e-6, 1e-6, position.shape)
            ahead, behind = function(position + step)[number], function(position - step)[number]
            found = np.fmax(found, np.abs(ahead - 2.0 * expected + behind))
    return found


def verify_gradient(
    what: str, found: tuple[Array, ...], position: Array, function: Callable[[Any], Any], oracle: Oracle
) -> None:
    """Raise CompileError unless value and gradient agree with the oracle's.

    Where they do not, or the oracle fails, directional differences of the function decide: autograd's own derivatives
    of some functions are wrong (where, broadcast_to) or missing (flip, take), and NaN at some edges.
    """
    value, gradient = found
    try:
        plain, expected = oracle(function, position)
    except (ArithmeticError, ValueError, TypeError, IndexError, NotImplementedError, AssertionError):
        plain, expected = _plain_value(function, position), np.full(position.shape, np.nan)
    _agree("the value", what, np.asarray(value), np.asarray(plain), position)
    error, _ = worst(gradient, expected)
    if error > 1.0 and not _differences_agree(gradient, function, position):
        _agree("the gradient", what, gradient, expected, position)


def _plain_value(function: Callable[[Any], Any], position: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(function(position.copy()), dtype=np.float64)


def _agree(name: str, what: str, found: Array, expected: Array, position: Array) -> None:
    error, place = worst(found, expected)
    if not error <= 1.0:
        mine, theirs = (array[place] if array.shape == expected.shape else array.shape for array in (found, expected))
        raise CompileError(
            f"The {what} disagrees with the function in {name}{list(place) if place else ''}: {mine!r} instead of "
            f"{theirs!r}, at position {np.array2string(position, threshold=8)}.",
            remedy="A function of the parameters must be deterministic and free of branches and side effects; "
            "if it is, this is a defect of exmc, and engine: autograd avoids it.",
        )


def _differences_agree(gradient: Array, function: Callable[[Any], Any], position: Array) -> bool:
    """Whether fourth-order central differences along coordinates and random directions confirm a gradient."""
    if gradient.shape != position.shape or not np.all(np.isfinite(gradient)):
        return False
    generator = np.random.default_rng(len(position))
    count = min(len(position), 8)
    coordinates = generator.choice(len(position), count, replace=False)
    directions = [np.eye(1, len(position), int(c))[0] for c in coordinates]
    directions += list(generator.standard_normal((4, len(position))) / np.sqrt(len(position)))
    step = 1e-3
    for direction in directions:
        values = [float(_plain_value(function, position + k * step * direction)) for k in (-2, -1, 1, 2)]
        slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        noise = 1e-15 * max(map(abs, values)) / step
        scale = max(abs(slope), float(np.linalg.norm(gradient * direction)), 1e-3)
        if not abs(slope - float(gradient @ direction)) <= _DIFFERENCE_TOLERANCE * scale + 100 * noise:
            return False
    return True
