"""Writes special_references.json: special functions at extreme arguments by mpmath, to more digits than a double has.

Run as ``python -m tests.conformance.make_special_references`` where mpmath 1.4 is installed; no test needs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mp

PATH = Path(__file__).with_name("special_references.json")
DIGITS = 50

# fmt: off
POSITIVES = [
    5e-324, 1e-310, 1e-300, 1e-100, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.9, 1.0 - 1e-9, 1.0, 1.0 + 1e-9, 1.1, 1.46163,
    1.5, 2.0 - 1e-9, 2.0, 2.1, 3.0, 4.5, 7.99, 8.0, 11.9, 12.1, 20.0, 33.3, 100.0, 171.7, 1e3, 1e6, 1e10, 1e20,
    1e100, 1e300
]
TAILS = [
    -1e8, -1e4, -300.0, -40.0, -38.4, -37.5, -26.6, -10.0, -5.0, -3.0, -1.0, -0.7, -0.1, -1e-5, -1e-12, -1e-300,
    0.0, 1e-300, 1e-12, 1e-5, 0.1, 0.4769, 0.7, 1.0, 2.0, 3.0, 5.0, 6.0, 8.3, 10.0, 26.6, 38.0
]
UNITS = [
    1e-300, 1e-100, 1e-20, 1e-12, 1e-6, 1e-3, 0.02, 0.1, 0.3, 0.35, 0.4, 0.499, 0.5, 0.501, 0.6, 0.65, 0.7, 0.9,
    0.98, 0.999, 1.0 - 1e-6, 1.0 - 1e-12, 1.0 - 2.0**-53
]
EXPONENTS = [
    -745.0, -700.0, -100.0, -40.0, -37.0, -20.0, -5.0, -1.0, -0.7, -0.69, -0.3, -1e-3, -1e-8, -1e-17, -1e-300,
    0.0, 1e-300, 1e-17, 1e-8, 1e-3, 0.3, 0.69, 0.7, 1.0, 5.0, 20.0, 37.0, 40.0, 100.0, 700.0
]
POLES = [-0.5, -1.5, -2.3, -3.7, -10.1, -0.001, -20.9]
# fmt: on

_RANDOM = np.random.default_rng(0)
DENSE = [float(x) for x in _RANDOM.uniform(-3.0, 3.0, 100)]
DENSE_POSITIVES = [float(x) for x in np.concatenate([_RANDOM.uniform(0.01, 12.0, 90), _RANDOM.uniform(12.0, 60.0, 30)])]

Argument = tuple[float, ...]


def _ndtr(x: mpmath.mpf) -> mpmath.mpf:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _betaln(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def _stdtr(nu: mpmath.mpf, t: mpmath.mpf) -> mpmath.mpf:
    tail = mp.betainc(nu / 2, mp.mpf(1) / 2, 0, nu / (nu + t * t), regularized=True) / 2
    return tail if t < 0 else 1 - tail


def _ndtri(p: mpmath.mpf) -> mpmath.mpf:
    with mp.workdps(400):
        return mp.sqrt(2) * mp.erfinv(2 * p - 1)


def _precisely(function: Callable[..., mpmath.mpf], digits: int) -> Callable[..., mpmath.mpf]:
    def evaluate(*arguments: mpmath.mpf) -> mpmath.mpf:
        with mp.workdps(digits):
            return function(*arguments)

    return evaluate


def _one(values: list[float]) -> list[Argument]:
    return [(x,) for x in values]


def _grid(*axes: list[float]) -> list[Argument]:
    return [tuple(float(v) for v in point) for point in np.stack(np.meshgrid(*axes), -1).reshape(-1, len(axes))]


SHAPES = [1e-3, 0.5, 1.0, 3.7, 30.0, 800.0]
ROWS: dict[str, tuple[Callable[..., mpmath.mpf], list[Argument]]] = {
    "exp": (mp.exp, _one([*EXPONENTS, *DENSE])),
    "expm1": (mp.expm1, _one([*EXPONENTS, *DENSE])),
    "tanh": (mp.tanh, _one([*EXPONENTS, *DENSE])),
    "log": (mp.log, _one([*POSITIVES, *DENSE_POSITIVES])),
    "log1p": (mp.log1p, _one([*POSITIVES, *(-u for u in UNITS), *(x for x in DENSE if x > -1.0)])),
    "xlogy": (lambda x, y: x * mp.log(y), _grid([-3.0, 1e-300, 7.0], POSITIVES)),
    "xlog1py": (lambda x, y: x * mp.log1p(y), _grid([-3.0, 1e-300, 7.0], [*POSITIVES, *(-u for u in UNITS)])),
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), _one([*EXPONENTS, *DENSE])),
    "logit": (lambda x: mp.log(x) - mp.log1p(-x), _one(UNITS)),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), _one([*EXPONENTS, *DENSE])),
    "log_expit": (lambda x: -mp.log1p(mp.exp(-x)), _one(EXPONENTS)),
    "log1mexp": (_precisely(lambda x: mp.log(-mp.expm1(x)), 400), _one([x for x in EXPONENTS if x < 0.0])),
    "gammaln": (lambda x: mp.re(mp.loggamma(x)), _one([*POSITIVES, *POLES, *DENSE_POSITIVES])),
    "digamma": (lambda x: mp.psi(0, x), _one([*POSITIVES, *POLES, *DENSE_POSITIVES])),
    "trigamma": (lambda x: mp.psi(1, x), _one([x for x in POSITIVES if x > 1e-150] + POLES)),
    "tetragamma": (lambda x: mp.psi(2, x), _one([x for x in POSITIVES if x > 1e-100 and x < 1e150])),
    "betaln": (
        _precisely(_betaln, 120),
        _grid([1e-8, 0.3, 1.0, 2.5, 30.0, 1e3, 1e6, 1e10], [1e-4, 0.5, 1.0, 7.0, 300.0]),
    ),
    "gammainc": (
        lambda a, x: mp.gammainc(a, 0, x, regularized=True),
        _grid(SHAPES, [1e-8, 0.1, 1.0, 5.0, 31.0, 790.0, 900.0]),
    ),
    "gammaincc": (
        lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True),
        _grid(SHAPES, [1e-8, 0.1, 1.0, 5.0, 31.0, 600.0]),
    ),
    "betainc": (
        lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
        _grid([0.5, 1.0, 3.7, 80.0], [0.5, 2.0, 40.0], [1e-9, 0.01, 0.5, 0.9, 1.0 - 1e-9]),
    ),
    "erf": (mp.erf, _one(TAILS)),
    "erfc": (mp.erfc, _one([x for x in TAILS if x < 26.7])),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), _one([x for x in TAILS if x > -26.7])),
    "ndtr": (_ndtr, _one([x for x in TAILS if x > -38.0])),
    "log_ndtr": (_precisely(lambda x: mp.log(_ndtr(x)), 400), _one([x for x in TAILS if x < 37.0])),
    "ndtri": (_ndtri, _one(UNITS)),
    "erfinv": (mp.erfinv, _one([*UNITS, *(-u for u in UNITS)])),
    "stdtr": (_stdtr, _grid([0.7, 3.0, 30.0, 1e4], [-1e6, -40.0, -3.0, -0.1, 1e-9, 2.0, 100.0])),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), _one([x for x in TAILS if abs(x) < 1e5])),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), _one([x for x in TAILS if abs(x) < 1e5])),
}
"""By name: the function, and where. Arguments are doubles, exact as they are."""


def references(name: str) -> Iterator[list[str]]:
    """Arguments, then the nearest double of the result and the rest, in hexadecimal."""
    function, points = ROWS[name]
    for point in points:
        with mp.workdps(DIGITS):
            exact = function(*(mp.mpf(x) for x in point))
            nearest = float(exact)
            if np.isfinite(nearest):
                yield [*(x.hex() for x in point), nearest.hex(), float(exact - nearest).hex()]


if __name__ == "__main__":
    rows = [f'"{name}": {json.dumps(list(references(name)), separators=(",", ":"))}' for name in ROWS]
    PATH.write_text("{\n" + ",\n".join(rows) + "\n}\n")
