"""Elementwise special functions as autograd primitives whose derivatives hold at the edges and in the tails.

autograd lacks some of these and differentiates others badly (``0 * inf`` is NaN, ``1 - expit(x)`` is 0 beyond 37,
the derivative of ``where`` keeps the broadcast shape). Here every derivative is itself made of primitives, so that it
can be recorded and differentiated again, and sums over broadcast axes. None of them warns, at poles either.

"Within N ulps" is the largest error, in units in the last place of the result, by numpy and in machine code, against
50 digits on extreme arguments (tests/conformance/test_precision.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import autograd.numpy as np
import numpy
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast_f

from exmc.late import Late
from exmc.stirling import log_beta

if TYPE_CHECKING:
    from scipy import special as scipy_special
else:
    scipy_special = Late("scipy.special")

Array = Any
"""A number, a numpy array or an autograd box around one."""

Elementwise = Callable[..., Array]
_Adjoint = Callable[..., Array]

_SQRT_2 = 1.4142135623730951
_TWO_OVER_SQRT_PI = 1.1283791670955126
_SQRT_2_OVER_PI = 0.7978845608028654
_INV_SQRT_2_PI = 0.3989422804014327
_SQRT_2_PI = 2.5066282746310002
_HALF_SQRT_PI = 0.886226925452758
_LOG_2 = 0.6931471805599453


def _define(name: str, description: str, evaluate: Elementwise, *adjoints: _Adjoint | None) -> Elementwise:
    """A primitive called `name`; ``adjoints[i](g, ans, *args)`` is its cotangent for argument i, if it has one."""

    def raw(*args: Array) -> Array:
        return evaluate(*args)

    function: Any = primitive(raw)
    # The names are those of the module's attribute, so that the function pickles by reference.
    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = description
    defvjp(function, *(_unbroadcast(adjoint, i) for i, adjoint in enumerate(adjoints)))
    return cast(Elementwise, function)


def _scipy(name: str) -> Elementwise:
    """scipy's function of this name."""
    return lambda *args: getattr(scipy_special, name)(*args)


def _unbroadcast(adjoint: _Adjoint | None, argument: int) -> Elementwise | None:
    if adjoint is None:
        return None

    def vjp(ans: Array, *args: Array) -> Array:
        return unbroadcast_f(args[argument], lambda g: adjoint(g, ans, *args))

    return vjp


def _unavailable(function: str, argument: str) -> _Adjoint:
    def adjoint(g: Array, ans: Array, *args: Array) -> Array:
        raise NotImplementedError(
            f"{function} has no derivative with respect to its shape argument {argument!r}; hold it constant."
        )

    return adjoint


# --- Selection and quotients -------------------------------------------------------------------------------------


def _xdivy(x: Array, y: Array) -> Array:
    with numpy.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return numpy.where(numpy.equal(x, 0), 0.0, numpy.divide(x, y))


select: Elementwise = _define(
    "select",
    "`x` where `condition`, else `y`; unlike that of ``where``, its gradient has the argument's own shape.",
    numpy.where,
    None,
    lambda g, ans, condition, x, y: select(condition, g, 0.0),
    lambda g, ans, condition, x, y: select(condition, 0.0, g),
)

xdivy: Elementwise = _define(
    "xdivy",
    "``x / y``, and 0 where x is 0, whatever y is: the product of a cotangent of zero and an infinite slope.",
    _xdivy,
    lambda g, ans, x, y: xdivy(g, y),
    lambda g, ans, x, y: -xdivy(g * ans, y),
)

xlogy: Elementwise = _define(
    "xlogy",
    "``x * log(y)``, and 0 where x is 0. Within 2 ulps.",
    _scipy("xlogy"),
    lambda g, ans, x, y: xlogy(g, y),
    lambda g, ans, x, y: xdivy(g * x, y),
)

xlog1py: Elementwise = _define(
    "xlog1py",
    "``x * log1p(y)``, and 0 where x is 0. Within 3 ulps.",
    _scipy("xlog1py"),
    lambda g, ans, x, y: xlog1py(g, y),
    lambda g, ans, x, y: xdivy(g * x, 1.0 + y),
)


# --- The logistic family -----------------------------------------------------------------------------------------


def _log1mexp(x: Array) -> Array:
    with numpy.errstate(divide="ignore", invalid="ignore"):
        near = x > -_LOG_2
        # Maechler (2012), "Accurately computing log(1 - exp(-|a|))": which form keeps the digits.
        return numpy.where(
            near,
            numpy.log(-numpy.expm1(numpy.where(near, x, -1.0))),
            numpy.log1p(-numpy.exp(numpy.where(near, -1.0, x))),
        )


