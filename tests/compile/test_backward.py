"""What autograd lacks, gets wrong or makes dangerous, each through the compiler, away from where it was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from exmc import linalg, logspace, special
from exmc.compile.kernel import Kernel, compile_density
from exmc.compile.record import record

WEIGHTS = np.array([0.5, -1.0, 2.0, 0.3])
PICKED = np.array([3, 0, 0, 2])
TRUTHS = np.array([[True], [False], [True]])


def _square(x: Any) -> Any:
    return anp.reshape(x, (2, 2)) + 3.0 * np.eye(2)


def _definite(x: Any) -> Any:
    return anp.dot(_square(x), _square(x).T)


# autograd 1.9.1 has no derivative of these.
MISSING: dict[str, Callable[[Any], Any]] = {
    "cumprod": lambda x: anp.sum(WEIGHTS * anp.cumprod(x)),
    "flip": lambda x: anp.sum(anp.flip(x) * anp.exp(x)),
    "take": lambda x: anp.sum(anp.take(x, PICKED) * x),
    "take_along_axis": lambda x: anp.sum(anp.take_along_axis(x, PICKED, 0) * x),
    "vdot": lambda x: anp.vdot(x, anp.exp(x)),
    "median": lambda x: anp.median(x * WEIGHTS),
    "ptp": lambda x: anp.ptp(x * WEIGHTS),
    "nansum": lambda x: anp.nansum(anp.where(WEIGHTS > 0, anp.exp(x), np.nan)),
    "convolve": lambda x: anp.sum(anp.convolve(x, WEIGHTS) ** 2),
    "float_power": lambda x: anp.sum(anp.float_power(anp.exp(x), 1.5)),
    "copysign": lambda x: anp.sum(anp.copysign(anp.exp(x), -WEIGHTS)),
    "copy": lambda x: anp.sum(anp.copy(x) ** 2),
}
# Its derivatives of these are wrong or fail.
BROKEN: dict[str, Callable[[Any], Any]] = {
    "diagonal": lambda x: anp.sum(anp.diagonal(anp.outer(x, anp.exp(x))) * WEIGHTS),
    "broadcast_to new axes": lambda x: anp.sum(anp.broadcast_to(x, (3, 4)) ** 2 * np.arange(3.0)[:, None]),
    "sort": lambda x: anp.sum(anp.sort(x) * WEIGHTS),
    "where broadcasts": lambda x: anp.sum(anp.where(TRUTHS, x, x[0]) ** 2),
    "where of a number": lambda x: anp.sum(anp.where(anp.floor(x), x, x[:1]) ** 2),
    "full_like": lambda x: anp.sum(anp.full_like(WEIGHTS, x[0]) * x),
    "trace of einsum": lambda x: anp.einsum("ii", _square(x) ** 2),
    "outer of matrices": lambda x: anp.sum(anp.outer(_square(x), x) ** 2),
    "prod of a zero": lambda x: (
        anp.prod(anp.where(WEIGHTS == 2.0, 0.0, x) + anp.where(WEIGHTS == 2.0, x - x[2], 0.0)) + x[0]
    ),
    "slogdet": lambda x: anp.linalg.slogdet(_square(x))[1],
    "split": lambda x: anp.sum(anp.split(x, 2)[1] ** 2),
}
# It adds these in place, into a constant: the recorded point would stay in the tape.
IN_PLACE: dict[str, Callable[[Any], Any]] = {
    "Cauchy": lambda x: -anp.sum(anp.log1p((x / 2.0) ** 2)),
    "half-normal": lambda x: -0.5 * anp.exp(2.0 * x[0]) + x[0] - 0.5 * anp.sum((x[1:] / anp.exp(x[0])) ** 2),
    "ordered": lambda x: -anp.sum(anp.concatenate([x[:1], x[0] + anp.cumsum(anp.exp(x[1:]))]) ** 2),
    "reversed slices": lambda x: anp.sum(x[::-1] * anp.exp(x)) + anp.sum(x[::-2] ** 2),
    "untake": lambda x: anp.sum(x[PICKED] * anp.exp(x[PICKED])) + x[1] ** 2,
}
# It has no wrapper of these.
UNWRAPPED: dict[str, Callable[[Any], Any]] = {
    name: lambda x, f=f: anp.sum(f(x))
    for name, f in {
        "ndtr": special.ndtr,
        "log_ndtr": special.log_ndtr,
        "ndtri": lambda x: special.ndtri(special.expit(x)),
        "erfinv": lambda x: special.erfinv(anp.tanh(x)),
        "xlogy": lambda x: special.xlogy(WEIGHTS, anp.exp(x)),
        "xlog1py": lambda x: special.xlog1py(WEIGHTS, anp.exp(x)),
        "i0e": special.i0e,
        "i1e": special.i1e,
        "softplus": special.softplus,
        "log_expit": special.log_expit,
        "erfcx": special.erfcx,
        "log1mexp": lambda x: special.log1mexp(-anp.exp(x)),
        "log_softmax": lambda x: logspace.log_softmax(x) * WEIGHTS,
        "softmax": lambda x: logspace.softmax(x) * WEIGHTS,
        "logdiffexp": lambda x: logspace.logdiffexp(x + 5.0, WEIGHTS),
        "betaln": lambda x: special.betaln(anp.exp(x), 2.5),
        "gammainc": lambda x: special.gammainc(2.5, anp.exp(x)),
        "betainc": lambda x: special.betainc(2.5, 1.5, special.expit(x)),
        "solve_triangular": lambda x: linalg.solve_triangular(anp.tril(_square(x)), x[:2]),
        "logdet": lambda x: linalg.logdet(_definite(x)),
    }.items()
}
GAPS = {**MISSING, **BROKEN, **IN_PLACE, **UNWRAPPED}


@pytest.mark.parametrize("name", GAPS)
def test_machine_code_has_the_derivative(name: str, tmp_path: Path) -> None:
    function = GAPS[name]
    kernel = compile_density(function, 4, cache=tmp_path)
    assert isinstance(kernel, Kernel)
    density, step = kernel.load(), 1e-3
    generator = np.random.default_rng(2)
    for _ in range(3):
        # Spread, lest a difference change an order.
        position = generator.permutation(np.array([-1.1, -0.3, 0.4, 1.3])) + generator.uniform(-0.1, 0.1, 4)
        value, gradient = density(position)
        assert value == pytest.approx(float(function(position)), rel=1e-12)
        for k in range(4):
            shift = step * np.eye(4)[k]
            a, b, c, d = (float(function(position + n * shift)) for n in (-2, -1, 1, 2))
            assert gradient[k] == pytest.approx((a - 8 * b + 8 * c - d) / (12 * step), rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", ["cumprod", "flip", "vdot", "median", "copysign"])
def test_autograd_still_has_the_gap(name: str) -> None:
    """When this fails, a derivative of ours may go."""
    with pytest.raises(NotImplementedError, match="VJP"):
        grad(MISSING[name])(np.array([0.1, 0.2, 0.3, 0.4]))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("gammainc", lambda x: special.gammainc(anp.exp(x[0]), 2.0)),
        ("gammaincc", lambda x: special.gammaincc(anp.exp(x[0]), 2.0)),
        ("betainc", lambda x: special.betainc(anp.exp(x[0]), 1.0, 0.3)),
        ("stdtr", lambda x: special.stdtr(anp.exp(x[0]), 0.3)),
    ],
)
def test_a_shape_without_derivative_is_named(name: str, function: Callable[[Any], Any]) -> None:
    with pytest.raises(Exception, match=f"{name} has no derivative with respect to its shape argument"):
        record(function, 1, gradient=True)
    # Its value has machine code all the same.
    assert record(lambda x: (function(x),), 1, gradient=False).outputs


def test_a_failed_factorisation_is_minus_infinity_and_no_exception(tmp_path: Path) -> None:
    """Recorded where a factor exists, evaluated where there is none."""

    def density(x: Any) -> Any:
        covariance = anp.array([[1.0, 0.0], [0.0, 1.0]]) * x[0]
        residual = x[1:3]
        return -0.5 * anp.dot(residual, linalg.solve_posdef(covariance, residual)) - 0.5 * linalg.logdet(covariance)

    kernel = compile_density(lambda x: density(anp.exp(x)), 3, cache=tmp_path)
    assert kernel.load()(np.array([-800.0, 0.0, 0.0]))[0] == -np.inf
    general = compile_density(
        lambda x: linalg.logabsdet(anp.outer(x[:2], anp.array([1.0, 0.0])) * x[2]), 3, cache=tmp_path
    )
    assert general.load()(np.ones(3))[0] == -np.inf


def test_an_order_of_equal_elements_is_numpys(tmp_path: Path) -> None:
    density = compile_density(lambda x: anp.sum(anp.sort(x) * WEIGHTS), 4, cache=tmp_path).load()
    value, gradient = density(np.array([1.0, 0.0, 1.0, 0.0]))
    assert value == pytest.approx(2.0 + 0.3)
    # The sorted places of x: the first zero first, the first one third.
    np.testing.assert_allclose(gradient, [2.0, 0.5, 0.3, -1.0])
