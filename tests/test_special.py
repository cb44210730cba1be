"""The special functions: values, derivatives, edges and broadcasting, each row of the table by itself."""

from __future__ import annotations

import pickle

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from autograd import elementwise_grad, grad

from exmc import special
from exmc.special import SPECIAL, xdivy
from tests.distributions.finite_differences import assert_derivative

REALS = np.array([-30.0, -8.0, -2.5, -1.0, -0.3, 0.0, 0.2, 0.9, 2.0, 6.0, 30.0])
POSITIVES = np.array([1e-6, 1e-3, 0.1, 0.7, 1.0, 1.5, 4.0, 33.0, 1e3])
UNITS = np.array([1e-9, 1e-3, 0.1, 0.4, 0.5, 0.8, 0.99])

# Name -> (value by an independent formula, arguments, which of them are differentiable).
ROWS = {
    "select": (np.where, (REALS > 0, REALS, 2 * REALS + 1), (1, 2)),
    "xdivy": (np.divide, (REALS, POSITIVES[3]), (0, 1)),
    "xlogy": (lambda x, y: x * np.log(y), (REALS[:9], POSITIVES), (0, 1)),
    "xlog1py": (lambda x, y: x * np.log1p(y), (REALS[:9], POSITIVES), (0, 1)),
    "expit": (lambda x: 1 / (1 + np.exp(-x)), (REALS,), (0,)),
    "logit": (lambda x: np.log(x) - np.log1p(-x), (UNITS,), (0,)),
    "softplus": (lambda x: np.log1p(np.exp(x)), (REALS,), (0,)),
    "log_expit": (lambda x: -np.log1p(np.exp(-x)), (REALS,), (0,)),
    "log1mexp": (lambda x: np.log(-np.expm1(x)), (-POSITIVES,), (0,)),
    "gammaln": (scipy.special.loggamma, (POSITIVES,), (0,)),
    "digamma": (scipy.special.psi, (POSITIVES,), (0,)),
    "trigamma": (lambda x: scipy.special.zeta(2, x), (POSITIVES,), (0,)),
    "tetragamma": (lambda x: -2.0 * scipy.special.zeta(3, x), (POSITIVES,), (0,)),
    "gammainc": (lambda a, x: 1 - scipy.special.gammaincc(a, x), (POSITIVES[4:8], POSITIVES[4:8]), (1,)),
    "gammaincc": (lambda a, x: 1 - scipy.special.gammainc(a, x), (POSITIVES[4:8], POSITIVES[4:8]), (1,)),
    "betainc": (lambda a, b, x: 1 - scipy.special.betainc(b, a, 1 - x), (1.5, 3.0, UNITS), (2,)),
    "erf": (lambda x: 2 * scipy.special.ndtr(x * np.sqrt(2)) - 1, (REALS,), (0,)),
    "erfc": (lambda x: 2 * scipy.special.ndtr(-x * np.sqrt(2)), (REALS,), (0,)),
    "erfcx": (lambda x: np.exp(x**2) * scipy.special.erfc(x), (REALS[2:9],), (0,)),
    "ndtr": (lambda x: scipy.special.erfc(-x / np.sqrt(2)) / 2, (REALS,), (0,)),
    "ndtri": (lambda x: -np.sqrt(2) * scipy.special.erfcinv(2 * x), (UNITS,), (0,)),
    "erfinv": (lambda x: scipy.special.erfcinv(1 - x), (UNITS[2:],), (0,)),
    "i0e": (lambda x: scipy.special.ive(0, x), (REALS,), (0,)),
    "i1e": (lambda x: scipy.special.ive(1, x), (REALS[REALS != 0.0],), (0,)),  # its slope has a kink at 0
    "log_ndtr": (lambda x: np.log(scipy.special.ndtr(x)), (REALS,), (0,)),
    "stdtr": (
        lambda nu, t: 0.5 + np.sign(t) * 0.5 * scipy.special.betainc(0.5, nu / 2, t**2 / (nu + t**2)),
        (3.5, REALS),
        (1,),
    ),
}


