"""Every row of TRANSFORMS: what maps whole events is proved here, numbers in tests/transforms/test_elementwise.py."""

from __future__ import annotations

import pickle

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, jacobian

from exmc.compile.record import record
from exmc.errors import ModelError
from exmc.transforms import SUPPORTS, TRANSFORMS
from tests.transforms.coordinates import measured


def test_the_table_is_keyed_by_name():
    assert {name: transform.name for name, transform in TRANSFORMS.items()} == {name: name for name in TRANSFORMS}
    assert {"identity", "log", "softplus", "logit", "interval"} <= set(TRANSFORMS)
    for transform in TRANSFORMS.values():
        assert all(SUPPORTS[support.name] is support for support in transform.supports)


CASES = [
    pytest.param(transform, (size,) * transform.event_rank, id=f"{name}-{size}")
    for name, transform in TRANSFORMS.items()
    if transform.event_rank
    for size in (1, 2, 5)
]


def position(transform, event, spread=1.5, batch=()):
    shape = (*batch, *transform.unconstrained_shape(event))
    return np.random.default_rng(12).normal(scale=spread, size=shape)


@pytest.mark.parametrize(("transform", "event"), CASES)
class TestEvents:
    def test_round_trip(self, transform, event):
        unconstrained = position(transform, event, batch=(2, 3))
        value = transform.constrain(unconstrained)
        assert value.shape == (2, 3, *event)
        assert transform.supports[0].contains(value).all()
        back = transform.unconstrain(value)
        assert back.shape == unconstrained.shape == transform.free_shape(value.shape)
        np.testing.assert_allclose(back, unconstrained, rtol=1e-9, atol=1e-9)

    def test_each_event_by_itself(self, transform, event):
        unconstrained = position(transform, event, batch=(2, 3))
        value, jacobians = transform.constrain(unconstrained), transform.log_jacobian(unconstrained)
        assert jacobians.shape == (2, 3)
        np.testing.assert_allclose(value[1, 2], transform.constrain(unconstrained[1, 2]), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(jacobians[1, 2], transform.log_jacobian(unconstrained[1, 2]), rtol=1e-13)

    def test_log_jacobian_is_that_of_the_determinant(self, transform, event):
        unconstrained = position(transform, event)
        if not unconstrained.size:
            assert transform.log_jacobian(unconstrained) == 0.0
            return
        support = transform.supports[0].name
        slopes = jacobian(lambda u: measured(support, transform.constrain(u)))(unconstrained)
        expected = np.linalg.slogdet(slopes)[1]
        np.testing.assert_allclose(transform.log_jacobian(unconstrained), expected, rtol=1e-8, atol=1e-8)

    def test_extreme_values(self, transform, event):
        size = position(transform, event).size
        for signs in (np.ones(size), -np.ones(size), (-1.0) ** np.arange(size)):
            far = 300.0 * signs
            value = transform.constrain(far)
            assert np.all(np.isfinite(value))
            if not transform.name.startswith("co"):  # rounded to singular ones
                assert transform.supports[0].contains(value)
            for function in (transform.constrain, transform.log_jacobian):
                slope = grad(lambda u, f=function: anp.sum(f(u)) + 0.0 * anp.sum(u))(far)
                assert np.all(np.isfinite(slope))

    def test_it_has_machine_code(self, transform, event):
        size = position(transform, event).size

        def both(flat):
            return anp.sum(transform.constrain(flat) ** 2) + transform.log_jacobian(flat) + 0.0 * anp.sum(flat)

        tape = record(both, size, gradient=True)
        assert "external" not in {equation.primitive for equation in tape.equations}

    def test_it_pickles(self, transform, event):
        assert pickle.loads(pickle.dumps(transform)) == transform


def test_events_that_cannot_be():
    with pytest.raises(ModelError, match="not square"):
        TRANSFORMS["cov"].free_shape((3, 2))
    with pytest.raises(ModelError, match="without elements"):
        TRANSFORMS["simplex"].free_shape((0,))
    with pytest.raises(ModelError, match="takes matrices"):
        TRANSFORMS["cov"].free_shape((3,))


def test_the_simplex_keeps_small_probabilities():
    far = TRANSFORMS["simplex"].constrain(np.array([-300.0, 0.0]))
    assert 0.0 < far.min() < 1e-100
    assert far.sum() == pytest.approx(1.0, abs=1e-15)


def test_independent_normals_stay_so_under_the_sum_to_zero():
    columns = TRANSFORMS["sum_to_zero"].constrain(np.eye(4))
    np.testing.assert_allclose(columns @ columns.T, np.eye(4), atol=1e-15)
    np.testing.assert_allclose(columns.sum(axis=1), 0.0, atol=1e-15)
