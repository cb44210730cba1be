"""Functions of matrices: numpy's where there is a factor or inverse, and no exception where there is none."""

from __future__ import annotations

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from exmc import linalg

_RANDOM = np.random.default_rng(0)
ROOT = _RANDOM.normal(size=(4, 4))
MATRIX = ROOT @ ROOT.T + np.eye(4)
SIDES = _RANDOM.normal(size=(4, 2))


def test_values_are_numpys() -> None:
    lower = np.linalg.cholesky(MATRIX)
    np.testing.assert_allclose(linalg.cholesky(MATRIX), lower, rtol=1e-13)
    np.testing.assert_allclose(linalg.logdet(MATRIX), np.linalg.slogdet(MATRIX)[1], rtol=1e-13)
    np.testing.assert_allclose(linalg.inverse_posdef(MATRIX), np.linalg.inv(MATRIX), rtol=1e-11)
    for right in (SIDES, SIDES[:, 0]):
        np.testing.assert_allclose(linalg.solve_posdef(MATRIX, right), np.linalg.solve(MATRIX, right), rtol=1e-11)
        np.testing.assert_allclose(linalg.solve_triangular(lower, right), np.linalg.solve(lower, right), rtol=1e-11)
        norms = np.einsum("i...,i...->...", right, np.linalg.solve(MATRIX, right))
        np.testing.assert_allclose(linalg.squared_norm(MATRIX, right), norms, rtol=1e-11)
        transposed = linalg.solve_triangular(lower, right, True)
        np.testing.assert_allclose(transposed, np.linalg.solve(lower.T, right), rtol=1e-11)


@pytest.mark.parametrize("matrix", [-MATRIX, MATRIX * np.nan, MATRIX * np.inf, MATRIX - 100 * np.eye(4)])
def test_without_a_factor_a_normal_log_density_is_minus_infinity(matrix: np.ndarray) -> None:
    np.testing.assert_array_equal(linalg.cholesky(matrix), np.diag([np.inf] * 4))
    right = SIDES[:, 0]
    quadratic = right @ linalg.solve_posdef(matrix, right)
    assert -0.5 * quadratic - 0.5 * linalg.logdet(matrix) == -np.inf
    assert -0.5 * linalg.squared_norm(matrix, right) - 0.5 * linalg.logdet(matrix) == -np.inf
    np.testing.assert_array_equal(linalg.inverse_posdef(matrix), np.zeros((4, 4)))


def test_a_general_inverse_is_numpys_or_nothing() -> None:
    np.testing.assert_allclose(linalg.inverse(ROOT), np.linalg.inv(ROOT), rtol=1e-12)
    for matrix in (np.outer(ROOT[0], ROOT[1]) * 0.0, ROOT * np.nan, ROOT * np.inf, np.diag([1.0, 0.0, 2.0, 1.0])):
        assert np.isnan(linalg.inverse(matrix)).all()


FUNCTIONS = {
    "general inverse of a sum": lambda m: linalg.inverse(m + ROOT),
    "cholesky": lambda m: linalg.cholesky(m),
    "logdet": lambda m: linalg.logdet(m),
    "inverse": lambda m: linalg.inverse_posdef(m),
    "solve": lambda m: linalg.solve_posdef(m, SIDES),
    "solve vector": lambda m: linalg.solve_posdef(m, m[0]),
    "norm": lambda m: linalg.squared_norm(m, m[0]),
    "norms": lambda m: linalg.squared_norm(m, m[:2].T),
    "norms of stack": lambda m: linalg.squared_norm(anp.array([m, m + anp.diag(m[0] ** 2)]), m[None, 1]),
    "norms of stack, columns": lambda m: linalg.squared_norm(anp.array([m, 2.0 * m]), m[None, :, :3]),
    "triangular": lambda m: linalg.solve_triangular(anp.tril(m), m[:2].T),
    "triangular transposed": lambda m: linalg.solve_triangular(anp.tril(m), m[1], True),
    "general solve": lambda m: linalg.solve(m[::-1], m[1]),
    "general solve transposed": lambda m: linalg.solve(m[::-1], SIDES, True),
    "general inverse": lambda m: linalg.inverse(m[::-1]),
    "determinant": lambda m: linalg.determinant(m[::-1]),
    "logabsdet of stack": lambda m: linalg.logabsdet(anp.array([m, m[::-1]])),
    "stack by one": lambda m: linalg.solve(anp.array([m, m[::-1]]), m[None, 1]),
    "one by stack": lambda m: linalg.solve_posdef(m, anp.array([m[:2].T, SIDES])),
    "cholesky of stack": lambda m: linalg.cholesky(anp.array([m, m + anp.diag(m[0])])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_equal_differences(name: str) -> None:
    directions = _RANDOM.normal(size=(3, 4, 4))

    def scalar(t):
        moved = MATRIX + sum(s * (d + d.T) for s, d in zip(t, directions, strict=True))
        value = FUNCTIONS[name](moved)
        return anp.sum(anp.cos(1.0 + np.arange(np.size(value)).reshape(np.shape(value))) * value)

    found = autograd.grad(lambda t: scalar([t[0], t[1], t[2]]))(np.zeros(3))
    step = 1e-4
    for k in range(3):
        a, b, c, d = (float(scalar(n * step * np.eye(3)[k])) for n in (-2, -1, 1, 2))
        assert found[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=1e-7, abs=1e-8)


STACK = np.stack([MATRIX, ROOT[::-1], 2.0 * MATRIX]).reshape(3, 1, 4, 4)


def test_general_functions_are_numpys_on_stacks() -> None:
    np.testing.assert_allclose(linalg.inverse(STACK), np.linalg.inv(STACK), rtol=1e-10)
    sign, logarithm = np.linalg.slogdet(STACK)
    np.testing.assert_array_equal(linalg.determinant_sign(STACK), sign)
    np.testing.assert_allclose(linalg.logabsdet(STACK), logarithm, rtol=1e-12)
    np.testing.assert_allclose(linalg.solve(STACK, SIDES[None, None]), np.linalg.solve(STACK, SIDES), rtol=1e-10)
    vectors = np.broadcast_to(SIDES[:, 0], (3, 2, 4))
    expected = np.linalg.solve(STACK, vectors[..., None])[..., 0]
    np.testing.assert_allclose(linalg.solve(STACK, vectors), expected, rtol=1e-10)
    transposed = np.linalg.solve(np.swapaxes(STACK, -1, -2), SIDES)
    np.testing.assert_allclose(linalg.solve(STACK, SIDES[None, None], True), transposed, rtol=1e-10)


def test_a_singular_matrix_has_no_solution_and_no_exception() -> None:
    singular = np.outer([1.0, 2.0], [1.0, 0.0])
    assert linalg.logabsdet(singular) == -np.inf
    assert linalg.determinant_sign(singular) == 0.0
    assert np.all(np.isnan(linalg.solve(singular, np.ones(2))))
    assert np.all(np.isnan(linalg.inverse(np.full((2, 2), np.inf))))


def test_empty_matrices_and_stacks() -> None:
    assert linalg.logabsdet(np.zeros((0, 0))) == 0.0
    assert linalg.determinant_sign(np.zeros((0, 0))) == 1.0
    assert linalg.cholesky(np.zeros((0, 0))).shape == (0, 0)
    assert linalg.solve(np.zeros((0, 2, 2)), np.zeros((0, 2))).shape == (0, 2)
    assert linalg.inverse_posdef(np.zeros((0, 2, 2))).shape == (0, 2, 2)
