"""Elementwise derivatives by high-order finite differences with an error bound, the oracle of autograd's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Central difference coefficients of order 8 and 6 (Fornberg 1988, table 1).
_ORDER_8 = np.array([4 / 5, -1 / 5, 4 / 105, -1 / 280])
_ORDER_6 = np.array([3 / 4, -3 / 20, 1 / 60, 0.0])
_RELATIVE_STEPS = 10.0 ** -np.arange(1.0, 7.0, 0.5)
_ULPS = 64
# A product may underflow on the way to a slope as small as this.
_NEGLIGIBLE = 1e-150


def derivative(
    function: Callable[[FloatArray], FloatArray], at: FloatArray, magnitude: FloatArray | float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """The derivative of an elementwise function and a bound of its error, both of `at`'s shape.

    Of a range of steps, each point takes the one with the smallest bound: the difference of the two orders
    (truncation) plus the rounding of the function's values, or of terms as large as `magnitude` that cancel in
    them. Steps that leave the domain give no finite value and are passed over.
    """
    at = np.asarray(at, dtype=float)
    best, bound = np.full(at.shape, np.nan), np.full(at.shape, np.inf)
    offsets = np.arange(1.0, 5.0).reshape(-1, *([1] * at.ndim))
    with np.errstate(all="ignore"):
        for scale in (np.abs(at), np.ones(at.shape)):
            for relative in _RELATIVE_STEPS:
                step = scale * relative
                ahead = np.asarray(function(at + offsets * step))
                behind = np.asarray(function(at - offsets * step))
                slopes = (ahead - behind) / step
                high = np.tensordot(_ORDER_8, slopes, 1)
                low = np.tensordot(_ORDER_6, slopes, 1)
                size = np.maximum(np.max(np.abs(ahead), axis=0), np.max(np.abs(behind), axis=0))
                # The argument's own rounding counts like the function's: its slope times an ulp of `at`.
                rounding = _ULPS * np.finfo(float).eps * (size + magnitude + np.abs(high) * np.abs(at)) / step
                error = np.abs(high - low) + rounding
                better = error < bound
                best, bound = np.where(better, high, best), np.where(better, error, bound)
    return best, bound


def assert_derivative(
    actual: FloatArray,
    function: Callable[[FloatArray], FloatArray],
    at: FloatArray,
    *,
    magnitude: FloatArray | float = 0.0,
    sharpness: float = 1e-6,
) -> None:
    """Assert that `actual` is the derivative of `function` at `at`.

    Where the bound is wider than `sharpness` (next to an edge no step fits) the oracle sees nothing; it has to see at
    least half of the points.
    """
    expected, bound = derivative(function, at, magnitude)
    sharp = bound <= sharpness * np.maximum(1.0, np.abs(expected))
    assert np.mean(sharp) >= 0.5, f"the oracle is blunt at {np.asarray(at)[~sharp]}: bounds {bound[~sharp]}"
    wrong = sharp & ~(np.abs(actual - expected) <= bound + _NEGLIGIBLE)
    assert not np.any(wrong), (
        f"at {np.asarray(at)[wrong]}: derivative {np.asarray(actual)[wrong]}, "
        f"finite differences {expected[wrong]} +- {bound[wrong]}"
    )
