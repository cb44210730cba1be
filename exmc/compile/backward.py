"""Reverse accumulation without mutation, and derivatives where autograd's are wasteful, wrong or missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.builtins import container_take
from autograd.extend import Box, defvjp_argnums, primitive
from autograd.numpy import numpy_wrapper
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vjps import unbroadcast_f
from autograd.util import toposort

from exmc.compile import computed_index
from exmc.compile.contraction import Plan, contraction_plan
from exmc.compile.indexing import flat_indices, kept_shape, normal_axes
from exmc.compile.primitives import Array
from exmc.errors import CompileError
from exmc.linalg import cholesky_vjp

Value = Any
"""A number, an array or an autograd box around one."""

Cotangent = Callable[[Value], Value]
VJPMaker = Callable[
    [tuple[int, ...], Value, tuple[Any, ...], Mapping[str, Any]], Callable[[Value], Iterable[Value]] | None
]


class FlatIndex(NamedTuple):
    """An index into an array's elements in row-major order."""

    numbers: Array


class Members(dict[int, Any]):
    """The cotangent of a tuple: of its members by number; the others' are zero."""


class Scattered(NamedTuple):
    """A cotangent that is zero but at `place`, an index into an array of `shape`."""

    value: Value
    place: Any
    shape: tuple[int, ...]


FOLLOWS: Any = "follows"
"""Stands for a place of `scatter_sum` that is an argument of its own; None is a place already, a new axis."""


@primitive  # type: ignore[untyped-decorator]
def scatter_sum(shape: tuple[int, ...], places: tuple[Any, ...], *values: Array) -> Array:
    """Zeros of `shape` to which each value is added at its place, repeated places adding up.

    The places that are `FOLLOWS` come after the values: there they may be traced.
    """
    result = np.zeros(shape)
    rest = iter(values[len(places) :])
    for place, value in zip(places, values, strict=False):
        place = next(rest) if place is FOLLOWS else place
        if isinstance(place, FlatIndex):
            np.add.at(result.reshape(-1), place.numbers, value)
        else:
            np.add.at(result, place, value)
    return result


def _gathered(argnums: tuple[int, ...], ans: Value, args: tuple[Any, ...], _keywords: Mapping[str, Any]) -> Any:
    """The derivative of a sum of scattered values: that of a derivative, where one is differentiated again."""
    _shape, places, *values = args
    given = iter(values[len(places) :])
    known = [next(given) if place is FOLLOWS else place for place in places]

    def cotangent(g: Value, number: int) -> Value:
        if number >= len(known):
            # A place is a whole number: nothing changes with it.
            return anp.zeros(anp.shape(values[number]))
        place = known[number]
        taken = anp.reshape(g, (-1,))[place.numbers] if isinstance(place, FlatIndex) else g[place]
        return anp.reshape(taken, anp.shape(values[number]))

    return lambda g: [cotangent(g, n - 2) for n in argnums]


defvjp_argnums(scatter_sum, _gathered)


def backward_pass(end_node: Any, seed: Value, roots: Sequence[Any]) -> list[Value | None]:
    """The cotangents of the roots of `end_node`'s graph (None for one outside), every sum a new value.

    autograd's own pass adds in place, also into constants; recorded, it would bake the recorded point into the tape.
    """
    cotangents: dict[Any, list[Value]] = {end_node: [seed]}
    found: dict[Any, Value] = {}
    for node in toposort(end_node):
        total = accumulate(cotangents.pop(node))
        if node in roots:
            found[node] = total
        for parent, cotangent in zip(node.parents, node.vjp(total), strict=True):
            cotangents.setdefault(parent, []).append(cotangent)
    return [found.get(root) for root in roots]


def accumulate(contributions: list[Value]) -> Value:
    """The sum of cotangents, those of indexing in one scatter, those of a tuple's members member by member."""
    if isinstance(contributions[0], Members):
        members: dict[int, list[Value]] = {}
        for contribution in contributions:
            for member, value in contribution.items():
                members.setdefault(member, []).append(value)
        return Members({member: accumulate(values) for member, values in members.items()})
    sparse = [c for c in contributions if isinstance(c, Scattered)]
    dense = [c for c in contributions if not isinstance(c, Scattered)]
    total = dense[0] if dense else None
    for other in dense[1:]:
        total = anp.add(total, other)
    if not sparse:
        return total
    places = tuple(FOLLOWS if isinstance(s.place, Box) else s.place for s in sparse)
    traced = [s.place for s in sparse if isinstance(s.place, Box)]
    scattered = scatter_sum(sparse[0].shape, places, *(s.value for s in sparse), *traced)
    return scattered if total is None else anp.add(total, scattered)


