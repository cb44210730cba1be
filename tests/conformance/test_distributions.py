"""Every row of DISTRIBUTIONS against scipy: densities, gradients, draws, cumulative probabilities, transforms."""

from __future__ import annotations

import pickle

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from autograd import elementwise_grad, grad

from exmc import distributions
from exmc.distributions import DISTRIBUTIONS
from exmc.errors import ModelError
from exmc.transforms import TRANSFORMS
from tests.distributions.finite_differences import assert_derivative
from tests.distributions.scipy_cases import CASES, Case

EPSILON = np.finfo(float).eps
DRAWS = 20_000
# Two-sided, for about 200 independent claims: a false alarm of the whole suite has probability 1 %.
Z_LIMIT = scipy.stats.norm.isf(0.01 / 200 / 2)
P_LIMIT = 0.01 / 200
HALF_LINES = ("positive", "nonnegative")


def case_of(name: str) -> Case:
    if name not in CASES:
        pytest.fail(f"{name} has no row in CASES of tests/distributions/scipy_cases.py: add its scipy counterpart.")
    return CASES[name]


def parameter_sets(proper_only: bool = True):
    rows = []
    for name, distribution in DISTRIBUTIONS.items():
        case = CASES.get(name)
        if case is None:  # one row that fails by `case_of`, with the remedy
            rows.append(pytest.param(distribution, {}, id=name))
            continue
        if proper_only and case.reference is None:
            continue
        for parameters in case.parameters:
            label = ",".join(f"{key}={value:g}" for key, value in parameters.items())
            rows.append(pytest.param(distribution, parameters, id=f"{name}({label})"))
    return rows


def reference_of(distribution, parameters):
    case = case_of(distribution.name)
    assert case.reference is not None
    return case.reference(**parameters)


def interior(distribution, parameters):
    """Points strictly inside the support, from one far tail to the other."""
    reference = reference_of(distribution, parameters)
    tails = np.array([1e-200, 1e-30, 1e-8, 1e-3, 0.05, 0.2, 0.45])
    with np.errstate(all="ignore"):
        points = np.concatenate([reference.ppf(tails), reference.isf(tails)])
    low, high = reference.support()
    if distribution.discrete:
        beyond = points.max() + np.array([1.0, 2.0, 10.0, 300.0])
        points = np.concatenate([points, beyond, [max(low, 0.0), high if np.isfinite(high) else 5.0]])
        return np.unique(points[(points >= low) & (points <= high)])
    middle, spread = reference.ppf(0.5), reference.ppf(0.75) - reference.ppf(0.25)
    far = np.concatenate([middle + spread * np.array([-1e6, -300.0, 300.0, 1e6]), middle * np.array([1e-6, 1e4])])
    points = np.concatenate([points, far])
    size = np.abs(points)
    return np.unique(points[(points > low) & (points < high) & (size > 1e-100) & (size < 1e100)])


def edges(distribution, parameters):
    low, high = reference_of(distribution, parameters).support()
    return np.array([edge for edge in (low, high) if np.isfinite(edge)])


def outside(distribution, parameters):
    low, high = reference_of(distribution, parameters).support()
    points = np.array([low - 1e-3, low - 1.0, low - 1e10, high + 1e-3, high + 1.0, high + 1e10])
    points = points[np.isfinite(points)]
    if distribution.discrete:
        points = np.concatenate([points, [0.5, 1.0 + 1e-9, -0.5]])
    bounds = [parameters[name] for name in distribution.bounds]
    return points[~distribution.support.contains(points, *bounds)]


def reference_log_density(distribution, parameters, value):
    reference = reference_of(distribution, parameters)
    with np.errstate(over="ignore"):
        return reference.logpmf(value) if distribution.discrete else reference.logpdf(value)


def differentiable(distribution, parameters):
    return [name for name in parameters if not distribution.parameter(name).support.discrete]


def partial(function, value, parameters, name):
    """The derivative of an elementwise function in parameter `name`, and that function of the parameter alone."""

    def along(x):
        return function(value, **{**parameters, name: x})

    return elementwise_grad(along)(np.full(np.shape(value), parameters[name])), along


