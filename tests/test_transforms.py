"""Transforms and supports: round trips, Jacobians and membership, each row of the tables by itself."""

from __future__ import annotations

import pickle

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad

from exmc.transforms import SUPPORTS, TRANSFORMS

EPSILON = np.finfo(float).eps
MODERATE = np.concatenate([np.linspace(-30.0, 30.0, 121), [1e-8, -1e-8]])
WIDE = np.concatenate([MODERATE, [-700.0, -500.0, -100.0, -40.0, 40.0, 100.0, 500.0, 700.0]])

# Support name -> bounds to try it with; a support with bounds that is missing here fails for want of arguments.
BOUNDS = {
    "interval": [(0.0, 1.0), (-3.0, 7.5), (-0.1, 1e-3), (1e6, 1e6 + 1.0)],
    "integer_interval": [(5,)],
    "lower_bounded": [(0.0,), (-3.0,), (1e6,)],
}
# The hull of a support without bounds, or what its only bound lacks.
HULL = {"real": (-np.inf, np.inf), "unit_interval": (0, 1), "angle": (-np.pi, np.pi), "lower_bounded": (np.inf,)}


CASES = [
    pytest.param(transform, bounds, id=f"{name}{list(bounds) or ''}")
    for name, transform in TRANSFORMS.items()
    for bounds in BOUNDS.get(transform.supports[0].name, [()])
]


@pytest.mark.parametrize(("transform", "bounds"), CASES)
class TestTransform:
    def test_round_trip_from_the_reals(self, transform, bounds):
        constrained = transform.constrain(WIDE, *bounds)
        with np.errstate(divide="ignore"):
            back = transform.unconstrain(constrained, *bounds)
        # One ulp of the constrained value (and of its bounds), carried back through the slope.
        with np.errstate(divide="ignore", over="ignore"):
            spacing = EPSILON * np.maximum(np.abs(constrained), np.max(np.abs(bounds), initial=0.0))
            carried = spacing / np.exp(transform.log_jacobian(WIDE, *bounds))
        recoverable = carried < 0.1
        assert recoverable.sum() > 40
        error = np.abs(back - WIDE)[recoverable]
        assert np.all(error <= (8 * carried + 8 * EPSILON * (1.0 + np.abs(WIDE)))[recoverable])

    def test_round_trip_from_the_support(self, transform, bounds):
        constrained = transform.constrain(MODERATE, *bounds)
        with np.errstate(divide="ignore"):  # a value may have rounded onto its bound
            again = transform.constrain(transform.unconstrain(constrained, *bounds), *bounds)
        # An ulp of the unconstrained value moves the constrained one by its slope.
        slope = np.exp(transform.log_jacobian(MODERATE, *bounds))
        largest = np.maximum(np.abs(constrained), np.max(np.abs(bounds), initial=0.0))
        assert np.all(np.abs(again - constrained) <= 16 * EPSILON * (largest + slope * (1.0 + np.abs(MODERATE))))

    def test_constrained_values_lie_in_every_support(self, transform, bounds):
        for support in transform.supports:
            assert np.all(support.contains(transform.constrain(MODERATE, *bounds), *bounds))

    def test_far_values_stay_in_the_closed_support(self, transform, bounds):
        far = transform.constrain(WIDE, *bounds)
        name = transform.supports[0].name
        low, high = bounds if len(bounds) == 2 else (*bounds, *HULL.get(name, (0, np.inf)))
        assert np.all((far >= low) & (far <= high) & np.isfinite(far))

    def test_it_increases(self, transform, bounds):
        values = transform.constrain(np.sort(WIDE), *bounds)
        assert np.all(np.diff(values) >= 0)
        assert np.all(np.diff(transform.constrain(np.linspace(-5, 5, 101), *bounds)) > 0)

    def test_log_jacobian_is_the_log_of_the_derivative(self, transform, bounds):
        slope = elementwise_grad(transform.constrain)(WIDE, *bounds)
        expected = np.log(slope)
        actual = transform.log_jacobian(WIDE, *bounds)
        assert np.shape(actual) == WIDE.shape
        np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-13)

    def test_derivatives_are_finite_and_continuous_at_zero(self, transform, bounds):
        for function in (transform.constrain, transform.log_jacobian):
            slope = elementwise_grad(lambda x, f=function: f(x, *bounds) + 0.0 * x)(WIDE)
            assert np.all(np.isfinite(slope))
            around = elementwise_grad(lambda x, f=function: f(x, *bounds) + 0.0 * x)(np.array([-1e-9, 0.0, 1e-9]))
            np.testing.assert_allclose(around[1], around[[0, 2]], rtol=1e-8, atol=1e-8)

    def test_scalars_stay_scalars(self, transform, bounds):
        for function in (transform.constrain, transform.log_jacobian):
            assert np.shape(function(0.3, *bounds)) == ()
        assert np.shape(grad(lambda x: transform.constrain(x, *bounds))(0.3)) == ()

    def test_bounds_may_be_arrays_and_traced(self, transform, bounds):
        if not bounds:
            pytest.skip("has no bounds")
        spread = [np.stack([np.full(MODERATE.shape, bound), np.full(MODERATE.shape, bound)]) for bound in bounds]
        np.testing.assert_array_equal(transform.constrain(MODERATE, *spread)[1], transform.constrain(MODERATE, *bounds))
        if len(bounds) == 1:
            slope = grad(lambda low: anp.sum(transform.constrain(MODERATE, low)))(*bounds)
            assert slope == MODERATE.size
            return
        low, high = bounds
        # d constrained / d high is expit(x), and that for low its complement.
        weight = 1.0 / (1.0 + np.exp(-MODERATE))

        def total(low, high):
            return anp.sum(transform.constrain(MODERATE, low, high))

        np.testing.assert_allclose(grad(total, 1)(low, high), weight.sum(), rtol=1e-12)
        np.testing.assert_allclose(grad(total, 0)(low, high), (1.0 - weight).sum(), rtol=1e-12)

    def test_it_pickles(self, transform, bounds):
        assert pickle.loads(pickle.dumps(transform)) == transform


