"""The machine code of each elementwise primitive: one rule a primitive, on registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from exmc.compile.lower_gamma import gammaln, tetragamma
from exmc.compile.lower_text import FLAGS, Register, Writer

Rule = Callable[..., Register]
"""`rule(writer, *registers)`; registers are doubles or truths (i1), and so is the result."""

LOG_2 = 0.6931471805599453


def _instruction(name: str) -> Rule:
    def rule(w: Writer, *registers: Register) -> Register:
        names = ", ".join(w.real(r).name for r in registers)
        return w.value(f"{name} {FLAGS} double {names}")

    return rule


def _intrinsic(name: str) -> Rule:
    return lambda w, *registers: w.intrinsic(name, *(w.real(r) for r in registers))


def _function(name: str) -> Rule:
    return lambda w, *registers: w.call(name, *(w.real(r) for r in registers))


def _scipy(name: str) -> Rule:
    # cython_special's functions take a last argument that tells Cython not to look for overrides.
    return lambda w, *registers: w.call(f"exmc_{name}", *(w.real(r) for r in registers), extra="0")


def _comparison(name: str) -> Rule:
    def rule(w: Writer, a: Register, b: Register) -> Register:
        return w.value(f"fcmp {name} double {w.real(a).name}, {w.real(b).name}", "i1")

    return rule


def _logic(name: str) -> Rule:
    def rule(w: Writer, a: Register, b: Register) -> Register:
        return w.value(f"{name} i1 {w.truth(a).name}, {w.truth(b).name}", "i1")

    return rule


def _not(w: Writer, a: Register) -> Register:
    return w.value(f"xor i1 {w.truth(a).name}, true", "i1")


def select(w: Writer, condition: Register, a: Register, b: Register) -> Register:
    """`a` where `condition`, else `b`."""
    if a.kind == b.kind == "i1":
        return w.value(f"select i1 {condition.name}, i1 {a.name}, i1 {b.name}", "i1")
    return w.value(f"select i1 {condition.name}, double {w.real(a).name}, double {w.real(b).name}")


def _where(w: Writer, condition: Register, a: Register, b: Register) -> Register:
    return select(w, w.truth(condition), a, b)


def _isnan(w: Writer, x: Register) -> Register:
    return w.value(f"fcmp uno double {w.real(x).name}, 0.0", "i1")


def _isinf(w: Writer, x: Register) -> Register:
    return w.value(f"fcmp oeq double {w.intrinsic('fabs', w.real(x)).name}, 0x7FF0000000000000", "i1")


def _isfinite(w: Writer, x: Register) -> Register:
    return w.value(f"fcmp olt double {w.intrinsic('fabs', w.real(x)).name}, 0x7FF0000000000000", "i1")


def _sign(w: Writer, x: Register) -> Register:
    x = w.real(x)
    one = w.intrinsic("copysign", w.number(1.0), x)
    # 0 and NaN are their own signs.
    return select(w, w.value(f"fcmp one double {x.name}, 0.0", "i1"), one, x)


def _opposite(w: Writer, remainder: Register, divisor: Register) -> Register:
    """Whether a remainder that is not 0 has another sign than the divisor."""
    sign = w.intrinsic("copysign", w.number(1.0), divisor)
    return w.value(f"fcmp olt double {w.value(f'fmul double {remainder.name}, {sign.name}').name}, 0.0", "i1")


def _mod(w: Writer, x: Register, y: Register) -> Register:
    """Python's remainder: the sign of the divisor."""
    x, y = w.real(x), w.real(y)
    remainder = w.call("fmod", x, y)
    shifted = w.value(f"fadd double {remainder.name}, {y.name}")
    return select(w, _opposite(w, remainder, y), shifted, remainder)


def _floor_divide(w: Writer, x: Register, y: Register) -> Register:
    x, y = w.real(x), w.real(y)
    remainder = w.call("fmod", x, y)
    exact = w.value(f"fdiv double {w.value(f'fsub double {x.name}, {remainder.name}').name}, {y.name}")
    lower = w.value(f"fsub double {exact.name}, {w.number(1.0).name}")
    # The quotient is an integer up to rounding.
    quotient = w.intrinsic("rint", select(w, _opposite(w, remainder, y), lower, exact))
    by_zero = w.value(f"fcmp oeq double {y.name}, 0.0", "i1")
    return select(w, by_zero, w.value(f"fdiv double {x.name}, {y.name}"), quotient)


def _minus(w: Writer, x: Register) -> Register:
    return w.value(f"fneg double {x.name}")


def _exp_minus_abs(w: Writer, x: Register) -> Register:
    return w.call("exp", _minus(w, w.intrinsic("fabs", x)))


def _logaddexp(w: Writer, x: Register, y: Register) -> Register:
    x, y = w.real(x), w.real(y)
    tail = w.call("log1p_unit", _exp_minus_abs(w, w.value(f"fsub double {x.name}, {y.name}")))
    total = w.value(f"fadd double {w.intrinsic('maximum', x, y).name}, {tail.name}")
    # Two equal infinities have no difference.
    same = w.value(f"fcmp oeq double {x.name}, {y.name}", "i1")
    return select(w, same, w.value(f"fadd double {x.name}, {w.number(LOG_2).name}"), total)


def _softplus(w: Writer, x: Register) -> Register:
    x = w.real(x)
    tail = w.call("log1p_unit", _exp_minus_abs(w, x))
    return w.value(f"fadd double {w.intrinsic('maximum', x, w.number(0.0)).name}, {tail.name}")


