"""Rows of vectors and of categories against 50 digits, at ordinary and at extreme parameters."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from exmc.distributions.base import Distribution
from tests.distributions.precise_events import PRECISE, Precise
from tests.distributions.rows import law


def _name(case: Precise) -> str:
    assert isinstance(case.given.distribution, Distribution)
    return case.given.distribution.name


@pytest.mark.parametrize("case", PRECISE, ids=_name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of overflow on the way to -inf
class TestLogDensity:
    def test_has_its_digits(self, case: Precise) -> None:
        actual = law(case.given).log_density(np.array(case.values, float))
        # Relative to 1 near 0, whose digits the terms of a density near 1 cancel.
        np.testing.assert_allclose(actual, case.expected(), rtol=1e-12, atol=1e-12)

    def test_has_finite_slopes(self, case: Precise) -> None:
        bound = law(case.given)
        values = np.array(case.values, float)
        for name, start in bound.parameters.items():
            edge = name == "p" and not np.all(start)
            parameter = bound.distribution.parameter(name)
            if parameter.support.discrete or parameter.takes != "value" or edge:
                continue

            def total(x, name=name):
                moved = type(bound)(bound.distribution, {**bound.parameters, name: x})
                return anp.sum(moved.log_density(values))

            assert np.all(np.isfinite(grad(total)(np.asarray(start, float)))), name
