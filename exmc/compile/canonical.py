"""What each function of autograd.numpy means in primitives: one rule a function."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.numpy import numpy_wrapper
from autograd.numpy.numpy_boxes import ArrayBox

from exmc.compile import backward
from exmc.compile import canonical_arrays as arrays
from exmc.compile.arguments import Rule, Unsupported, operand
from exmc.compile.canonical_computed import COMPUTED_RULES
from exmc.compile.canonical_linear import LINEAR_RULES
from exmc.compile.canonical_ode import ODE_RULES
from exmc.compile.canonical_products import contraction
from exmc.compile.canonical_scan import SCAN_RULES
from exmc.compile.indexing import kept_shape, normal_axes
from exmc.compile.primitives import BOOLEAN, FLOAT
from exmc.compile.tape import TapeBuilder
from exmc.ir.positions import positions
from exmc.special import SPECIAL


def _elementwise(name: str) -> Rule:
    def rule(builder: TapeBuilder, *arguments: Any) -> int:
        operands = [operand(builder, a) for a in arguments]
        truths = all(builder.types[o].dtype == BOOLEAN for o in operands)
        if truths and name in _ON_TRUTHS:
            return builder.apply(_ON_TRUTHS[name], *operands)
        if truths and name in _NOT_ON_TRUTHS:
            raise Unsupported
        return builder.apply(name, *operands)

    return rule


# numpy's arithmetic on two booleans is logic.
_ON_TRUTHS = {"add": "logical_or", "multiply": "logical_and", "maximum": "logical_or", "minimum": "logical_and"}


_NOT_ON_TRUTHS = ("power", "mod", "floor_divide", "negative", "subtract", "sign")


def _power(builder: TapeBuilder, x: Any, y: Any) -> int:
    base = operand(builder, x)
    floating = builder.types[base].dtype == FLOAT
    # Exact special cases of C's pow; other exponents go to pow itself.
    if floating and type(y) in (int, float):
        if y == 1:
            return base
        if y == 2:
            return builder.apply("multiply", base, base)
        if y == -1:
            return builder.apply("divide", builder.literal(1.0), base)
    return _elementwise("power")(builder, x, y)


def _square(builder: TapeBuilder, x: Any) -> int:
    return builder.apply("multiply", operand(builder, x), operand(builder, x))


def _reciprocal(builder: TapeBuilder, x: Any) -> int:
    return builder.apply("divide", builder.literal(1.0), operand(builder, x))


def _identity(builder: TapeBuilder, x: Any, **_keywords: Any) -> int:
    return operand(builder, x)


def _where(builder: TapeBuilder, condition: Any, x: Any, y: Any) -> int:
    return builder.apply("where", *(operand(builder, a) for a in (condition, x, y)))


def _clip(builder: TapeBuilder, x: Any, a_min: Any = None, a_max: Any = None) -> int:
    result = operand(builder, x)
    if a_min is not None:
        result = builder.apply("maximum", result, operand(builder, a_min))
    return result if a_max is None else builder.apply("minimum", result, operand(builder, a_max))


def _reduction(name: str) -> Rule:
    def rule(
        builder: TapeBuilder, x: Any, axis: Any = None, dtype: None = None, out: None = None, keepdims: Any = False
    ) -> int:
        if dtype is not None or out is not None:
            raise Unsupported
        return reduced(builder, name, operand(builder, x), axis, bool(keepdims))

    return rule


def _extremum(name: str) -> Rule:
    reduce = _reduction(name)
    return lambda builder, x, axis=None, out=None, keepdims=False: reduce(builder, x, axis, None, out, keepdims)


def reduced(builder: TapeBuilder, name: str, x: int, axis: Any, keepdims: bool) -> int:
    """A reduction over `axis` (None, a number or several), with the reduced axes kept as 1 if asked."""
    shape = builder.types[x].shape
    axes = normal_axes(axis, len(shape))
    result = builder.apply(name, x, axes=axes)
    return builder.apply("reshape", result, shape=kept_shape(shape, axes)) if keepdims else result


def _mean(
    builder: TapeBuilder, x: Any, axis: Any = None, dtype: None = None, out: None = None, keepdims: Any = False
) -> int:
    if dtype is not None or out is not None:
        raise Unsupported
    value = operand(builder, x)
    shape = builder.types[value].shape
    count = math.prod(shape[a] for a in normal_axes(axis, len(shape)))
    total = reduced(builder, "sum", value, axis, bool(keepdims))
    return builder.apply("divide", total, builder.literal(float(count)))


def _variance(
    builder: TapeBuilder,
    x: Any,
    axis: Any = None,
    dtype: None = None,
    out: None = None,
    ddof: int = 0,
    keepdims: Any = False,
) -> int:
    if dtype is not None or out is not None:
        raise Unsupported
    value = operand(builder, x)
    shape = builder.types[value].shape
    count = math.prod(shape[a] for a in normal_axes(axis, len(shape)))
    centre = builder.apply("divide", reduced(builder, "sum", value, axis, True), builder.literal(float(count)))
    residual = builder.apply("subtract", value, centre)
    total = reduced(builder, "sum", builder.apply("multiply", residual, residual), axis, bool(keepdims))
    return builder.apply("divide", total, builder.literal(float(max(count - ddof, 0))))


def _deviation(
    builder: TapeBuilder,
    x: Any,
    axis: Any = None,
    dtype: None = None,
    out: None = None,
    ddof: int = 0,
    keepdims: Any = False,
) -> int:
    return builder.apply("sqrt", _variance(builder, x, axis, dtype, out, ddof, keepdims))


def _truth_reduction(name: str) -> Rule:
    def rule(builder: TapeBuilder, x: Any, axis: Any = None, keepdims: Any = False) -> int:
        truth = builder.apply("to_boolean", operand(builder, x))
        if 0 in builder.types[truth].shape:
            raise Unsupported
        return reduced(builder, name, truth, axis, bool(keepdims))

    return rule


def _cumsum(builder: TapeBuilder, x: Any, axis: int | None = None) -> int:
    value = operand(builder, x)
    shape = builder.types[value].shape
    if axis is None:
        value = builder.apply("reshape", value, shape=(math.prod(shape),))
        axis, shape = 0, builder.types[value].shape
    return builder.apply("cumsum", value, axis=axis % len(shape))


_UFUNCS = (
    *("add", "subtract", "multiply", "divide", "mod", "floor_divide", "maximum", "minimum", "fmax", "fmin"),
    *("negative", "absolute", "sign", "floor", "ceil", "trunc", "rint", "sqrt", "cbrt", "hypot", "logaddexp"),
    "copysign",
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
    *("arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh", "isnan", "isinf", "isfinite"),
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
    *("logical_and", "logical_or", "logical_xor", "logical_not"),
)
"""Functions of numpy that are primitives of the same name."""


def _table() -> dict[Any, Rule]:
    table: dict[Any, Rule] = {getattr(anp, name): _elementwise(name) for name in _UFUNCS}
    table |= {function: _elementwise(name) for name, function in SPECIAL.items() if name != "select"}
    table |= {
        anp.fabs: _elementwise("absolute"),
        anp.power: _power,
        anp.square: _square,
        anp.reciprocal: _reciprocal,
        anp.real: _identity,
        anp.conj: _identity,
        anp.real_if_close: _identity,
        anp.copy: _identity,
        backward.WHERE: _where,
        anp.astype: arrays.astype,
        positions: arrays.positions,
        SPECIAL["select"]: _where,
        anp.clip: _clip,
        anp.sum: _reduction("sum"),
        anp.prod: _reduction("prod"),
        anp.max: _extremum("max"),
        anp.min: _extremum("min"),
        numpy_wrapper._primitive_mean: _mean,
        numpy_wrapper._primitive_var: _variance,
        numpy_wrapper._primitive_std: _deviation,
        anp.all: _truth_reduction("min"),
        anp.any: _truth_reduction("max"),
        anp.cumsum: _cumsum,
        anp.zeros_like: arrays.full_like(0.0),
        anp.ones_like: arrays.full_like(1.0),
        anp.broadcast_to: arrays.broadcast_to,
        numpy_wrapper.concatenate_args: arrays.concatenate,
        numpy_wrapper.array_from_args: arrays.array_of,
        numpy_wrapper._array_from_scalar_or_array: arrays.array,
        anp.triu: arrays.triangle(np.triu),
        anp.tril: arrays.triangle(np.tril),
        anp.diag: arrays.diagonal_matrix(np.diag),
        numpy_wrapper.make_diagonal: arrays.diagonal_matrix(numpy_wrapper.make_diagonal.fun),
        ArrayBox.__getitem__: arrays.getitem,
        backward.scatter_sum: arrays.scatter_sum,
    }
    table |= {f: arrays.shaped(f.fun) for f in (anp.reshape, anp.ravel, anp.expand_dims, anp.squeeze)}
    table |= {f: arrays.shaped(f.fun) for f in (anp.atleast_1d, anp.atleast_2d, anp.atleast_3d)}
    table |= {f: arrays.permuted(f.fun) for f in (anp.transpose, anp.swapaxes, anp.moveaxis, anp.rollaxis)}
    table |= {f: arrays.selection(f.fun) for f in backward.SELECTIONS}
    contractions = (anp.dot, anp.matmul, anp.tensordot, anp.inner, anp.outer, anp.einsum)
    others = {**LINEAR_RULES, **SCAN_RULES, **ODE_RULES, **COMPUTED_RULES}
    return table | {f: contraction(f) for f in contractions} | others


RULES: Mapping[Any, Rule] = MappingProxyType(_table())


def rule_of(function: Any) -> Rule | None:
    """The rule of one of autograd's primitives, if it has one."""
    found = RULES.get(function)
    if found is None and _FOREIGN in sys.modules:
        found = foreign_rules().get(function)
    return found


# autograd.scipy takes half a second to import, and of its functions none is met that nobody has imported.
_FOREIGN = "autograd.scipy.special"


@functools.cache
def foreign_rules() -> Mapping[Any, Rule]:
    """`RULES` of the functions of autograd.scipy, once somebody has imported it."""
    theirs = sys.modules[_FOREIGN]
    same = ("gammaln", "digamma", "erf", "erfc", "expit", "logit", "erfinv", "gammainc", "gammaincc", "betainc")
    ours = {name: name for name in same} | {"psi": "digamma"}
    return MappingProxyType({getattr(theirs, name): _elementwise(primitive) for name, primitive in ours.items()})