def _log_expit(w: Writer, x: Register) -> Register:
    return _minus(w, _softplus(w, _minus(w, w.real(x))))


def _expit(w: Writer, x: Register) -> Register:
    x = w.real(x)
    small = _exp_minus_abs(w, x)
    positive = w.value(f"fcmp oge double {x.name}, 0.0", "i1")
    numerator = select(w, positive, w.number(1.0), small)
    denominator = w.value(f"fadd double {small.name}, {w.number(1.0).name}")
    return w.value(f"fdiv double {numerator.name}, {denominator.name}")


def _logit(w: Writer, x: Register) -> Register:
    x = w.real(x)
    one = w.number(1.0)
    rest = w.value(f"fsub double {one.name}, {x.name}")
    plain = w.call("log", w.value(f"fdiv double {x.name}, {rest.name}"))
    # Near 1/2 the quotient is near 1 and its logarithm cancels; there it is 2 artanh(2 x - 1).
    centred = w.value(f"fsub double {x.name}, {w.number(0.5).name}")
    double = w.value(f"fadd double {centred.name}, {centred.name}")
    near = w.value(f"fcmp olt double {w.intrinsic('fabs', centred).name}, {w.number(0.15).name}", "i1")
    plus, minus = w.call("log1p", double), w.call("log1p", _minus(w, double))
    return select(w, near, w.value(f"fsub double {plus.name}, {minus.name}"), plain)


def _times_log(name: str) -> Rule:
    def rule(w: Writer, x: Register, y: Register) -> Register:
        x, y = w.real(x), w.real(y)
        product = w.value(f"fmul double {x.name}, {w.call(name, y).name}")
        zero = w.value(f"fcmp oeq double {x.name}, 0.0", "i1")
        number = w.value(f"fcmp ord double {y.name}, 0.0", "i1")
        both = w.value(f"and i1 {zero.name}, {number.name}", "i1")
        return select(w, both, w.number(0.0), product)

    return rule


def _xdivy(w: Writer, x: Register, y: Register) -> Register:
    x, y = w.real(x), w.real(y)
    quotient = w.value(f"fdiv double {x.name}, {y.name}")
    return select(w, w.value(f"fcmp oeq double {x.name}, 0.0", "i1"), w.number(0.0), quotient)


def _log1mexp(w: Writer, x: Register) -> Register:
    x = w.real(x)
    near = w.value(f"fcmp ogt double {x.name}, {w.number(-LOG_2).name}", "i1")
    low = w.call("log", _minus(w, w.call("expm1", x)))
    high = w.call("log1p", _minus(w, w.call("exp", x)))
    return select(w, near, low, high)


def _identity(w: Writer, x: Register) -> Register:
    return x


def _trunc(w: Writer, x: Register) -> Register:
    return w.intrinsic("trunc", w.real(x))


_LIBM = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "hypot"),
)
_SAME = {name: name for name in _LIBM} | {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "arctan2": "atan2",
    "power": "pow",
}
_SCIPY = ["digamma", "erf", "erfc", "erfcx", "ndtr", "log_ndtr", "gammainc", "gammaincc", "betainc", "stdtr"]
_SCIPY += ["ndtri", "erfinv", "i0e", "i1e"]

ELEMENTWISE: Mapping[str, Rule] = MappingProxyType(
    {
        "add": _instruction("fadd"),
        "subtract": _instruction("fsub"),
        "multiply": _instruction("fmul"),
        "divide": _instruction("fdiv"),
        "negative": lambda w, x: _minus(w, w.real(x)),
        "mod": _mod,
        "floor_divide": _floor_divide,
        "maximum": _intrinsic("maximum"),
        "minimum": _intrinsic("minimum"),
        "fmax": _intrinsic("maxnum"),
        "fmin": _intrinsic("minnum"),
        "logaddexp": _logaddexp,
        "absolute": _intrinsic("fabs"),
        "copysign": _intrinsic("copysign"),
        "sign": _sign,
        "floor": _intrinsic("floor"),
        "ceil": _intrinsic("ceil"),
        "trunc": _trunc,
        "rint": _intrinsic("rint"),
        "sqrt": _intrinsic("sqrt"),
        "less": _comparison("olt"),
        "less_equal": _comparison("ole"),
        "greater": _comparison("ogt"),
        "greater_equal": _comparison("oge"),
        "equal": _comparison("oeq"),
        "not_equal": _comparison("une"),
        "logical_and": _logic("and"),
        "logical_or": _logic("or"),
        "logical_xor": _logic("xor"),
        "logical_not": _not,
        "isnan": _isnan,
        "isinf": _isinf,
        "isfinite": _isfinite,
        "where": _where,
        "to_float": _identity,
        "to_integer": _trunc,
        "to_boolean": lambda w, x: w.truth(x),
        "broadcast": _identity,
        "reshape": _identity,
        "transpose": _identity,
        "slice": _identity,
        "softplus": _softplus,
        "log_expit": _log_expit,
        "expit": _expit,
        "logit": _logit,
        "xlogy": _times_log("log"),
        "xlog1py": _times_log("log1p"),
        "xdivy": _xdivy,
        "log1mexp": _log1mexp,
        "select": _where,
        "trigamma": _function("exmc_trigamma"),
        "tetragamma": tetragamma,
        "gammaln": gammaln,
        **{name: _function(symbol) for name, symbol in _SAME.items()},
        **{name: _scipy(name) for name in _SCIPY},
    }
)
"""Every elementwise primitive's machine code."""
