"""Chi-squared quantiles are those of scipy."""

from __future__ import annotations

import pytest
import scipy.special

from exmc.rewrite.chi_squared import chi_squared_quantile


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.9])
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30, 999, 20000])
def test_quantiles_are_those_of_scipy(freedom: int, share: float) -> None:
    # The logarithms that are summed have so many digits in front of the point.
    tolerance = 1e-13 * max(freedom, 10)
    assert chi_squared_quantile(freedom, share) == pytest.approx(scipy.special.chdtri(freedom, share), rel=tolerance)
