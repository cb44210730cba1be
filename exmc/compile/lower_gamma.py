"""The machine code of functions of the gamma family, without branches, so that loops of them can be vectorised."""

from __future__ import annotations

import math

from exmc.compile.lower_text import Register, Writer

_SHIFTS = 12
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def _operate(w: Writer, operation: str, *operands: Register) -> Register:
    return w.value(f"{operation} double {', '.join(o.name for o in operands)}")


def _choose(w: Writer, condition: Register, a: Register, b: Register) -> Register:
    return w.value(f"select i1 {condition.name}, double {a.name}, double {b.name}")


def gammaln(w: Writer, argument: Register) -> Register:
    """scipy's, which is infinite below the normal range: there it is -log|x|."""
    x = w.real(argument)
    found = w.call("exmc_gammaln", x, extra="0")
    size = w.intrinsic("fabs", x)
    normal = w.value(f"fcmp uge double {size.name}, {w.number(2.0**-1022).name}", "i1")
    tiny = _operate(w, "fneg", w.call("log", size))
    return _choose(w, normal, found, tiny)


def tetragamma(w: Writer, argument: Register) -> Register:
    """The derivative of trigamma: shifted beyond 12, Abramowitz and Stegun 6.4.13 for n = 2, reflected (6.4.7)."""
    x = w.real(argument)
    one, two = w.number(1.0), w.number(2.0)
    negative = w.value(f"fcmp ole double {x.name}, 0.0", "i1")
    start = _choose(w, negative, _operate(w, "fsub", one, x), x)
    total, y = w.number(0.0), start
    for _ in range(_SHIFTS):
        small = w.value(f"fcmp olt double {y.name}, {w.number(float(_SHIFTS)).name}", "i1")
        cube = _operate(w, "fmul", y, _operate(w, "fmul", y, y))
        # An argument that is large enough counts as infinite here: its term is 0.
        term = _operate(w, "fdiv", two, _choose(w, small, cube, w.number(math.inf)))
        total = _operate(w, "fadd", total, term)
        y = _choose(w, small, _operate(w, "fadd", y, one), y)
    value = _operate(w, "fneg", _operate(w, "fadd", total, _series(w, y)))
    return _choose(w, negative, _operate(w, "fsub", value, _reflection(w, x)), value)


def _series(w: Writer, y: Register) -> Register:
    """1/y**2 + 1/y**3 + sum of B_2k (2k + 1) / y**(2k + 2)."""
    inverse = _operate(w, "fdiv", w.number(1.0), y)
    square = _operate(w, "fmul", inverse, inverse)
    tail = w.number(0.0)
    for k in range(len(_BERNOULLI), 0, -1):
        tail = _operate(w, "fadd", w.number(_BERNOULLI[k - 1] * (2 * k + 1)), _operate(w, "fmul", tail, square))
    tail = _operate(w, "fadd", w.number(1.0), _operate(w, "fadd", inverse, _operate(w, "fmul", tail, square)))
    return _operate(w, "fmul", square, tail)


def _reflection(w: Writer, x: Register) -> Register:
    """2 pi**3 cot(pi x) / sin(pi x)**2, infinite at integers."""
    nearest = w.intrinsic("rint", x)
    # Infinity less infinity is no number.
    whole = w.value(f"fcmp oeq double {x.name}, {nearest.name}", "i1")
    fraction = _choose(w, whole, w.number(0.0), _operate(w, "fsub", x, nearest))
    angle = _operate(w, "fmul", w.number(math.pi), fraction)
    sine, cosine = w.call("sin", angle), w.call("cos", angle)
    cube = _operate(w, "fmul", sine, _operate(w, "fmul", sine, sine))
    return _operate(w, "fmul", w.number(2.0 * math.pi**3), _operate(w, "fdiv", cosine, cube))