def _each(*makers: Callable[..., Cotangent] | None) -> VJPMaker:
    """A VJP from one maker `(ans, *args, **kwargs) -> cotangent function` for each argument."""

    def maker(argnums: tuple[int, ...], ans: Value, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if any(n >= len(makers) or makers[n] is None for n in argnums):
            return None
        functions = [makers[n](ans, *args, **kwargs) for n in argnums]  # type: ignore[misc]
        return lambda g: [function(g) for function in functions]

    return maker


def _getitem(ans: Value, array: Value, index: Any) -> Cotangent:
    shape = anp.shape(array)
    if computed_index.is_computed(index):
        numbers = computed_index.row_numbers(index, shape)
        return lambda g: computed_index.place(g, numbers, shape)
    return lambda g: Scattered(g, index, shape)


def _selected(function: Callable[..., Array]) -> VJPMaker:
    def maker(ans: Value, array: Value, *args: Any, **kwargs: Any) -> Cotangent:
        shape = anp.shape(array)
        numbers = np.ascontiguousarray(function(flat_indices(shape), *args, **kwargs))
        return lambda g: Scattered(g, FlatIndex(numbers), shape)

    return _each(maker)


def _spread(g: Value, shape: tuple[int, ...], axis: Any) -> Value:
    """A reduction's cotangent, repeated along the reduced axes."""
    return anp.broadcast_to(anp.reshape(g, kept_shape(shape, normal_axes(axis, len(shape)))), shape)


def _sum(ans: Value, x: Value, axis: Any = None, **_keywords: Any) -> Cotangent:
    return lambda g: _spread(g, anp.shape(x), axis)


def _mean(ans: Value, x: Value, axis: Any = None, **_keywords: Any) -> Cotangent:
    count = float(max(anp.size(x), 1)) / float(max(anp.size(ans), 1))
    return lambda g: _spread(g / count, anp.shape(x), axis)


def _prod(ans: Value, x: Value, axis: Any = None, **_keywords: Any) -> Cotangent:
    """The product of the others: without division by an element that is 0."""
    shape = anp.shape(x)
    zero = anp.equal(x, 0.0)
    others = anp.where(zero, 1.0, x)
    zeros = _spread(anp.sum(anp.where(zero, 1.0, 0.0), axis=axis), shape, axis)
    nonzero = _spread(anp.prod(others, axis=axis), shape, axis)
    lone = anp.logical_and(zero, anp.equal(zeros, 1.0))
    without = anp.where(lone, nonzero, anp.where(anp.equal(zeros, 0.0), nonzero / others, 0.0))
    return lambda g: _spread(g, shape, axis) * without


def _extremum(ans: Value, x: Value, axis: Any = None, **_keywords: Any) -> Cotangent:
    def cotangent(g: Value) -> Value:
        chosen = anp.equal(x, _spread(ans, anp.shape(x), axis))
        ties = _spread(anp.sum(anp.where(chosen, 1.0, 0.0), axis=axis), anp.shape(x), axis)
        return anp.where(chosen, _spread(g, anp.shape(x), axis) / ties, 0.0)

    return cotangent


def _broadcast_to(ans: Value, x: Value, shape: Any) -> Cotangent:
    return unbroadcast_f(x, lambda g: g)  # type: ignore[no-any-return]


def _larger(first: Value, second: Value, compare: Callable[[Value, Value], Value]) -> Cotangent:
    """The cotangent of `first` in a maximum or minimum; ties share."""
    return unbroadcast_f(  # type: ignore[no-any-return]
        first,
        lambda g: anp.where(compare(first, second), g, anp.where(anp.equal(first, second), 0.5 * g, 0.0)),
    )


def _clip(ans: Value, x: Value, a_min: Any = None, a_max: Any = None) -> Cotangent:
    def cotangent(g: Value) -> Value:
        for bound in (a_min, a_max):
            g = g if bound is None else anp.where(anp.not_equal(ans, bound), g, 0.0)
        return g

    return unbroadcast_f(x, cotangent)  # type: ignore[no-any-return]


def _power_base(ans: Value, x: Value, y: Any) -> Cotangent:
    if type(y) in (int, float):
        if y == 0:
            return lambda g: anp.zeros(anp.shape(x))
        # x**1 and x**2 are what they seem; x**(y - 1) for other literals stays a power.
        return lambda g: g * (float(y) * x ** (y - 1))
    return unbroadcast_f(x, lambda g: g * (y * x ** anp.where(y, y - 1, 1.0)))  # type: ignore[no-any-return]


def _power_exponent(ans: Value, x: Value, y: Value) -> Cotangent:
    return unbroadcast_f(y, lambda g: g * (anp.log(anp.where(x, x, 1.0)) * ans))  # type: ignore[no-any-return]


def _contraction(function: Any) -> VJPMaker:
    def maker(argnums: tuple[int, ...], ans: Value, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if function is anp.tensordot and len(args) == 3:
            kwargs, args = {"axes": args[-1]}, args[:2]
        text = [a for a in args if isinstance(a, str)]
        arrays = args[len(text) :]
        plan = contraction_plan(function, [anp.shape(a) for a in arrays], text, kwargs)
        if plan is None:
            return None
        # An array of data that is reshaped would be another one for the tape.
        entered = [a if anp.shape(a) == s else anp.reshape(a, s) for a, s in zip(arrays, plan.shapes, strict=True)]
        numbers = [n - len(text) for n in argnums]
        return lambda g: [anp.reshape(_factor(plan, n, g, entered), anp.shape(arrays[n])) for n in numbers]

    return maker


def _factor(plan: Plan, number: int, g: Value, arrays: Sequence[Value]) -> Value:
    """The cotangent of one operand of a product: a product of the result's with the other operands."""
    term = plan.terms[number]
    single = "".join(dict.fromkeys(term))
    others = [t for n, t in enumerate(plan.terms) if n != number]
    known = [c for c in single if c in plan.output + "".join(others)]
    product = anp.einsum(
        ",".join([plan.output, *others]) + "->" + "".join(known),
        g,
        *(a for n, a in enumerate(arrays) if n != number),
    )
    sizes = plan.sizes
    if len(known) < len(single):
        # A letter of this operand alone was summed over.
        product = anp.reshape(product, tuple(sizes[c] if c in known else 1 for c in single))
        product = anp.broadcast_to(product, tuple(sizes[c] for c in single))
    if single == term:
        return product
    shape = tuple(sizes[c] for c in term)
    diagonal = np.ascontiguousarray(np.einsum(f"{term}->{single}", flat_indices(shape)))
    return scatter_sum(shape, (FlatIndex(diagonal),), product)


# The autograd function behind np.where: newer versions wrap it once more.
WHERE: Any = getattr(anp, "_original_where", anp.where)

SELECTIONS = (anp.flip, anp.flipud, anp.fliplr, anp.roll, anp.rot90, anp.repeat, anp.tile, anp.take, anp.diagonal)
"""Functions that pick elements by position, so that numbers in place of elements say which."""


def _none(ans: Value, x: Value, y: Value) -> Cotangent:
    return lambda g: anp.zeros(anp.shape(y))


def _quotient(ans: Value, x: Value, y: Value) -> Cotangent:
    return unbroadcast_f(y, lambda g: -(g * ans / y))  # type: ignore[no-any-return]


_DIVIDE = _each(lambda ans, x, y: unbroadcast_f(x, lambda g: g / y), _quotient)
_ABSOLUTE = _each(lambda ans, x: lambda g: g * anp.sign(x))

VJPS: Mapping[Any, VJPMaker] = MappingProxyType(
    {
        ArrayBox.__getitem__: _each(_getitem),
        container_take: _each(lambda ans, several, number: lambda g: Members({number % len(several): g})),
        anp.sum: _each(_sum),
        numpy_wrapper._primitive_mean: _each(_mean),
        anp.prod: _each(_prod),
        anp.max: _each(_extremum),
        anp.min: _each(_extremum),
        anp.broadcast_to: _each(_broadcast_to),
        # autograd's where keeps the broadcast shape.
        WHERE: _each(
            lambda ans, c, x, y: lambda g: anp.zeros(anp.shape(c)),
            lambda ans, c, x, y: unbroadcast_f(x, lambda g: anp.where(c, g, 0.0)),
            lambda ans, c, x, y: unbroadcast_f(y, lambda g: anp.where(c, 0.0, g)),
        ),
        anp.maximum: _each(lambda ans, x, y: _larger(x, y, anp.greater), lambda ans, x, y: _larger(y, x, anp.greater)),
        anp.minimum: _each(lambda ans, x, y: _larger(x, y, anp.less), lambda ans, x, y: _larger(y, x, anp.less)),
        anp.clip: _each(_clip),
        anp.divide: _DIVIDE,
        anp.true_divide: _DIVIDE,
        anp.power: _each(_power_base, _power_exponent),
        anp.sqrt: _each(lambda ans, x: lambda g: g * 0.5 / ans),
        anp.copy: _each(lambda ans, x: lambda g: g),
        anp.cbrt: _each(lambda ans, x: lambda g: g / (3.0 * ans * ans)),
        anp.copysign: _each(
            lambda ans, x, y: unbroadcast_f(x, lambda g: g * (anp.sign(x) * anp.copysign(1.0, y))), _none
        ),
        anp.square: _each(lambda ans, x: lambda g: g * (2.0 * x)),
        anp.absolute: _ABSOLUTE,
        anp.fabs: _ABSOLUTE,
        # autograd's solves two systems with the general solver.
        anp.linalg.cholesky: _each(lambda ans, matrix: cholesky_vjp(ans, matrix)),
        **{function: _selected(function.fun) for function in SELECTIONS},
        **{f: _contraction(f) for f in (anp.dot, anp.matmul, anp.tensordot, anp.inner, anp.outer, anp.einsum)},
    }
)
"""Our own derivatives by autograd function. A maker that answers None leaves the call to autograd's."""


def no_sparse_objects(cotangent: Value, name: str) -> None:
    """Raise CompileError for a cotangent of autograd's in-place kind."""
    if type(cotangent).__name__ in ("SparseBox", "SparseObject"):
        raise CompileError(f"The derivative of {name} adds in place and cannot be recorded.")