def within(points, x, values):
    """`values`, and NaN where x has left the half line of the `points`: there may be poles at zero."""
    crossed = (np.all(points > 0) & (x <= 0)) | (np.all(points < 0) & (x >= 0))
    return np.where(crossed, np.nan, values)


def row(name):
    if name not in ROWS:
        pytest.fail(f"{name} has no row in ROWS of tests/test_special.py: add an oracle and arguments.")
    return ROWS[name]


@pytest.mark.parametrize("name", SPECIAL)
def test_value(name):
    oracle, arguments, _ = row(name)
    np.testing.assert_allclose(SPECIAL[name](*arguments), oracle(*arguments), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", SPECIAL)
def test_every_derivative_is_that_of_finite_differences(name):
    _, arguments, differentiable = row(name)
    function = SPECIAL[name]
    for argnum in differentiable:
        spread = list(np.broadcast_arrays(*arguments))
        actual = elementwise_grad(function, argnum)(*spread)

        def along(x, argnum=argnum, spread=spread):
            return within(spread[argnum], x, function(*spread[:argnum], x, *spread[argnum + 1 :]))

        assert_derivative(actual, along, spread[argnum])


@pytest.mark.filterwarnings("ignore:Output seems independent")  # of autograd, for linear functions
@pytest.mark.parametrize("name", SPECIAL)
def test_second_derivatives_exist(name):
    _, arguments, differentiable = row(name)
    for argnum in differentiable:
        spread = [np.asarray(argument) for argument in np.broadcast_arrays(*arguments)]
        first = elementwise_grad(SPECIAL[name], argnum)
        second = elementwise_grad(first, argnum)(*spread)

        def along(x, argnum=argnum, spread=spread, first=first):
            shape = np.shape(x)
            full = [np.broadcast_to(argument, shape) for argument in spread]
            return within(spread[argnum], x, first(*full[:argnum], x, *full[argnum + 1 :]))

        assert_derivative(second, along, spread[argnum])


@pytest.mark.parametrize("name", SPECIAL)
def test_gradients_sum_over_broadcast_axes(name):
    _, arguments, differentiable = row(name)
    function = SPECIAL[name]
    for argnum in differentiable:
        fixed = [np.ravel(argument)[:2].reshape(-1, 1) for argument in arguments]
        wide = [*fixed]
        wide[argnum] = np.ravel(np.broadcast_arrays(*arguments)[argnum])[:3]
        summed = grad(lambda *args: anp.sum(function(*args)), argnum)(*wide)
        full = np.broadcast_arrays(*wide)
        each = elementwise_grad(function, argnum)(*full)
        assert summed.shape == (3,)
        np.testing.assert_allclose(summed, each.reshape(-1, 3).sum(axis=0), rtol=1e-14)
        scalars = [argument.flat[0] if isinstance(argument, np.ndarray) else argument for argument in full]
        assert np.shape(grad(function, argnum)(*map(_number, scalars))) == ()


def _number(value):
    return bool(value) if isinstance(value, np.bool_) else float(value)


@pytest.mark.parametrize(
    ("name", "arguments", "argnum", "expected"),
    [
        ("xlogy", (0.0, 0.0), 1, 0.0),
        ("xlogy", (2.0, 0.0), 1, np.inf),
        ("xlogy", (-2.0, 0.0), 1, -np.inf),
        ("xlogy", (0.0, 0.0), 0, -np.inf),
        ("xlogy", (0.0, np.inf), 1, 0.0),
        ("xlog1py", (0.0, -1.0), 1, 0.0),
        ("xlog1py", (3.0, -1.0), 1, np.inf),
        ("logit", (0.0,), 0, np.inf),
        ("logit", (1.0,), 0, np.inf),
        ("log1mexp", (0.0,), 0, -np.inf),
        ("log1mexp", (-800.0,), 0, -0.0),
        ("log1mexp", (-np.inf,), 0, -0.0),
        ("softplus", (800.0,), 0, 1.0),
        ("softplus", (-800.0,), 0, 0.0),
        ("log_expit", (-800.0,), 0, 1.0),
        ("log_expit", (800.0,), 0, 0.0),
        ("expit", (800.0,), 0, 0.0),
        ("select", (True, 1.0, np.nan), 1, 1.0),
        ("select", (True, 1.0, np.nan), 2, 0.0),
        ("log_ndtr", (np.inf,), 0, 0.0),
        ("gammainc", (2.0, 0.0), 1, 0.0),
        ("gammainc", (1.0, 0.0), 1, 1.0),
        ("betainc", (2.0, 1.0, 1.0), 2, 2.0),
    ],
)
def test_derivatives_at_edges(name, arguments, argnum, expected):
    np.testing.assert_equal(np.asarray(grad(SPECIAL[name], argnum)(*arguments)) + 0.0, expected + 0.0)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("xlogy", (1.0, 0.0)), ("xlog1py", (1.0, -1.0)), ("logit", (0.0,)), ("logit", (1.0,)), ("log1mexp", (0.0,))],
)
def test_a_cotangent_of_zero_passes_no_nan_through_a_pole(name, arguments):
    for argnum in range(len(arguments)):
        slope = grad(lambda *args: special.select(False, SPECIAL[name](*args), 1.0), argnum)(*arguments)
        assert slope == 0.0


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        # Exact to the last digit shown, by 60-digit arithmetic.
        ("expit", 50.0, 1.9287498479639178e-22),
        ("log_ndtr", -1e4, 10000.000099999998),
        ("log_ndtr", -40.0, 40.024968847207264),
        ("log1mexp", -1e-12, -999999999999.50002),
        ("log1mexp", -600.0, -2.6503965530043108e-261),
        ("log_expit", 600.0, 2.6503965530043108e-261),
        ("digamma", 1e-8, 1e16),
    ],
)
def test_derivatives_keep_their_digits_in_the_tails(name, x, expected):
    np.testing.assert_allclose(grad(SPECIAL[name])(x), expected, rtol=2e-13)


