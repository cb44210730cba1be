"""Functions of a vector that between them use every primitive: the conformance suite of recording and lowering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy

from exmc import linalg, special
from tests.compile.composite_cases import COMPOSITE_CASES, Case
from tests.compile.equations import PROBLEMS
from tests.compile.sequences import SEQUENCES

_RANDOM = numpy.random.default_rng(7)
MATRIX = _RANDOM.normal(size=(5, 4))
TALL = _RANDOM.normal(size=(1100, 3))
VECTOR = _RANDOM.normal(size=6)
COUNTS = _RANDOM.integers(0, 9, 6)
GROUPS = _RANDOM.integers(0, 4, 30)
SIGNED = numpy.array([0, -1, 2, -3, 1, 1])
TRUTHS = numpy.array([True, False, True, True, False, True])


def _m(x: Any) -> Any:
    return np.reshape(x[:12], (3, 4))


def _positive(x: Any) -> Any:
    return np.exp(0.5 * x)


def _each(names: str, dimension: int, build: Callable[[Any], Any], differentiable: bool = True) -> list[Case]:
    """One case for each function named: `build` makes of it a function of the vector."""
    return [Case(name, dimension, build(getattr(np, name)), differentiable) for name in names.split()]


def _ufuncs() -> list[Case]:
    two = "add subtract multiply divide maximum minimum fmax fmin logaddexp arctan2 hypot"
    with_data = _each(two, 6, lambda f: lambda x: f(VECTOR, _positive(x)) + f(x, 0.3))
    return [
        *_each("negative exp exp2 expm1 sin cos tan arctan sinh cosh tanh", 12, lambda f: lambda x: f(0.7 * x)),
        *_each("arcsinh square absolute fabs", 12, lambda f: lambda x: f(0.7 * x)),
        *_each(
            "sign floor ceil trunc rint logical_not isnan isinf isfinite", 12, lambda f: lambda x: f(x) * 1.0, False
        ),
        *_each("log log2 log10 log1p sqrt arccosh reciprocal", 12, lambda f: lambda x: f(1.0 + _positive(x))),
        *_each("arcsin arccos arctanh", 12, lambda f: lambda x: f(0.9 * np.tanh(x))),
        *_each(two, 12, lambda f: lambda x: f(_m(x), 1.5 + np.sin(x[:4]))),
        *(case._replace(name=f"{case.name} data") for case in with_data),
        *_each("less less_equal greater greater_equal equal", 12, lambda f: lambda x: f(x[:6], x[6:]) * 1.0, False),
        *_each("not_equal logical_and logical_or logical_xor", 12, lambda f: lambda x: f(x[:6], x[6:]) * 1.0, False),
        *_each("mod floor_divide", 12, lambda f: lambda x: f(x[:6], 0.4 + _positive(x[6:])), False),
    ]


def _special() -> list[Case]:
    arguments: dict[str, Callable[[Any], tuple[Any, ...]]] = {
        "select": lambda x: (TRUTHS, x[:6], x[0]),
        "xdivy": lambda x: (np.sin(x[:6]), _positive(x[6:])),
        "xlogy": lambda x: (x[:6], _positive(x[6:])),
        "xlog1py": lambda x: (x[:6], _positive(x[6:])),
        "logit": lambda x: (special.expit(x),),
        "log1mexp": lambda x: (-_positive(x),),
        "gammaln": lambda x: (_positive(x),),
        "digamma": lambda x: (_positive(x),),
        "gammainc": lambda x: (0.5 + COUNTS, _positive(x[:6])),
        "gammaincc": lambda x: (0.5 + COUNTS, _positive(x[:6])),
        "betainc": lambda x: (0.5 + COUNTS, 1.5, special.expit(x[:6])),
        "stdtr": lambda x: (0.5 + COUNTS, x[:6]),
        "trigamma": lambda x: (_positive(x),),
        "tetragamma": lambda x: (_positive(x),),
        "ndtri": lambda x: (special.expit(x),),
        "erfinv": lambda x: (np.tanh(x),),
    }

    def build(name: str) -> Callable[[Any], Any]:
        function, chosen = special.SPECIAL[name], arguments.get(name, lambda x: (x,))
        return lambda x: function(*chosen(x))

    # The derivative of tetragamma is a polygamma of higher order, which has no machine code.
    return [Case(name, 12, build(name), name != "tetragamma") for name in special.SPECIAL]


def _reductions() -> list[Case]:
    cases = []
    for name in ("sum", "mean", "prod", "max", "min"):
        f = getattr(np, name)
        cases += [
            Case(f"{name} all", 12, lambda x, f=f: f(_m(x))),
            Case(f"{name} axis 0", 12, lambda x, f=f: f(_m(x), axis=0)),
            Case(f"{name} axis 1", 12, lambda x, f=f: f(np.exp(_m(x)), axis=1)),
            Case(f"{name} kept", 12, lambda x, f=f: _m(x) - f(_m(x), axis=-1, keepdims=True)),
            Case(f"{name} middle", 12, lambda x, f=f: f(np.reshape(np.exp(x), (2, 3, 2)), axis=1)),
            Case(f"{name} two", 12, lambda x, f=f: f(np.reshape(np.sin(x), (2, 3, 2)), axis=(0, 2))),
        ]
    return [
        *cases,
        Case("sum of data rows", 4, lambda x: np.sum(MATRIX * x, axis=1)),
        Case("sum of truths", 6, lambda x: np.sum(x > 0.0) * 1.0, False),
        Case("any", 6, lambda x: np.any(x > 0.5) * 1.0, False),
        Case("all", 6, lambda x: np.all(np.reshape(x, (2, 3)) > -0.5, axis=1) * 1.0, False),
        Case("var", 12, lambda x: np.var(_m(x), axis=1)),
        Case("std", 12, lambda x: np.std(x, ddof=1)),
        Case("cumsum", 12, lambda x: np.cumsum(np.exp(x))),
        Case("cumsum axis", 12, lambda x: np.cumsum(_m(x), axis=0) * np.cumsum(_m(x), axis=1)),
        Case("sum of nothing", 3, lambda x: np.sum(np.exp(x[:0])) + np.sum(np.reshape(x[:0], (0, 4)), axis=0)),
        Case("long sum", 3, lambda x: np.sum(np.exp(np.dot(TALL, x) * 0.1))),
    ]


def _shapes() -> list[Case]:
    return [
        Case("reshape", 12, lambda x: np.reshape(np.exp(x), (4, 3)) * x[:3]),
        Case("ravel", 12, lambda x: np.ravel(_m(x).T)),
        Case("transpose", 12, lambda x: np.transpose(np.reshape(x, (2, 3, 2)), (2, 0, 1)) * np.exp(x[0])),
        Case("swapaxes", 12, lambda x: np.swapaxes(_m(x), 0, 1) + 1.0),
        Case("moveaxis", 12, lambda x: np.moveaxis(np.reshape(x, (2, 3, 2)), 0, 2)),
        Case("expand and squeeze", 12, lambda x: np.squeeze(np.expand_dims(np.exp(x), 1), axis=1)),
        Case("broadcast_to", 4, lambda x: np.broadcast_to(np.exp(x), (3, 4)) * MATRIX[:3]),
        Case("outer broadcast", 7, lambda x: np.exp(x[:3])[:, None] * np.sin(x[3:])[None, :]),
        Case("repeat", 4, lambda x: np.repeat(np.exp(x), 3)),
        Case("tile", 4, lambda x: np.tile(np.exp(x), 3)),
        Case("concatenate", 6, lambda x: np.concatenate([np.exp(x[:2]), x[2:], x[:1], np.ones(2)])),
        Case("concatenate axis", 12, lambda x: np.concatenate([_m(x), np.exp(_m(x))], axis=1)),
        Case("hstack vstack", 6, lambda x: np.vstack([np.hstack([x[:2], x[2:4]]), np.exp(x[2:])])),
        Case("stack", 6, lambda x: np.stack([x[:3], np.exp(x[3:])], axis=1)),
        Case("array", 3, lambda x: np.array([x[0], np.exp(x[1]), 1.0])),
        Case("array of arrays", 4, lambda x: np.array([[x[0], x[1]], [np.exp(x[2]), x[3]]])),
        Case("array of box", 3, lambda x: np.array(x) * np.array(x[0])),
        Case("atleast", 3, lambda x: np.atleast_2d(x) + np.atleast_1d(x[0])),
        Case("tril triu", 12, lambda x: np.tril(_m(x)) + np.exp(np.triu(_m(x), 1))),
        Case("diag", 9, lambda x: np.diag(np.reshape(x, (3, 3))) * x[:3]),
        Case("diag matrix", 3, lambda x: np.diag(np.exp(x))),
        Case("flip roll", 6, lambda x: np.flip(x) * np.roll(np.exp(x), 2)),
        Case("take", 6, lambda x: np.take(np.exp(x), SIGNED)),
        Case("zeros_like", 6, lambda x: np.zeros_like(x) + np.ones_like(x) * x[0]),
        Case("clip", 6, lambda x: np.clip(x, -0.5, 0.5) * x),
        Case("where", 6, lambda x: np.where(x > 0.1, np.exp(x), x[0])),
        Case("where data", 6, lambda x: np.where(TRUTHS, x, 2.0) + np.where(COUNTS > 3, x, 0.0)),
        Case("astype", 6, lambda x: (x > 0.0).astype(float) * x),
        Case("integers of data", 6, lambda x: COUNTS * x + TRUTHS * x[0]),
    ]


def _indices() -> list[Case]:
    return [
        Case("element", 5, lambda x: x[3] * np.exp(x[-1])),
        Case("slices", 9, lambda x: x[1:8:3] * np.exp(x[-3:])),
        Case("reversed", 6, lambda x: x[::-1] * np.exp(x)),
        Case("reversed step", 8, lambda x: np.exp(x)[6::-2]),
        Case("rows", 12, lambda x: _m(x)[1] + np.exp(_m(x))[-1]),
        Case("columns", 12, lambda x: np.exp(_m(x))[:, 2] * _m(x)[:, 0]),
        Case("ellipsis", 12, lambda x: np.reshape(np.exp(x), (2, 3, 2))[..., 1]),
        Case("newaxis", 12, lambda x: np.exp(x)[None, :, None]),
        Case("gather", 4, lambda x: np.exp(x)[GROUPS] * x[GROUPS]),
        Case("gather signed", 4, lambda x: np.exp(x)[SIGNED]),
        Case("gather rows", 12, lambda x: np.exp(_m(x))[numpy.array([0, 2, 2, 1])]),
        Case("gather pairs", 12, lambda x: np.exp(_m(x))[numpy.array([0, 2, 2]), numpy.array([1, 1, 3])]),
        Case("gather list", 4, lambda x: np.exp(x)[[0, 2, 2]]),
        Case("gather mask", 6, lambda x: np.exp(x)[TRUTHS]),
        Case("gather transposed", 12, lambda x: np.exp(_m(x)).T[numpy.array([3, 0, 3])]),
        Case("gather mixed", 12, lambda x: _m(x)[:, numpy.array([0, 0, 3])] * 2.0),
        Case("overlapping slices", 6, lambda x: x[1:] * np.exp(x[:-1])),
        Case("empty slice", 6, lambda x: np.exp(x[3:3])),
    ]


def _products() -> list[Case]:
    return [
        Case("dot vectors", 12, lambda x: np.dot(x[:6], np.exp(x[6:]))),
        Case("dot matrix vector", 4, lambda x: np.exp(np.dot(MATRIX, x))),
        Case("dot vector matrix", 5, lambda x: np.dot(np.exp(x), MATRIX)),
        Case("dot matrices", 12, lambda x: np.dot(np.exp(_m(x)), MATRIX.T)),
        Case("dot scalar", 6, lambda x: np.dot(x[0], x)),
        Case("matmul", 12, lambda x: MATRIX @ np.exp(_m(x)).T),
        Case("matmul vector", 4, lambda x: MATRIX @ x),
        Case("matmul batch", 12, lambda x: np.reshape(x, (2, 3, 2)) @ np.reshape(np.exp(x), (2, 2, 3))),
        Case("matmul broadcast", 12, lambda x: np.reshape(x, (2, 3, 2)) @ np.reshape(np.exp(x[:4]), (2, 2))),
        Case("tall", 3, lambda x: np.sin(np.dot(TALL, x))),
        Case("inner", 8, lambda x: np.inner(MATRIX, x[:4]) * x[7]),
        Case("outer", 7, lambda x: np.outer(np.exp(x[:3]), x[3:])),
        Case("tensordot", 12, lambda x: np.tensordot(_m(x), np.exp(_m(x)), axes=([0], [0]))),
        Case("tensordot number", 12, lambda x: np.tensordot(np.reshape(x, (3, 2, 2)), np.reshape(x[:4], (2, 2)), 2)),
        Case("einsum", 12, lambda x: np.einsum("ij,kj->ik", _m(x), np.exp(_m(x)))),
        Case("einsum implicit", 12, lambda x: np.einsum("ij,ij", _m(x), np.exp(_m(x)))),
        Case("einsum three", 12, lambda x: np.einsum("i,ij,j->", x[:5], MATRIX, x[5:9])),
        Case("quadratic form", 4, lambda x: np.dot(x, np.dot(MATRIX.T @ MATRIX, x))),
        Case("product with nothing", 3, lambda x: np.dot(np.zeros((2, 0)), np.exp(x[:0])) + x[0]),
    ]


ROWS = 700
LABELS = _RANDOM.choice([0, 1, 2, 4], ROWS)
"""Group numbers below 5, of which 3 is empty."""
MANY = _RANDOM.integers(0, 90, ROWS)
OUTCOME = numpy.round(_RANDOM.normal(size=ROWS), 1)
DUMMIES = _RANDOM.integers(0, 2, (ROWS, 3))
WIDE = _RANDOM.normal(size=(11, ROWS))
LONG_COUNTS = _RANDOM.integers(0, 9, 40_000)
LONG_GROUPS = _RANDOM.integers(0, 5, 40_000)


def _terms(x: Any) -> Any:
    return x[:3] - 0.5 * ((OUTCOME[:, None] - x[3:6]) / np.exp(x[6:9])) ** 2


def _rows() -> list[Case]:
    """Loops over rows of data: sorted by group, in blocks, with short axes, in narrow dtypes."""
    return [
        Case("groups", 6, lambda x: np.sum((OUTCOME - x[:5][LABELS]) ** 2 / np.exp(x[5]))),
        Case("groups twice", 10, lambda x: np.sum(np.exp(x[:5][LABELS] * 0.1 + OUTCOME * x[5:][LABELS]))),
        Case("groups kept in order", 5, lambda x: np.cumsum(np.exp(x[LABELS]) * OUTCOME)[::70]),
        Case("many groups", 90, lambda x: np.sum(special.softplus(OUTCOME * x[MANY]))),
        Case("crossed groups", 95, lambda x: np.sum(np.exp(0.1 * x[:5][LABELS] * x[5:][MANY]))),
        Case("groups and product", 8, lambda x: np.sum(np.sin(x[:5][LABELS] + DUMMIES @ x[5:]))),
        Case("groups of a function", 5, lambda x: np.sum(np.exp(0.3 * x)[LABELS] * OUTCOME)),
        Case("integer design", 3, lambda x: np.sum(np.exp(0.3 * DUMMIES @ x))),
        Case("transposed design", 11, lambda x: np.sum(np.sin(0.1 * WIDE.T @ x) * OUTCOME)),
        Case("product from the left", 11, lambda x: np.sum(np.sin(0.1 * x @ WIDE) ** 2)),
        Case("two designs", 14, lambda x: np.sum(np.sin(0.1 * WIDE.T @ x[:11] + np.exp(0.1 * DUMMIES @ x[11:])))),
        Case("product kept", 3, lambda x: np.exp(0.1 * DUMMIES @ x)[::7]),
        Case("product after a reduction", 3, lambda x: np.sum(np.sin(DUMMIES @ x - np.mean(DUMMIES @ x)))),
        Case("mixture", 9, lambda x: np.sum(np.log(np.sum(np.exp(_terms(x)), axis=1)))),
        Case("mixture kept", 9, lambda x: np.log(np.sum(np.exp(_terms(x)), axis=1, keepdims=True))[::50]),
        Case("largest of a few", 9, lambda x: np.sum(np.max(_terms(x), axis=1) * np.min(_terms(x)))),
        Case("columns summed and kept", 9, lambda x: np.sum(_terms(x), axis=0) * np.sum(np.prod(x[:3]))),
        Case("columns in one piece", 9, lambda x: _terms(x)[::90] * np.sum(_terms(x), axis=1)[::90, None]),
        Case("neighbours", 90, lambda x: np.sum((x[1:] - 0.5 * x[:-1]) ** 2 * np.exp(0.1 * x[1:]))),
        Case("neighbours kept", 90, lambda x: np.concatenate([np.exp(x[1:]), x[:-1]])[::9]),
        Case("narrow data", 6, lambda x: np.mean(np.sin(LONG_COUNTS * x[5]) + x[:5][LONG_GROUPS] * LONG_COUNTS)),
    ]


def _covariance(x: Any, size: int) -> Any:
    """A positive definite matrix of `size` rows that depends on x."""
    grid = numpy.linspace(0.0, 3.0, size)
    distance = (grid[:, None] - grid) ** 2
    return np.exp(x[0]) * np.exp(-distance * np.exp(0.5 * x[1])) + np.diag(0.3 + np.exp(0.1 * x[2] * numpy.ones(size)))


SIDES = _RANDOM.normal(size=(120, 3))


def _linear() -> list[Case]:
    """Positive definite and triangular matrices: unrolled, in loops, by LAPACK."""
    cases = []
    for size in (1, 3, 15, 16, 40, 120):
        sides = SIDES[:size]
        vector = sides[:, 0]
        cases += [
            Case(f"cholesky {size}", 3, lambda x, n=size: linalg.cholesky(_covariance(x, n))[::3]),
            Case(f"logdet {size}", 3, lambda x, n=size: linalg.logdet(_covariance(x, n))),
            Case(f"solve {size}", 3, lambda x, n=size, b=vector: linalg.solve_posdef(_covariance(x, n), b * x[1])),
            Case(f"solve several {size}", 3, lambda x, n=size, b=sides: linalg.solve_posdef(_covariance(x, n), b * x)),
            Case(f"norm {size}", 3, lambda x, n=size, b=vector: linalg.squared_norm(_covariance(x, n), b * x[1])),
            Case(f"norms {size}", 3, lambda x, n=size, b=sides: linalg.squared_norm(_covariance(x, n), b * x)),
            Case(f"inverse {size}", 3, lambda x, n=size: linalg.inverse_posdef(_covariance(x, n))[:, 0]),
            Case(
                f"triangular {size}",
                3,
                lambda x, n=size, b=sides: linalg.solve_triangular(linalg.cholesky(_covariance(x, n)), b * x)[::2],
            ),
            Case(
                f"triangular transposed {size}",
                3,
                lambda x, n=size, b=vector: linalg.solve_triangular(np.tril(_covariance(x, n)), b * x[0], True),
            ),
        ]
    return [
        *cases,
        Case("cholesky by numpy", 3, lambda x: np.linalg.cholesky(_covariance(x, 5))),
        Case("matrix without a factor", 3, lambda x: linalg.cholesky(_covariance(x, 4) - 1e3 * numpy.eye(4)), False),
        Case("matrices without factors", 3, lambda x: linalg.logdet(_covariance(x, 20) - 1e3 * numpy.eye(20)), False),
        Case("solve without a factor", 3, lambda x: linalg.solve_posdef(-_covariance(x, 120), SIDES[:, 0]), False),
        Case("not a number", 3, lambda x: linalg.logdet(_covariance(x, 20) * numpy.nan), False),
        Case("not a number, large", 3, lambda x: linalg.logdet(_covariance(x, 120) * numpy.nan), False),
    ]


def _general(x: Any, size: int) -> Any:
    """A matrix whose rows have to be exchanged, for there are zeros on its diagonal."""
    return np.diag(2.0 + np.sin(x[0] + numpy.arange(size)))[::-1] + 0.1 * x[1] * SIDES[:size, :1] * SIDES[:size, 1]


def _inverses() -> list[Case]:
    return [
        *(Case(f"general inverse {n}", 3, lambda x, n=n: linalg.inverse(_general(x, n))) for n in (1, 2, 5)),
        Case("no inverse", 3, lambda x: linalg.inverse(np.outer(x, numpy.zeros(3))), False),
    ]


def _equations() -> list[Case]:
    # Differences of a loose solution are not those of its derivative: `test_ode` compares tight ones.
    loose = [Case(f"ode: {p.name}", p.dimension, p.density(1e-2), False) for p in PROBLEMS[:6]]
    return [*loose, Case("ode: tight", PROBLEMS[0].dimension, PROBLEMS[0].density(1e-11))]


def _scans() -> list[Case]:
    return [Case(f"scan: {s.name}", s.dimension, s.scanned) for s in SEQUENCES]


def _powers() -> list[Case]:
    return [
        *(Case(f"power {p}", 6, lambda x, p=p: _positive(x) ** p) for p in (-1, 0, 1, 2, 3, 0.5, -2.5)),
        Case("power of both", 12, lambda x: _positive(x[:6]) ** x[6:]),
        Case("power of data", 6, lambda x: 2.0**x + _positive(x) ** COUNTS),
        Case("integer power of negative", 6, lambda x: x**3 + x**2),
    ]


CASES: list[Case] = [
    *_ufuncs(),
    *_special(),
    *_reductions(),
    *_shapes(),
    *_indices(),
    *_products(),
    *_rows(),
    *_linear(),
    *_inverses(),
    *_scans(),
    *_equations(),
    *_powers(),
    *COMPOSITE_CASES,
]