# --- The row itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_row(name):
    distribution = DISTRIBUTIONS[name]
    case = case_of(name)
    assert distribution.name == name
    assert getattr(distributions, name) is distribution
    assert name in distributions.__all__
    assert pickle.loads(pickle.dumps(distribution)) == distribution
    assert {frozenset(parameters) for parameters in case.parameters} == set(map(frozenset, distribution.alternatives))
    for parameters in case.parameters:
        distribution.check_parameters(**parameters)
    for parameter in distribution.parameters:
        if parameter.default is not None:
            assert parameter.support.contains(parameter.default)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_default_transform_maps_the_reals_into_the_support(name):
    distribution = DISTRIBUTIONS[name]
    if distribution.discrete:
        assert distribution.transform == ""
        return
    transform = TRANSFORMS[distribution.transform]
    assert distribution.support in transform.supports
    position = np.linspace(-15.0, 15.0, 61)
    for parameters in case_of(name).parameters:
        bounds = [parameters[bound] for bound in distribution.bounds]
        value = transform.constrain(position, *bounds)
        assert np.all(distribution.support.contains(value, *bounds))
        density = distribution.log_density(value, **parameters) + transform.log_jacobian(position, *bounds)
        assert np.all(np.isfinite(density))
        recovered = transform.constrain(transform.unconstrain(value, *bounds), *bounds)
        np.testing.assert_allclose(recovered, value, rtol=1e-12, atol=1e-13)


def test_the_unconstrained_density_integrates_to_one():
    # Independent of scipy's densities, and of how the transform's Jacobian was derived.
    position = np.linspace(-60.0, 60.0, 24_001)
    for name, parameters in (
        ("Gamma", {"alpha": 2.0, "beta": 3.0}),
        ("Beta", {"alpha": 2.0, "beta": 3.0}),
        ("Uniform", {"low": -3.0, "high": 1e-2}),
        ("HalfStudentT", {"nu": 3.0, "sigma": 1.0}),
        ("InverseGamma", {"alpha": 3.0, "beta": 2.0}),
    ):
        distribution = DISTRIBUTIONS[name]
        transform = TRANSFORMS[distribution.transform]
        bounds = [parameters[bound] for bound in distribution.bounds]
        value = transform.constrain(position, *bounds)
        density = np.exp(distribution.log_density(value, **parameters) + transform.log_jacobian(position, *bounds))
        # The trapezoidal rule converges geometrically for analytic functions that vanish at both ends.
        np.testing.assert_allclose(np.trapezoid(density, position), 1.0, rtol=1e-10)


# --- Densities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("distribution", "parameters"), parameter_sets())
class TestDensity:
    def test_agrees_with_scipy(self, distribution, parameters):
        value = np.concatenate([interior(distribution, parameters), edges(distribution, parameters)])
        actual = distribution.log_density(value, **parameters)
        expected = reference_log_density(distribution, parameters, value)
        finite = np.isfinite(expected)
        # scipy's logarithm of a density that has underflowed
        agrees = (actual == expected) | (actual < -700.0)
        assert np.all(agrees[~finite])
        # Parameters and all, but not to the last digit, which scipy loses: `test_precision` judges those.
        np.testing.assert_allclose(actual[finite], expected[finite], rtol=1e-8, atol=1e-8)

    def test_is_minus_infinity_outside(self, distribution, parameters):
        value = outside(distribution, parameters)
        if distribution.discrete or distribution.support.name in HALF_LINES:
            value = np.concatenate([value, [np.inf, -np.inf]])
        np.testing.assert_array_equal(distribution.log_density(value, **parameters), -np.inf)

    def test_gradients_are_zero_outside_and_no_nan_on_edges(self, distribution, parameters):
        beyond = outside(distribution, parameters)
        if distribution.support.name in HALF_LINES:
            beyond = np.concatenate([beyond, [-np.inf]])
        names = differentiable(distribution, parameters)
        for value, is_zero in ((beyond, True), (edges(distribution, parameters), False)):
            slopes = [partial(distribution.log_density, value, parameters, name)[0] for name in names]
            if not distribution.discrete:
                slopes.append(elementwise_grad(lambda v: distribution.log_density(v, **parameters))(value))
            for slope in slopes:
                assert not np.any(np.isnan(slope))
                if is_zero:
                    np.testing.assert_array_equal(slope, 0.0)

    def test_gradient_in_the_value(self, distribution, parameters):
        if distribution.discrete:
            pytest.skip("is discrete")
        value = interior(distribution, parameters)

        def along(v):
            return distribution.log_density(v, **parameters)

        terms = case_of(distribution.name).magnitude(value, **parameters)
        assert_derivative(elementwise_grad(along)(value), along, value, magnitude=terms)

    def test_gradient_in_each_parameter(self, distribution, parameters):
        value = interior(distribution, parameters)
        for name in differentiable(distribution, parameters):
            slope, along = partial(distribution.log_density, value, parameters, name)
            terms = case_of(distribution.name).magnitude(value, **parameters)
            assert_derivative(slope, along, np.full(value.shape, parameters[name]), magnitude=terms)

    def test_broadcasts_and_sums_gradients(self, distribution, parameters):
        value = interior(distribution, parameters)[:4].reshape(-1, 1)
        wide = {name: np.full(3, number) for name, number in parameters.items()}
        full = distribution.log_density(np.repeat(value, 3, axis=1), **parameters)
        np.testing.assert_array_equal(distribution.log_density(value, **wide), full)
        assert np.shape(distribution.log_density(value[0, 0], **parameters)) == ()
        for name in differentiable(distribution, parameters):

            def total(x, name=name):
                return anp.sum(distribution.log_density(value, **{**parameters, name: x}))

            each = partial(distribution.log_density, value, parameters, name)[0]
            np.testing.assert_allclose(grad(total)(wide[name]), np.full(3, each.sum()), rtol=1e-12, atol=1e-12)
            scalar = grad(total)(parameters[name])
            assert np.shape(scalar) == ()
            np.testing.assert_allclose(scalar, each.sum(), rtol=1e-12, atol=1e-12)

    def test_nan_stays_nan(self, distribution, parameters):
        assert np.isnan(distribution.log_density(np.nan, **parameters))
        value = interior(distribution, parameters)[0]
        for name in parameters:
            with np.errstate(invalid="ignore"):
                assert np.isnan(distribution.log_density(value, **{**parameters, name: np.nan}))

    def test_a_parameter_outside_its_support_gives_no_number(self, distribution, parameters):
        value = interior(distribution, parameters)
        for name in parameters:
            support = distribution.parameter(name).support
            for illegal in (-0.5, -3.0, 1.5, 0.0):
                if support.contains(illegal):
                    continue
                with np.errstate(all="ignore"):
                    density = distribution.log_density(value, **{**parameters, name: illegal})
                assert not np.any(np.isfinite(density) | (density == np.inf)), (name, illegal)
                with pytest.raises(ModelError, match=name):
                    distribution.random(np.random.default_rng(1), (2,), **{**parameters, name: illegal})


