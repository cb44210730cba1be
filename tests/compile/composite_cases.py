"""Functions of autograd.numpy that are written in others, at computed places, and products: each as cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as np
import autograd.scipy.linalg as slinalg
import autograd.scipy.special as sspecial
import numpy

from exmc import linalg, logspace, special
from exmc.compile.computed_index import place
from exmc.compile.linear_recurrence import linear_recurrence


class Case(NamedTuple):
    """A function from a vector of `dimension` to one array, and whether its derivative is asked for too."""

    name: str
    dimension: int
    function: Callable[[Any], Any]
    differentiable: bool = True


GAPS = numpy.arange(12) % 5 == 1
PICKED = numpy.array([0, 2, 1, 1])


def _m(x: Any) -> Any:
    return np.reshape(x[:12], (3, 4))


def _t(x: Any) -> Any:
    return np.reshape(x[:12], (2, 3, 2))


def _square(x: Any, size: int = 3) -> Any:
    """A matrix whose rows must be swapped."""
    return np.reshape(x[: size * size], (size, size)) + 3.0 * numpy.eye(size)[::-1]


def _stack(x: Any) -> Any:
    return np.reshape(x[:12], (3, 2, 2)) + 3.0 * numpy.eye(2)[::-1]


def _multiplied(a: Any, b: Any) -> Any:
    return a * b


def _singular(x: Any) -> Any:
    return np.reshape(np.concatenate([x[:2], np.zeros(2)]), (2, 2))


def _definite(x: Any) -> Any:
    stack = _stack(x)
    return np.matmul(stack, np.swapaxes(stack, -1, -2)) + numpy.eye(2)


def _elementwise() -> list[Case]:
    return [
        Case("cbrt", 12, lambda x: np.cbrt(np.exp(x))),
        Case("copysign", 12, lambda x: np.copysign(np.exp(x[:6]), x[6:]) * np.copysign(x[:6], -2.0)),
        Case("float_power", 12, lambda x: np.float_power(np.exp(x), 1.7)),
        Case("logaddexp2", 12, lambda x: np.logaddexp2(x[:6], x[6:])),
        Case("degrees", 12, lambda x: np.degrees(x) + np.deg2rad(x) * np.radians(x) - np.rad2deg(x)),
        Case("sinc", 12, lambda x: np.sinc(x)),
        Case("heaviside", 12, lambda x: np.heaviside(x, 0.5), False),
        Case("isclose", 12, lambda x: np.isclose(x, x[0]) * 1.0, False),
        Case("nan_to_num", 12, lambda x: np.nan_to_num(np.where(GAPS, numpy.nan, x)), False),
        Case("fix and round", 12, lambda x: np.fix(3 * x) + np.round(7 * x) + np.around(x, 2), False),
        Case("logic of truths", 12, lambda x: np.where((x > 0.0) & ~(x > 1.0) | (x < -1.0), x, 0.5 * x)),
        Case("logdiffexp", 12, lambda x: logspace.logdiffexp(x[:6] + 5.0, x[6:])),
        Case("polygamma", 12, lambda x: special.polygamma(1, np.exp(x)) + sspecial.polygamma(0, np.exp(x))),
        Case("multigammaln", 12, lambda x: sspecial.multigammaln(3.0 + np.exp(x), 3)),
        Case("beta", 12, lambda x: sspecial.beta(np.exp(x[:6]), np.exp(x[6:])) + sspecial.betaln(np.exp(x[:6]), 2.0)),
        Case(
            "gamma functions by scipy",
            6,
            lambda x: sspecial.gammaln(np.exp(x)) + sspecial.psi(np.exp(x)) * sspecial.digamma(1.0 + x * x),
        ),
        Case("error functions by scipy", 6, lambda x: sspecial.erf(x) * sspecial.erfc(x) + sspecial.erfinv(np.tanh(x))),
        Case(
            "logistic functions by scipy",
            6,
            lambda x: sspecial.logit(0.1 + 0.8 * sspecial.expit(x)) + special.logit(0.5),
        ),
        Case(
            "incomplete gamma by scipy",
            6,
            lambda x: sspecial.gammainc(2.5, np.exp(x)) * sspecial.gammaincc(1.5, np.exp(x)),
        ),
        Case("incomplete beta by scipy", 6, lambda x: sspecial.betainc(2.5, 1.5, special.expit(x))),
        Case("real", 6, lambda x: np.real(x) * np.conj(x) + np.real_if_close(x) * np.copy(x)),
        Case("betaln", 12, lambda x: special.betaln(np.exp(3.0 * x[:6]), np.exp(2.0 * x[6:]))),
        Case("betaln of data", 12, lambda x: special.betaln(np.exp(3.0 * x), 4.5)),
        Case("bessel", 12, lambda x: sspecial.i0(x) * sspecial.i1(x)),
    ]


def _reductions() -> list[Case]:
    return [
        Case("logsumexp", 12, lambda x: logspace.logsumexp(_m(x), axis=1)),
        Case("logsumexp kept", 12, lambda x: _m(x) - logspace.logsumexp(_m(x), axis=(0, 1), keepdims=True)),
        Case("logsumexp all", 12, lambda x: logspace.logsumexp(x)),
        Case("logsumexp middle", 12, lambda x: logspace.logsumexp(_t(x), axis=1)),
        Case("logsumexp by scipy", 12, lambda x: sspecial.logsumexp(_m(x), axis=0)),
        Case("softmax", 12, lambda x: logspace.softmax(_m(x))),
        Case("softmax axis", 12, lambda x: logspace.softmax(_t(x), axis=1)),
        Case("log_softmax", 12, lambda x: logspace.log_softmax(_m(x), axis=0)),
        Case("norm", 12, lambda x: np.linalg.norm(x)),
        Case("norm axis", 12, lambda x: np.linalg.norm(_m(x), axis=1, keepdims=True)),
        Case("norm one", 12, lambda x: np.linalg.norm(_m(x), 1, axis=0) + np.linalg.norm(x, np.inf)),
        Case("norm of matrix", 12, lambda x: np.linalg.norm(_m(x), "fro")),
        Case("median", 5, lambda x: np.median(x)),
        Case("median even", 12, lambda x: np.median(_m(x), axis=1)),
        Case("range", 12, lambda x: np.ptp(_m(x), axis=0)),
        Case("nansum", 12, lambda x: np.nansum(np.where(GAPS, numpy.nan, np.exp(x)))),
        Case("trace", 12, lambda x: np.trace(_m(x)) + np.trace(_m(x), 1)),
        Case("trace of stack", 12, lambda x: np.trace(_t(x), axis1=1, axis2=2)),
        Case("count_nonzero", 12, lambda x: np.count_nonzero(_m(x) > 0.0, axis=0) * x[:4]),
        Case("cumprod", 12, lambda x: np.cumprod(x)),
        Case("cumprod axis", 12, lambda x: np.cumprod(_t(x), axis=1) + np.cumprod(_t(x), axis=-1)),
        Case("cumprod of zero", 12, lambda x: np.cumprod(np.where(numpy.arange(12) == 3, 0.0, x))),
        Case("recurrence", 12, lambda x: linear_recurrence(np.reshape(x[:6], (3, 2)), np.reshape(x[6:], (3, 2)), 0)),
        Case("prod of zeros", 12, lambda x: np.prod(np.where(numpy.arange(12) == 3, 0.0, _m(x).ravel()))),
    ]


def _shapes() -> list[Case]:
    return [
        Case("split", 12, lambda x: np.split(x, 3)[1] * np.split(x, [4, 8])[2]),
        Case("array_split", 12, lambda x: np.array_split(np.exp(x), 5)[1]),
        Case("split all", 12, lambda x: np.concatenate([i * p for i, p in enumerate(np.split(_m(x), 2, axis=1))])),
        Case("diff", 12, lambda x: np.diff(np.exp(x)) + np.diff(np.concatenate([x, x[:1]]), n=2)[0]),
        Case("diff axis", 12, lambda x: np.diff(_m(x), axis=0)),
        Case("pad", 12, lambda x: np.pad(_m(x), ((1, 0), (0, 2)), "constant")),
        Case("full", 12, lambda x: np.full((2, 3), x[0]) * np.full_like(np.zeros(3), x[1])),
        Case("linspace", 12, lambda x: np.linspace(x[0], x[1], 5)),
        Case("diagonal", 12, lambda x: np.diagonal(_m(x)) * np.diagonal(_m(x), 1)),
        Case("diagonal of stack", 12, lambda x: np.diagonal(_t(x), axis1=1, axis2=2)),
        Case("broadcast_to new axes", 4, lambda x: np.broadcast_to(np.exp(x), (2, 3, 4))),
        Case("stack axes", 6, lambda x: np.stack([x, np.exp(x)], axis=0) + np.stack([x, x], axis=-1).T),
        Case("column_stack", 6, lambda x: np.column_stack([x, np.exp(x)])),
        Case("append", 6, lambda x: np.append(x, np.exp(x[:2]))),
        Case("make_diagonal", 12, lambda x: np.make_diagonal(np.exp(_m(x)), axis1=-1, axis2=-2)),
        Case("flips", 12, lambda x: np.flipud(_m(x)) * np.fliplr(np.exp(_m(x)))),
        Case("rollaxis", 12, lambda x: np.rollaxis(_t(x), 2) + np.atleast_3d(x[:2])[0, 0, 0]),
        Case("rot90", 12, lambda x: np.rot90(_m(x))),
        Case("take axis", 12, lambda x: np.take(_m(x), numpy.array([2, 0, 0]), axis=1)),
        Case("select of rows and columns", 12, lambda x: _m(x)[numpy.ix_([0, 2], [1, 3])]),
        Case("mask of a matrix", 12, lambda x: _m(x)[numpy.eye(3, 4) > 0]),
    ]


def _computed() -> list[Case]:
    return [
        Case("sort", 7, lambda x: np.sort(x) * numpy.arange(7.0)),
        Case("sort axis", 12, lambda x: np.sort(_m(x), axis=0)),
        Case("sort stack", 12, lambda x: np.sort(_t(x), axis=1) * np.exp(_t(x))),
        Case("sort all", 12, lambda x: np.sort(_m(x), axis=None)),
        Case("argsort", 12, lambda x: np.argsort(x) * 1.0, False),
        Case("argsort axis", 12, lambda x: np.argsort(_m(x), axis=0) * 1.0, False),
        Case("sort of ties", 12, lambda x: np.sort(np.round(x)), False),
        Case("sort long", 100, lambda x: np.sort(x + 7.0 * (numpy.arange(100) * 37 % 100))[::7]),
        Case("gather by order", 12, lambda x: np.exp(x)[np.argsort(x)] * x),
        Case("gather rows by order", 12, lambda x: np.exp(_m(x))[np.argsort(x[:3])]),
        Case("gather by comparison", 12, lambda x: np.exp(x)[(x > 0.0).astype(int) - 1]),
        Case("scatter by order", 12, lambda x: place(np.exp(x), np.argsort(x) - 3, (2, 3)) * x[0]),
        Case("argmax", 12, lambda x: np.exp(x)[np.argmax(x)] + x[np.argmin(x)]),
        Case("argmax axis", 12, lambda x: np.argmax(_m(x), axis=1) - 1.0 * np.argmin(_m(x), axis=1), False),
        Case("take_along_axis", 12, lambda x: np.take_along_axis(_m(x), PICKED[None, :3], 1)),
        Case("take_along_axis computed", 12, lambda x: np.take_along_axis(np.exp(_m(x)), np.argsort(_m(x), axis=0), 0)),
    ]


def _products() -> list[Case]:
    return [
        Case("vdot", 12, lambda x: np.vdot(_m(x), np.exp(_m(x)))),
        Case("cross", 12, lambda x: np.cross(np.reshape(x[:6], (2, 3)), np.exp(x[6:9]))),
        Case("kron", 12, lambda x: np.kron(_m(x)[:2], np.exp(x[:3])) + np.kron(x[:2], _m(x)[:2, :2])[0, 0]),
        Case("convolve", 12, lambda x: np.convolve(x[:4], np.exp(x[4:9]))),
        Case("outer of matrices", 12, lambda x: np.outer(_m(x), np.exp(x[:2]))),
        Case("matmul stack by vector", 12, lambda x: np.matmul(_t(x), np.exp(x[:2]))),
        Case("matmul vector by stack", 12, lambda x: np.matmul(np.exp(x[:3]), _t(x))),
        Case("matmul broadcast", 12, lambda x: np.matmul(np.reshape(x, (2, 1, 3, 2)), np.reshape(x, (1, 2, 2, 3)))),
        Case("matmul ranks", 12, lambda x: np.matmul(_t(x), np.exp(np.reshape(x[:6], (2, 3))))),
        Case("einsum trace", 12, lambda x: np.einsum("ii", _square(x)) + np.einsum("ii->i", np.exp(_square(x)))),
        Case("einsum diagonal of product", 12, lambda x: np.einsum("ij,ji->i", _square(x), np.exp(_square(x)))),
        Case("einsum repeated", 12, lambda x: np.einsum("ii,i->", _square(x), x[:3])),
        Case("einsum summed alone", 12, lambda x: np.einsum("ij,k->k", _m(x), np.exp(x[:3]))),
        Case("einsum ellipsis", 12, lambda x: np.einsum("...ij,...jk->...ik", _t(x), np.reshape(x[:6], (2, 3)))),
        Case("einsum ellipsis implicit", 12, lambda x: np.einsum("...i,...i", _t(x), np.exp(_t(x)))),
        Case("einsum broadcast", 12, lambda x: np.einsum("ij,j->i", np.reshape(x[:4], (4, 1)), np.exp(x[:3]))),
        Case("einsum transpose", 12, lambda x: np.einsum("ij->ji", _m(x)) + np.einsum("ij->j", _m(x))[:, None]),
        Case("einsum stack", 12, lambda x: np.einsum("bij,bj->bi", _stack(x), np.exp(np.reshape(x[:6], (3, 2))))),
    ]


def _matrices() -> list[Case]:
    cases = [
        Case("solve", 12, lambda x: np.linalg.solve(_square(x), x[9:])),
        Case("solve matrix", 12, lambda x: np.linalg.solve(_square(x), np.exp(np.reshape(x[:6], (3, 2))))),
        Case("solve transposed", 12, lambda x: linalg.solve(_square(x), np.exp(x[9:]), True)),
        Case("solve stack", 12, lambda x: np.linalg.solve(_stack(x), np.exp(_stack(x)[:, :, :1]))),
        Case("solve stack by vectors", 12, lambda x: linalg.solve(_stack(x), np.exp(np.reshape(x[:6], (3, 2))))),
        Case("solve stack by one", 12, lambda x: np.linalg.solve(_stack(x), np.exp(x[:2]))),
        Case("solve one by stack", 12, lambda x: linalg.solve(_stack(x)[0], np.reshape(x, (3, 2, 2)))),
        Case("inv", 12, lambda x: np.linalg.inv(_square(x))),
        Case("inv stack", 12, lambda x: np.linalg.inv(_stack(x))),
        Case("det", 12, lambda x: np.linalg.det(_square(x)) * np.linalg.det(_stack(x))),
        Case("slogdet", 12, lambda x: np.linalg.slogdet(_square(x))[1] * np.linalg.slogdet(_stack(x))[0]),
        Case("slogdet unpacked", 12, lambda x: _multiplied(*np.linalg.slogdet(_square(x)))),
        Case("cholesky stack", 12, lambda x: np.linalg.cholesky(_definite(x))),
        Case("logdet stack", 12, lambda x: linalg.logdet(_definite(x))),
        Case("inverse_posdef stack", 12, lambda x: linalg.inverse_posdef(_definite(x))),
        Case("solve_posdef stack", 12, lambda x: linalg.solve_posdef(_definite(x), np.reshape(x[:6], (3, 2)))),
        Case("solve_posdef one by stack", 12, lambda x: linalg.solve_posdef(_definite(x)[1], np.reshape(x, (3, 2, 2)))),
        Case("norms of stack", 12, lambda x: linalg.squared_norm(_definite(x), np.reshape(x[:6], (3, 2)))),
        Case("triangular stack", 12, lambda x: linalg.solve_triangular(np.tril(_stack(x) + 3.0), np.exp(_stack(x)))),
        Case(
            "triangular stack back", 12, lambda x: linalg.solve_triangular(np.tril(_stack(x) + 3.0), x[:2][None], True)
        ),
        Case("upper triangular", 12, lambda x: slinalg.solve_triangular(np.triu(_square(x) + 3.0), np.exp(x[9:]))),
        Case("lower triangular", 12, lambda x: slinalg.solve_triangular(np.tril(_square(x) + 3.0), x[9:], 1, True)),
        Case("stack of stacks", 16, lambda x: linalg.logabsdet(np.reshape(x, (2, 2, 2, 2)) + 2.0 * numpy.eye(2)[::-1])),
        Case(
            "nothing to solve",
            3,
            lambda x: np.linalg.inv(np.reshape(x[:0], (0, 2, 2))) + np.linalg.det(np.zeros((0, 0))),
        ),
        Case("singular", 4, lambda x: linalg.logabsdet(_singular(x)) + linalg.solve(_singular(x), x[:2]), False),
        Case("not finite", 9, lambda x: linalg.inverse(_square(x) * numpy.array([1.0, numpy.inf, 1.0])), False),
    ]
    for size in (1, 2, 15, 16, 31, 40):
        grid = numpy.random.default_rng(size).normal(size=(size, size))
        cases += [
            Case(
                f"general solve {size}",
                3,
                lambda x, a=grid: linalg.solve(np.exp(x[0]) * a + np.sin(x[1] * a), a[0] * x[2]),
            ),
            Case(
                f"general logabsdet {size}", 3, lambda x, a=grid: linalg.logabsdet(np.exp(x[0]) * a + np.sin(x[1] * a))
            ),
            Case(f"general inverse {size}", 3, lambda x, a=grid: linalg.inverse(a + np.sin(x[1] * a))[:, 0]),
        ]
    return cases


COMPOSITE_CASES = [
    *_elementwise(),
    *_reductions(),
    *_shapes(),
    *_computed(),
    *_products(),
    *_matrices(),
]
