"""Basis functions and the scales of their coefficients: with more of them the covariance becomes the exact one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from exmc import covariances, hilbert

KINDS = ("exp_quad", "matern12", "matern32", "matern52")
X = np.linspace(-1.0, 1.0, 9)
PLANE = np.stack(np.meshgrid(np.linspace(-1.0, 1.0, 4), np.linspace(-0.5, 0.5, 3)), axis=-1).reshape(-1, 2)


def error(kind: str, m: int | tuple[int, ...], points: np.ndarray, boundary: object, length: object) -> float:
    """The largest error of the covariance of the approximation."""
    columns = hilbert.basis(points, boundary, m) * getattr(hilbert, kind)(boundary, 1.4, length, m)
    exact = getattr(covariances, kind)(points, points, 1.4, length)
    return float(np.max(np.abs(columns @ columns.T - exact)))


def bound(kind: str, m: tuple[int, ...], many: tuple[int, ...], points: np.ndarray, boundary: tuple, length: object):
    """What the functions beyond `m` (up to `many`) leave out, and what the border adds.

    With all functions, the covariance is the exact one, and plus or minus that with the images of the points, reflected
    at the border again and again.
    """
    borders = np.array(boundary)
    squares = (getattr(hilbert, kind)(borders, 1.4, length, many) ** 2).reshape(many) / np.prod(borders)
    kept = np.zeros(many, dtype=bool)
    kept[tuple(slice(n) for n in m)] = True
    shifts = np.array([s for s in product(range(-9, 10), repeat=len(m)) if any(s)])
    extent = np.max(np.abs(points.reshape(len(points), -1)), axis=0)
    distances = np.maximum(2.0 * borders * np.abs(shifts) - 2.0 * extent, 0.0)
    images = getattr(covariances, kind)(distances, np.zeros((1, len(m))), 1.4, length)
    return float(np.sum(squares[~kept])), float(np.sum(images))


@pytest.mark.parametrize("kind", KINDS)
def test_more_functions_come_closer_to_the_exact_process(kind: str) -> None:
    tails = []
    for m in (5, 20, 80, 1280):
        tail, images = bound(kind, (m,), (400_000,), X, (4.0,), 0.6)
        assert error(kind, m, X, 4.0, 0.6) <= tail + images + 1e-13
        tails.append(tail)
    # So that the bounds say something: less than a hundredth of the variance.
    assert tails[-1] + images < 0.01 * 1.4**2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0.5, np.array([0.7, 0.4])])
def test_in_the_plane_functions_are_products(kind: str, length: object) -> None:
    borders = (4.0, 3.0)
    for m in ((10, 8), (40, 30), (60, 70)):
        tail, images = bound(kind, m, (1500, 1500), PLANE, borders, length)
        # What is beyond the functions counted falls as their number's power 2 nu does.
        order = {"exp_quad": np.inf, "matern12": 0.5, "matern32": 1.5, "matern52": 2.5}[kind]
        beyond = tail * (min(m) / 1500.0) ** (2.0 * order) * 2.0
        assert error(kind, m, PLANE, np.array(borders), length) <= tail + beyond + images + 1e-13
    assert tail + images < 0.25 * 1.4**2


def test_functions_are_those_of_the_papers() -> None:
    """Riutort-Mayol et al. (2022), equations 5 and 6; the last coordinate's number runs fastest."""
    boundary = np.array([1.5, 2.0])
    found = hilbert.basis(PLANE, boundary, (2, 3))

    def function(j: int, x: np.ndarray, border: float) -> np.ndarray:
        return np.sqrt(1.0 / border) * np.sin(j * np.pi / (2.0 * border) * (x + border))

    columns = [
        function(j, PLANE[:, 0], 1.5) * function(k, PLANE[:, 1], 2.0) for j in (1, 2) for k in (1, 2, 3)
    ]  # fmt: skip
    np.testing.assert_allclose(found, np.stack(columns, axis=1), rtol=1e-12, atol=1e-15)
    frequency = np.pi / (2.0 * 2.0) * np.arange(1, 4)
    density = 1.4**2 * np.sqrt(2.0 * np.pi) * 0.6 * np.exp(-0.5 * (0.6 * frequency) ** 2)
    np.testing.assert_allclose(hilbert.exp_quad(2.0, 1.4, 0.6, 3) ** 2, density, rtol=1e-12)
    density = 1.4**2 * 12.0 * np.sqrt(3.0) / 0.6**3 * (3.0 / 0.6**2 + frequency**2) ** -2
    np.testing.assert_allclose(hilbert.matern32(2.0, 1.4, 0.6, 3) ** 2, density, rtol=1e-12)


def test_nothing_is_said_outside_the_box() -> None:
    found = hilbert.basis(np.array([-2.1, -2.0, 0.3, 2.0, 2.1]), 2.0, 3)
    assert np.isnan(found[[0, 4]]).all()
    np.testing.assert_allclose(found[[1, 3]], 0.0, atol=1e-15)
    assert np.isnan(hilbert.basis(np.array([[0.0, 3.0]]), np.array([1.0, 2.0]), 2)).all()