expit: Elementwise = _define(
    "expit",
    "The logistic function ``1 / (1 + exp(-x))``. Within 3 ulps.",
    _scipy("expit"),
    # ans * (1 - ans) would be 0 beyond x = 37.
    lambda g, ans, x: g * (ans * expit(-x)),
)

logit: Elementwise = _define(
    "logit",
    "``log(x / (1 - x))`` for x in [0, 1]. Within 2 ulps.",
    _scipy("logit"),
    lambda g, ans, x: xdivy(g, x * (1.0 - x)),
)

softplus: Elementwise = _define(
    "softplus",
    "``log(1 + exp(x))`` without overflow. Within 2 ulps.",
    # numpy's logaddexp, but quiet at NaN.
    lambda x: numpy.maximum(x, 0.0) + numpy.log1p(numpy.exp(-numpy.abs(x))),
    lambda g, ans, x: g * expit(x),
)

log_expit: Elementwise = _define(
    "log_expit",
    "``log(expit(x))`` without underflow. Within 2 ulps.",
    _scipy("log_expit"),
    lambda g, ans, x: g * expit(-x),
)

log1mexp: Elementwise = _define(
    "log1mexp",
    "``log(1 - exp(x))`` for x <= 0. Within 1 ulps.",
    _log1mexp,
    # 1 - exp(x) is exp(ans); the quotient is -inf at x = 0 and -0.0 at -inf, never inf / inf.
    lambda g, ans, x: -xdivy(g * np.exp(x), np.exp(ans)),
)


# --- Gamma and beta functions ------------------------------------------------------------------------------------

_SMALLEST_NORMAL = 2.2250738585072014e-308


def _gammaln(x: Array) -> Array:
    # scipy's is infinite below the normal range.
    size = numpy.abs(x)
    tiny = (size < _SMALLEST_NORMAL) & (size > 0.0)
    return numpy.where(tiny, -numpy.log(numpy.where(tiny, size, 1.0)), scipy_special.gammaln(x))


gammaln: Elementwise = _define(
    "gammaln",
    "The logarithm of the absolute value of the gamma function. Within 26 ulps of max(1, |result|).",
    _gammaln,
    lambda g, ans, x: g * digamma(x),
)

digamma: Elementwise = _define(
    "digamma",
    "The derivative of `gammaln`. Within 5 ulps of max(1, |result|).",
    _scipy("digamma"),
    lambda g, ans, x: g * trigamma(x),
)

# Only a fourth derivative of `gammaln` meets this one, so it has no row of its own. autograd.scipy has it too, but
# takes half a second to import.
polygamma: Elementwise = _define(
    "polygamma",
    "The derivative of order n + 1 of `gammaln`, for an integer n.",
    _scipy("polygamma"),
    None,
    lambda g, ans, n, x: g * polygamma(n + 1, x),
)

trigamma: Elementwise = _define(
    "trigamma",
    "The derivative of `digamma`. Within 4 ulps.",
    lambda x: scipy_special.polygamma(1, x),
    lambda g, ans, x: g * tetragamma(x),
)


tetragamma: Elementwise = _define(
    "tetragamma",
    "The derivative of `trigamma`. Within 5 ulps.",
    lambda x: scipy_special.polygamma(2, x),
    lambda g, ans, x: g * polygamma(3, x),
)


def betaln_text(a: Array, b: Array) -> Array:
    """`betaln` written in functions that machine code has."""
    return log_beta(a, b, gammaln)


def _betaln(a: Array, b: Array) -> Array:
    with numpy.errstate(all="ignore"):
        return betaln_text(numpy.asarray(a, dtype=float), numpy.asarray(b, dtype=float))


betaln: Elementwise = _define(
    "betaln",
    "The logarithm of the beta function for positive a and b. Within 7 ulps of max(1, |result|).",
    _betaln,
    lambda g, ans, a, b: g * (digamma(a) - digamma(a + b)),
    lambda g, ans, a, b: g * (digamma(b) - digamma(a + b)),
)


def _times(g: Array, slope: Array) -> Array:
    """``g * slope``, and 0 where g is 0: a density may be infinite on the edge of its support."""
    return g * select(np.equal(g, 0.0), 0.0, slope)


gammainc: Elementwise = _define(
    "gammainc",
    "The regularised lower incomplete gamma function P(a, x); differentiable in x. Within 480 ulps.",
    _scipy("gammainc"),
    _unavailable("gammainc", "a"),
    lambda g, ans, a, x: _times(g, np.exp(xlogy(a - 1.0, x) - x - gammaln(a))),
)

