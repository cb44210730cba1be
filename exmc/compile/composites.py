"""Functions of numpy that are written in others: recorded, they become what they are written in."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from exmc import linalg, logspace, special
from exmc.compile import computed_index as computed
from exmc.compile.arguments import Unsupported
from exmc.compile.backward import Members, Value, accumulate, backward_pass
from exmc.compile.linear_recurrence import linear_recurrence


class Run(NamedTuple):
    """What a function written in others gave: one value or several, and the node of each (None: it is constant)."""

    several: bool
    members: tuple[Any, ...]
    nodes: tuple[Any, ...]


def derivative(run: Run, starts: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> Callable[[Value], list[Value]]:
    """The derivative of a function written in others is that of its text: a backward pass from its nodes to `starts`.

    `shapes` are those of the arguments at the starts.
    """

    def cotangents(g: Value) -> list[Value]:
        seeds = g if isinstance(g, Members) else {0: g}
        ends = [(run.nodes[member], seed) for member, seed in seeds.items() if run.nodes[member] is not None]
        passes = [backward_pass(end, seed, starts) for end, seed in ends]
        found = []
        for number, shape in enumerate(shapes):
            parts = [p[number] for p in passes if p[number] is not None]
            found.append(accumulate(parts) if parts else anp.zeros(shape))
        return found

    return cotangents


def _axis(axis: Any, rank: int) -> int:
    if not isinstance(axis, int | np.integer):
        raise Unsupported
    return int(axis) % rank


def _along(axis: int, index: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, index)


# --- Arithmetic and choice -------------------------------------------------------------------------------------------


def _logaddexp2(x: Value, y: Value) -> Value:
    return anp.logaddexp(math.log(2.0) * x, math.log(2.0) * y) / math.log(2.0)


def _sinc(x: Value) -> Value:
    angle = math.pi * anp.where(anp.equal(x, 0.0), 1.0, x)
    return anp.where(anp.equal(x, 0.0), 1.0, anp.sin(angle) / angle)


def _heaviside(x: Value, at_zero: Value) -> Value:
    return anp.where(anp.isnan(x), x, anp.where(x < 0.0, 0.0, anp.where(x > 0.0, 1.0, at_zero)))


def _isclose(a: Value, b: Value, rtol: float = 1e-5, atol: float = 1e-8) -> Value:
    near = anp.less_equal(anp.absolute(a - b), atol + rtol * anp.absolute(b))
    return anp.logical_or(anp.equal(a, b), anp.logical_and(near, anp.isfinite(b)))


def _nan_to_num(x: Value, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Value:
    largest = float(np.finfo(np.float64).max)
    high, low = (largest if posinf is None else posinf), (-largest if neginf is None else neginf)
    number = anp.where(anp.isnan(x), nan, x)
    return anp.where(anp.equal(number, np.inf), high, anp.where(anp.equal(number, -np.inf), low, number))


def _rounded(x: Value, decimals: int = 0) -> Value:
    if decimals == 0:
        return anp.rint(x)
    scale = 10.0 ** abs(decimals)
    return anp.rint(x * scale) / scale if decimals > 0 else anp.rint(x / scale) * scale


# --- Reductions ------------------------------------------------------------------------------------------------------


def _logsumexp(x: Value, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Value:
    if b is not None or return_sign:
        raise Unsupported
    return logspace.logsumexp(x, axis=axis, keepdims=keepdims)


def _sum_of_exponentials(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    if 0 in anp.shape(x):
        raise Unsupported
    return logspace.logsumexp_text(x, axis, keepdims)


def _norm(x: Value, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    matrix = ord is not None and (anp.ndim(x) if axis is None else len(axis) if isinstance(axis, tuple) else 1) > 1
    if ord == "fro" or ord is None or (ord == 2 and not matrix):
        return anp.sqrt(anp.sum(x * x, axis=axis, keepdims=keepdims))
    if matrix or ord not in (1, np.inf, -np.inf):
        raise Unsupported
    reduce = {1: anp.sum, np.inf: anp.max, -np.inf: anp.min}[ord]
    return reduce(anp.absolute(x), axis=axis, keepdims=keepdims)


def _median(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    if keepdims:
        raise Unsupported
    x, axis = (anp.ravel(x), 0) if axis is None else (x, _axis(axis, anp.ndim(x)))
    size = anp.shape(x)[axis]
    ordered = anp.sort(x, axis=axis)
    middle = anp.mean(ordered[_along(axis, slice((size - 1) // 2, size // 2 + 1))], axis=axis)
    # Of elements that are not numbers one comes last, and is the result.
    last = ordered[_along(axis, -1)]
    return anp.where(anp.isnan(last), last, middle)


def _trace(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    return anp.sum(anp.diagonal(x, offset, axis1, axis2), axis=-1)


def _count_nonzero(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    return anp.sum(anp.not_equal(x, 0), axis=axis, keepdims=keepdims)


def _cumprod(x: Value, axis: Any = None) -> Value:
    x, axis = (anp.ravel(x), 0) if axis is None else (1.0 * x, _axis(axis, anp.ndim(x)))
    rest = -np.zeros(tuple(n - (a == axis) for a, n in enumerate(anp.shape(x))))
    if 0 in anp.shape(x):
        raise Unsupported
    return linear_recurrence(x, anp.concatenate([x[_along(axis, slice(1))], rest], axis=axis), axis)


# --- Shapes ----------------------------------------------------------------------------------------------------------


def _split(x: Value, sections: Any, axis: int = 0) -> list[Value]:
    edges = np.cumsum([len(part) for part in np.array_split(np.arange(anp.shape(x)[axis]), sections)])
    return [x[_along(axis % anp.ndim(x), slice(int(a), int(b)))] for a, b in zip([0, *edges], edges, strict=False)]


def _diff(x: Value, n: int = 1, axis: int = -1) -> Value:
    at = axis % anp.ndim(x)
    for _ in range(n):
        x = x[_along(at, slice(1, None))] - x[_along(at, slice(None, -1))]
    return x


def _pad(x: Value, width: Any, mode: str = "constant") -> Value:
    if mode != "constant":
        raise Unsupported
    for axis, (before, after) in enumerate(np.broadcast_to(width, (anp.ndim(x), 2)).tolist()):
        shape = anp.shape(x)
        blocks = [np.zeros((*shape[:axis], n, *shape[axis + 1 :])) for n in (before, after)]
        x = anp.concatenate([blocks[0], x, blocks[1]], axis=axis)
    return x


def _full(shape: Any, value: Value) -> Value:
    return anp.broadcast_to(value, shape)


def _linspace(start: Value, stop: Value, num: int = 50, endpoint: bool = True) -> Value:
    if anp.ndim(start) or anp.ndim(stop) or num < 2:
        raise Unsupported
    return start + np.arange(float(num)) * ((stop - start) / (num - 1 if endpoint else num))


# --- Products --------------------------------------------------------------------------------------------------------


def _cross(a: Value, b: Value) -> Value:
    if anp.shape(a)[-1] != 3 or anp.shape(b)[-1] != 3:
        raise Unsupported
    first, second = np.array([1, 2, 0]), np.array([2, 0, 1])
    return a[..., first] * b[..., second] - a[..., second] * b[..., first]


def _kron(a: Value, b: Value) -> Value:
    rank = max(anp.ndim(a), anp.ndim(b))
    left, right = ((1,) * (rank - anp.ndim(x)) + anp.shape(x) for x in (a, b))
    product = anp.reshape(a, [n for m in left for n in (m, 1)]) * anp.reshape(b, [n for m in right for n in (1, m)])
    return anp.reshape(product, [m * n for m, n in zip(left, right, strict=True)])


def _outer(a: Value, b: Value) -> Value:
    if anp.ndim(a) == anp.ndim(b) == 1:
        raise Unsupported
    return anp.outer(anp.ravel(a), anp.ravel(b))


def _convolve(a: Value, v: Value, mode: str = "full") -> Value:
    sizes = anp.shape(a)[0], anp.shape(v)[0]
    if mode != "full" or 0 in sizes:
        raise Unsupported
    # Row i of the matrix is v reversed, moved i places.
    numbers = np.arange(sum(sizes) - 1)[:, None] - np.arange(sizes[0])
    inside = (numbers >= 0) & (numbers < sizes[1])
    return anp.dot(anp.where(inside, v[np.where(inside, numbers, 0)], 0.0), a)


# --- Matrices --------------------------------------------------------------------------------------------------------


def _solve(a: Value, b: Value) -> Value:
    # As numpy has it: only an array of one axis is a vector.
    rank = anp.ndim(a)
    if anp.ndim(b) == 1:
        return linalg.solve(a, b) if rank == 2 else linalg.solve(a, anp.reshape(b, (1,) * (rank - 2) + (-1, 1)))[..., 0]
    return linalg.solve(a, anp.reshape(b, (1,) * (rank - anp.ndim(b)) + anp.shape(b)))


def _slogdet(a: Value) -> tuple[Value, Value]:
    return linalg.determinant_sign(a), linalg.logabsdet(a)


def _solve_triangular(a: Value, b: Value, trans: Any = 0, lower: bool = False) -> Value:
    if anp.ndim(a) != 2 or trans not in (0, 1, 2, "N", "T", "C"):
        raise Unsupported
    transposed = trans not in (0, "N")
    matrix = a if lower else anp.swapaxes(a, -1, -2)
    return linalg.solve_triangular(matrix, b, transposed if lower else not transposed)


# --- Special functions -----------------------------------------------------------------------------------------------


def _polygamma(n: Any, x: Value) -> Value:
    rows = {0: special.digamma, 1: special.trigamma, 2: special.tetragamma}
    if not isinstance(n, int | np.integer) or int(n) not in rows:
        raise Unsupported
    return rows[int(n)](x)


def _multigammaln(a: Value, d: int) -> Value:
    terms = special.gammaln(anp.expand_dims(a, -1) - np.arange(d) / 2.0)
    return anp.sum(terms, -1) + d * (d - 1) / 4.0 * math.log(math.pi)


COMPOSITES: Mapping[Any, Callable[..., Any]] = MappingProxyType(
    {
        anp.float_power: lambda x, y: anp.power(1.0 * x, y),
        anp.logaddexp2: _logaddexp2,
        anp.deg2rad: lambda x: x * (math.pi / 180.0),
        anp.radians: lambda x: x * (math.pi / 180.0),
        anp.rad2deg: lambda x: x * (180.0 / math.pi),
        anp.degrees: lambda x: x * (180.0 / math.pi),
        anp.sinc: _sinc,
        anp.heaviside: _heaviside,
        anp.isclose: _isclose,
        anp.nan_to_num: _nan_to_num,
        anp.fix: lambda x: anp.trunc(x),
        anp.round: _rounded,
        anp.around: _rounded,
        logspace.logsumexp: _sum_of_exponentials,
        logspace.softmax: logspace.softmax_text,
        logspace.log_softmax: logspace.log_softmax_text,
        anp.linalg._primitive_norm: _norm,
        anp.median: _median,
        anp.ptp: lambda x, axis=None: anp.max(x, axis=axis) - anp.min(x, axis=axis),
        anp.nansum: lambda x, axis=None: anp.sum(anp.where(anp.isnan(x), 0.0, x), axis=axis),
        anp.trace: _trace,
        anp.count_nonzero: _count_nonzero,
        anp.cumprod: _cumprod,
        anp.split: _split,
        anp.array_split: _split,
        anp.diff: _diff,
        anp.pad: _pad,
        anp.full: _full,
        anp.full_like: lambda x, value: anp.broadcast_to(value, anp.shape(x)),
        anp.linspace: _linspace,
        anp.vdot: lambda a, b: anp.dot(anp.ravel(a), anp.ravel(b)),
        anp.cross: _cross,
        anp.outer: _outer,
        anp.kron: _kron,
        anp.convolve: _convolve,
        anp.sort: computed.sort,
        anp.take_along_axis: computed.take_along_axis,
        anp.argmax: computed.argmax,
        anp.argmin: computed.argmin,
        anp.linalg.solve: _solve,
        anp.linalg.inv: lambda a: linalg.inverse(a),
        anp.linalg.det: linalg.determinant,
        anp.linalg.slogdet: _slogdet,
        special.polygamma: _polygamma,
        special.betaln: special.betaln_text,
    }
)
"""By autograd function: the same, written in functions that are recorded. One that raises Unsupported is external."""


def composite_of(function: Any) -> Callable[..., Any] | None:
    """The text of one of autograd's functions, if it has one."""
    found = COMPOSITES.get(function)
    if found is None and _FOREIGN in sys.modules:
        found = foreign_composites().get(function)
    return found


# As for `exmc.compile.canonical.rule_of`: it takes half a second to import.
_FOREIGN = "autograd.scipy.special"


@functools.cache
def foreign_composites() -> Mapping[Any, Callable[..., Any]]:
    """`COMPOSITES` of the functions of autograd.scipy, once somebody has imported it."""
    ascipy, alinalg = sys.modules[_FOREIGN], sys.modules["autograd.scipy.linalg"]
    return MappingProxyType(
        {
            ascipy.logsumexp: _logsumexp,
            alinalg.solve_triangular: _solve_triangular,
            ascipy.polygamma: _polygamma,
            ascipy.multigammaln: _multigammaln,
            ascipy.betaln: special.betaln,
            ascipy.beta: lambda a, b: anp.exp(special.betaln(a, b)),
            ascipy.i0: lambda x: anp.exp(anp.absolute(x)) * special.i0e(x),
            ascipy.i1: lambda x: anp.exp(anp.absolute(x)) * special.i1e(x),
        }
    )


OWN_DERIVATIVES = (logspace.logsumexp, logspace.softmax, logspace.log_softmax, special.betaln)
"""Those with a derivative of their own, shorter than that of their text."""