def test_the_inverse_of_softplus_neither_overflows_nor_cancels():
    values = np.array([1e-300, 1e-20, 1e-3, 1.0, 40.0, 800.0, 1e5])
    # log(exp(y) - 1), of which only one term matters far from 1.
    expected = [np.log(1e-300), np.log(1e-20), np.log(np.expm1(1e-3)), np.log(np.expm1(1.0)), 40.0, 800.0, 1e5]
    np.testing.assert_allclose(TRANSFORMS["softplus"].unconstrain(values), expected, rtol=1e-15)


def test_the_table_is_keyed_by_name():
    assert {name: transform.name for name, transform in TRANSFORMS.items()} == {name: name for name in TRANSFORMS}
    assert {"identity", "log", "softplus", "logit", "interval"} <= set(TRANSFORMS)
    for transform in TRANSFORMS.values():
        assert all(SUPPORTS[support.name] is support for support in transform.supports)


# Support name -> (bounds, members, others).
MEMBERSHIP = {
    "real": ((), [0.0, -1e300, 3], []),
    "positive": ((), [1e-300, 5], [0.0, -1.0]),
    "nonnegative": ((), [0.0, 5], [-1e-300]),
    "unit_interval": ((), [0.0, 0.5, 1.0], [-1e-9, 1.0 + 1e-9]),
    "open_unit_interval": ((), [1e-9, 0.5], [0.0, 1.0]),
    "interval": ((-1.0, 2.0), [-1.0, 0.0, 2.0], [-1.1, 2.1]),
    "lower_bounded": ((-1.0,), [-1.0, 0.0, 1e300], [-1.1]),
    "angle": ((), [-3.14, 0.0, 3.14], [-3.15, 3.15]),
    "integer": ((), [-3, 0, 7.0], [0.5, -1.5]),
    "positive_integer": ((), [1, 7.0], [0, -1, 0.5]),
    "integer_range": ((-2, 3), [-2, 0, 3.0], [-3, 4, 0.5]),
    "nonnegative_integer": ((), [0, 1, 7.0], [-1, 0.5]),
    "integer_interval": ((3,), [0, 3, 2.0], [-1, 4, 1.5]),
    "boolean": ((), [0, 1, True, False], [2, -1, 0.5]),
}


@pytest.mark.parametrize("name", SUPPORTS)
def test_support_membership(name):
    if name not in MEMBERSHIP:
        pytest.fail(f"{name} has no row in MEMBERSHIP of tests/test_transforms.py: add members and others.")
    bounds, members, others = MEMBERSHIP[name]
    support = SUPPORTS[name]
    assert np.all(support.contains(np.array(members), *bounds))
    for other in [*others, np.nan, np.inf, -np.inf]:
        assert not support.contains(other, *bounds)
    result = support.contains(np.zeros((2, 3)), *bounds)
    assert result.shape == (2, 3)
    assert result.dtype == bool
    assert support.description
    assert pickle.loads(pickle.dumps(support)) == support


def test_bounds_of_a_support_broadcast():
    inside = SUPPORTS["interval"].contains(np.array([0.5, 1.5]), np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]]))
    np.testing.assert_array_equal(inside, [[True, False], [False, True]])