gammaincc: Elementwise = _define(
    "gammaincc",
    "The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x); differentiable in x. Within 377 ulps.",
    _scipy("gammaincc"),
    _unavailable("gammaincc", "a"),
    lambda g, ans, a, x: _times(-g, np.exp(xlogy(a - 1.0, x) - x - gammaln(a))),
)

betainc: Elementwise = _define(
    "betainc",
    "The regularised incomplete beta function I_x(a, b); differentiable in x. Within 11047 ulps.",
    _scipy("betainc"),
    _unavailable("betainc", "a"),
    _unavailable("betainc", "b"),
    lambda g, ans, a, b, x: _times(g, np.exp(xlogy(a - 1.0, x) + xlog1py(b - 1.0, -x) - betaln(a, b))),
)


# --- Error functions and the cumulative distribution functions built on them -----------------------------------------

erf: Elementwise = _define(
    "erf",
    "The error function. Within 2 ulps.",
    _scipy("erf"),
    lambda g, ans, x: g * (_TWO_OVER_SQRT_PI * np.exp(-x * x)),
)

erfc: Elementwise = _define(
    "erfc",
    "``1 - erf(x)`` without cancellation. Within 26 ulps.",
    _scipy("erfc"),
    lambda g, ans, x: g * (-_TWO_OVER_SQRT_PI * np.exp(-x * x)),
)

erfcx: Elementwise = _define(
    "erfcx",
    "``exp(x**2) * erfc(x)`` without underflow for large x; its own derivative cancels there. Within 143 ulps.",
    _scipy("erfcx"),
    lambda g, ans, x: g * (2.0 * x * ans - _TWO_OVER_SQRT_PI),
)

ndtr: Elementwise = _define(
    "ndtr",
    "The standard normal distribution function. Within 353 ulps.",
    _scipy("ndtr"),
    lambda g, ans, x: g * (_INV_SQRT_2_PI * np.exp(-0.5 * x * x)),
)

ndtri: Elementwise = _define(
    "ndtri",
    "The inverse of `ndtr`, for probabilities in [0, 1]. Within 2 ulps.",
    _scipy("ndtri"),
    lambda g, ans, x: g * (_SQRT_2_PI * np.exp(0.5 * ans * ans)),
)

erfinv: Elementwise = _define(
    "erfinv",
    "The inverse of `erf`, for numbers in [-1, 1]. Within 2 ulps.",
    _scipy("erfinv"),
    lambda g, ans, x: g * (_HALF_SQRT_PI * np.exp(ans * ans)),
)

log_ndtr: Elementwise = _define(
    "log_ndtr",
    "The logarithm of `ndtr`, finite far into the left tail. Within 353 ulps.",
    _scipy("log_ndtr"),
    # Density over probability as one scaled function: exp(log density - ans) loses x**2 ulps in the left tail.
    lambda g, ans, x: g * xdivy(_SQRT_2_OVER_PI, erfcx(x * (-1.0 / _SQRT_2))),
)

stdtr: Elementwise = _define(
    "stdtr",
    "The Student t distribution function with `nu` degrees of freedom at t; differentiable in t. Within 10 ulps.",
    _scipy("stdtr"),
    _unavailable("stdtr", "nu"),
    lambda g, ans, nu, t: (
        g * np.exp(-0.5 * (nu + 1.0) * np.log1p(t * t / nu) - 0.5 * np.log(nu) - betaln(0.5 * nu, 0.5))
    ),
)


# --- Bessel functions ----------------------------------------------------------------------------------------------

i0e: Elementwise = _define(
    "i0e",
    "``exp(-|x|) * I_0(x)``, the scaled modified Bessel function. Within 5 ulps.",
    _scipy("i0e"),
    lambda g, ans, x: g * (i1e(x) - np.sign(x) * ans),
)

i1e: Elementwise = _define(
    "i1e",
    "``exp(-|x|) * I_1(x)``, the scaled modified Bessel function. Within 4 ulps.",
    _scipy("i1e"),
    # I_1(x) / x is 1/2 at 0.
    lambda g, ans, x: (
        g * (i0e(x) - np.sign(x) * ans - select(np.equal(x, 0.0), 0.5, ans / select(np.equal(x, 0.0), 1.0, x)))
    ),
)


SPECIAL: dict[str, Elementwise] = {
    function.__name__: function
    for function in (
        select,
        xdivy,
        xlogy,
        xlog1py,
        expit,
        logit,
        softplus,
        log_expit,
        log1mexp,
        gammaln,
        digamma,
        trigamma,
        tetragamma,
        gammainc,
        gammaincc,
        betainc,
        erf,
        erfc,
        erfcx,
        ndtr,
        ndtri,
        erfinv,
        log_ndtr,
        stdtr,
        i0e,
        i1e,
    )
}
"""Every primitive of this module by name; the compiler has one lowering per row."""
