"""Normal quantiles are those of scipy, in the middle and in both tails."""

from __future__ import annotations

import numpy as np
import scipy.special

from exmc.diagnostics.normal_quantile import normal_quantile


def test_quantiles_are_those_of_scipy() -> None:
    tails = 10.0 ** -np.arange(1.0, 300.0)
    probabilities = np.concatenate([np.linspace(0.001, 0.999, 9999), tails, 1.0 - tails[:15]])
    np.testing.assert_allclose(normal_quantile(probabilities), scipy.special.ndtri(probabilities), rtol=2e-15)