def test_xdivy_is_zero_where_its_numerator_is():
    x = np.array([0.0, 0.0, 0.0, 1.0, -1.0])
    y = np.array([0.0, np.inf, np.nan, 0.0, 0.0])
    np.testing.assert_array_equal(xdivy(x, y), [0.0, 0.0, 0.0, np.inf, -np.inf])


@pytest.mark.parametrize(
    ("name", "arguments"), [("gammainc", (2.0, 1.0)), ("betainc", (2.0, 3.0, 0.5)), ("stdtr", (3.0, 1.0))]
)
def test_a_missing_shape_derivative_says_so(name, arguments):
    with pytest.raises(NotImplementedError, match=f"{name} has no derivative"):
        grad(SPECIAL[name], 0)(*arguments)


@pytest.mark.parametrize("name", SPECIAL)
def test_rows_are_named_as_the_module_names_them_and_pickle(name):
    assert SPECIAL[name] is getattr(special, name)
    assert pickle.loads(pickle.dumps(SPECIAL[name])) is SPECIAL[name]


def test_betaln_of_every_size():
    a, b = np.meshgrid(POSITIVES, [1e-3, 0.5, 9.0, 11.0, 80.0])
    # scipy's loses a few thousand units in the last place where they differ much; the conformance suite sees less.
    expected = np.log(scipy.special.beta(a, b))
    seen = np.isfinite(expected)
    np.testing.assert_allclose(special.betaln(a, b)[seen], expected[seen], rtol=1e-12, atol=1e-14)
    found = elementwise_grad(special.betaln, 0)(a, b)
    assert_derivative(found, lambda x: within(a, x, special.betaln(x, b)), a)


def test_gammaln_below_the_normal_range():
    tiny = np.array([5e-324, -5e-324, 1e-310])
    np.testing.assert_array_equal(special.gammaln(tiny), -np.log(np.abs(tiny)))
    np.testing.assert_array_equal(special.gammaln([0.0, -0.0]), np.inf)
