"""Products as einsum specifications: against einsum itself."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest

from exmc.compile.contraction import contraction_plan

_RANDOM = np.random.default_rng(2)


def _array(*shape: int) -> np.ndarray:
    return _RANDOM.normal(size=shape)


CALLS = [
    (anp.einsum, ["...a,...a->..."], (_array(4, 2, 3), _array(2, 3)), {}),
    (anp.einsum, ["ab, bc"], (_array(2, 3), _array(3, 4)), {}),
    (anp.einsum, ["ba"], (_array(2, 3),), {}),
    (anp.einsum, ["...ij->...ji"], (_array(4, 2, 3),), {}),
    (anp.einsum, ["ij,jk,kl"], (_array(2, 3), _array(1, 4), _array(4, 2)), {}),
    (anp.matmul, [], (_array(2, 1, 3, 4), _array(5, 4, 2)), {}),
    (anp.matmul, [], (_array(4), _array(5, 4, 2)), {}),
    (anp.matmul, [], (_array(5, 2, 4), _array(4)), {}),
    (anp.matmul, [], (_array(2, 4), _array(5, 4, 3)), {}),
    (anp.dot, [], (_array(2, 3, 4), _array(5, 4, 2)), {}),
    (anp.dot, [], (np.float64(2.0), _array(2, 3)), {}),
    (anp.inner, [], (_array(2, 3), _array(4, 3)), {}),
    (anp.tensordot, [], (_array(2, 3, 4), _array(4, 3)), {"axes": ([1, 2], [1, 0])}),
    (anp.outer, [], (_array(2), _array(3)), {}),
]


@pytest.mark.parametrize(("function", "text", "arrays", "keywords"), CALLS)
def test_a_product_is_the_einsum_of_its_plan(function, text, arrays, keywords) -> None:
    plan = contraction_plan(function, [np.shape(a) for a in arrays], text, keywords)
    assert plan is not None
    entered = [np.reshape(a, shape) for a, shape in zip(arrays, plan.shapes, strict=True)]
    # Sums of up to 24 products of order 1.
    expected = function.fun(*text, *arrays, **keywords)
    np.testing.assert_allclose(np.einsum(plan.spec, *entered), expected, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize(
    ("function", "text", "shapes", "keywords"),
    [
        (anp.einsum, ["ab->ac"], [(2, 3)], {}),
        (anp.einsum, ["ab->aa"], [(2, 3)], {}),
        (anp.einsum, ["ab,b"], [(2, 3)], {}),
        (anp.einsum, ["abc->a"], [(2, 3)], {}),
        (anp.einsum, [], [(2,), (2,)], {}),
        (anp.outer, [], [(2, 2), (2,)], {}),
        (anp.dot, [], [(2,), (2,)], {"out": None}),
    ],
)
def test_what_is_no_product_has_no_plan(function, text, shapes, keywords) -> None:
    assert contraction_plan(function, shapes, text, keywords) is None