# --- Draws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("distribution", "parameters"), parameter_sets())
class TestDraws:
    def test_follow_the_density(self, distribution, parameters):
        reference = reference_of(distribution, parameters)
        draws = distribution.random(np.random.default_rng(20250101), (DRAWS,), **parameters)
        bounds = [parameters[name] for name in distribution.bounds]
        assert np.all(distribution.support.contains(draws, *bounds))
        if distribution.discrete:
            assert _chi_square(draws, reference) > P_LIMIT
        else:
            assert scipy.stats.kstest(draws, reference.cdf).pvalue > P_LIMIT

    def test_have_the_moments(self, distribution, parameters):
        mean, variance, kurtosis = reference_of(distribution, parameters).stats(moments="mvk")
        if not np.isfinite(mean + variance + kurtosis) or kurtosis > 100:
            pytest.skip("has no fourth moment that a sample could show")
        draws = distribution.random(np.random.default_rng(7), (DRAWS,), **parameters).astype(float)
        assert abs(draws.mean() - mean) / np.sqrt(variance / DRAWS) < Z_LIMIT
        error = variance * np.sqrt((kurtosis + 2.0) / DRAWS)
        assert abs(((draws - mean) ** 2).mean() - variance) / error < Z_LIMIT

    @pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
    def test_have_the_shape_and_depend_on_the_seed_alone(self, distribution, parameters, shape):
        first = distribution.random(np.random.default_rng(1), shape, **parameters)
        assert isinstance(first, np.ndarray)
        assert first.shape == shape
        assert first.dtype == (np.int64 if distribution.discrete else np.float64)
        np.testing.assert_array_equal(first, distribution.random(np.random.default_rng(1), shape, **parameters))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.reference is not None])
def test_draws_broadcast_their_parameters(name):
    distribution, case = DISTRIBUTIONS[name], CASES[name]
    for names in distribution.alternatives:
        sets = [parameters for parameters in case.parameters if set(parameters) == set(names)]
        columns = {key: np.array([parameters[key] for parameters in sets]) for key in names}
        draws = distribution.random(np.random.default_rng(3), (5000, len(sets)), **columns)
        assert draws.shape == (5000, len(sets))
        for column, parameters in zip(draws.T, sets, strict=True):
            reference = case.reference(**parameters)
            p_value = (
                _chi_square(column, reference)
                if distribution.discrete
                else scipy.stats.kstest(column, reference.cdf).pvalue
            )
            assert p_value > P_LIMIT


def _chi_square(draws, reference) -> float:
    """The p-value of a chi-square test in cells of at least about ten expected draws."""
    probabilities = np.linspace(0.0, 1.0, 21)[1:-1]
    cuts = np.unique(reference.ppf(probabilities))
    chances = np.diff(np.concatenate([[0.0], reference.cdf(cuts), [1.0]]))
    counts = np.bincount(np.searchsorted(cuts, draws, side="left"), minlength=len(cuts) + 1)
    expected = len(draws) * chances
    possible = expected > 1e-9
    assert counts[~possible].sum() == 0
    if possible.sum() == 1:
        return 1.0
    return float(scipy.stats.chisquare(counts[possible], expected[possible]).pvalue)


# --- Cumulative probabilities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "parameters"), [row for row in parameter_sets() if row.values[0].log_cdf is not None]
)
class TestLogCdf:
    def test_agrees_with_scipy(self, distribution, parameters):
        reference = reference_of(distribution, parameters)
        value = interior(distribution, parameters)
        if distribution.discrete:
            value = np.concatenate([value, value + 0.5])
        with np.errstate(over="ignore"):
            lower = reference.cdf(value)
        # `test_precision` judges the far tails, where some of scipy's cancel.
        seen = (lower > 1e-6) & (lower < 0.999)
        np.testing.assert_allclose(distribution.log_cdf(value, **parameters)[seen], np.log(lower[seen]), rtol=1e-6)
        np.testing.assert_allclose(distribution.log_ccdf(value, **parameters)[seen], np.log1p(-lower[seen]), rtol=1e-6)

    def test_is_minus_infinity_below_and_zero_above(self, distribution, parameters):
        low, high = reference_of(distribution, parameters).support()
        for value, is_above in ((low - 0.5, False), (high, True), (high + 0.5, True)):
            if np.isfinite(value):
                for tail, expected in (
                    (distribution.log_cdf, 0.0 if is_above else -np.inf),
                    (distribution.log_ccdf, -np.inf if is_above else 0.0),
                ):
                    assert tail(value, **parameters) == expected
                    for name in differentiable(distribution, parameters):
                        assert not np.isnan(partial(tail, np.array([value]), parameters, name)[0])

    def test_at_infinity(self, distribution, parameters):
        for value, lower, upper in ((-np.inf, -np.inf, 0.0), (np.inf, 0.0, -np.inf)):
            assert distribution.log_cdf(value, **parameters) == lower
            assert distribution.log_ccdf(value, **parameters) == upper

    def test_its_slope_is_density_over_probability(self, distribution, parameters):
        if distribution.discrete:
            pytest.skip("is discrete")
        reference = reference_of(distribution, parameters)
        value = reference.ppf([1e-8, 1e-3, 0.1, 0.4, 0.6, 0.9, 0.99])
        density = distribution.log_density(value, **parameters)
        terms = case_of(distribution.name).magnitude(value, **parameters)
        allowed = 1e-10 + 8 * EPSILON * np.broadcast_to(terms, value.shape)
        for tail, sign in ((distribution.log_cdf, 1.0), (distribution.log_ccdf, -1.0)):
            slope = elementwise_grad(lambda v, tail=tail: tail(v, **parameters))(value)
            expected = np.exp(density - tail(value, **parameters))
            assert np.all(np.abs(sign * slope - expected) <= allowed * expected)

    def test_gradient_in_each_parameter(self, distribution, parameters):
        reference = reference_of(distribution, parameters)
        low, high = reference.support()
        value = reference.ppf([1e-3, 0.1, 0.4, 0.6, 0.9, 0.99])
        if distribution.discrete:
            value = np.unique([low, *value[value < high]])
        for name in differentiable(distribution, parameters):
            # A quadrature is good to a few hundred ulps.
            terms = 10.0 + case_of(distribution.name).magnitude(value, **parameters)
            for tail in (distribution.log_cdf, distribution.log_ccdf):
                slope, along = partial(tail, value, parameters, name)
                assert_derivative(slope, along, np.full(value.shape, parameters[name]), magnitude=terms)


# --- Improper distributions -----------------------------------------------------------------------------------------


def test_flat_is_flat():
    np.testing.assert_array_equal(distributions.Flat.log_density(np.array([-3.0, 0.0, 1e300])), 0.0)
    np.testing.assert_array_equal(distributions.HalfFlat.log_density(np.array([-3.0, 0.0, 1e300])), [-np.inf, 0.0, 0.0])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.reference is None])
def test_improper_distributions_refuse_to_draw(name):
    with pytest.raises(ModelError, match=f"{name} is improper") as caught:
        DISTRIBUTIONS[name].random(np.random.default_rng(1), (2,))
    assert caught.value.remedy


# --- Figures that scipy does not reach -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "parameters", "expected"),
    [
        # By 60-digit arithmetic.
        ("Bernoulli", 1.0, {"logit": 40.0}, -4.248354255291589e-18),
        ("Binomial", 10.0, {"n": 10.0, "logit": 30.0}, -9.3576229688397368e-13),
        ("Bernoulli", 0.0, {"p": 1e-20}, -1e-20),
    ],
)
def test_nothing_cancels_in_the_tails(name, value, parameters, expected):
    np.testing.assert_allclose(DISTRIBUTIONS[name].log_density(value, **parameters), expected, rtol=1e-13)
