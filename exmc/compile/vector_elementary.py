"""Exponentials and logarithms as LLVM IR; the latter follow fdlibm (Sun Microsystems 1993, e_log.c and s_log1p.c)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from exmc.compile.vector_text import bits_of, definition, hexadecimal, polynomial

_MAGIC = 6755399441055744.0
"""1.5 * 2**52: added to a number below 2**51, it leaves the nearest integer in the low bits."""

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LOG = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)

# (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2, by Remez exchange: the exponential's relative error is 2**-57.9.
_EXP_REST = (
    0.5000000000000011,
    0.16666666666666413,
    0.04166666666653016,
    0.008333333333494463,
    0.001388888894362984,
    0.00019841269506571107,
    2.480149309914401e-05,
    2.7557586382581075e-06,
    2.763024830872524e-07,
    2.5000058349050145e-08,
)

# (2 artanh(s) - 2 s) / s**3 as a function of s**2 for 0 <= s <= 1/3, likewise: relative error 2**-59.4.
_ARTANH_REST = (
    0.6666666666666631,
    0.40000000000155117,
    0.2857142854811812,
    0.22222223953638418,
    0.18181744479383255,
    0.1538654838562188,
    0.13301121476121194,
    0.12104944116949201,
    0.08344974974617508,
    0.17009750186693828,
)


def _reduced(lowest: float, magic: float) -> str:
    """%x between bounds, NaN left alone, as %n log(2) + %r; the low bits of %raw are those of %n beside `magic`'s."""
    return f"""
  %high = fcmp ogt double %x, {hexadecimal(710.0)}
  %below = select i1 %high, double {hexadecimal(710.0)}, double %x
  %low = fcmp olt double %below, {hexadecimal(lowest)}
  %y = select i1 %low, double {hexadecimal(lowest)}, double %below
  %scaled = fmul contract double %y, {hexadecimal(1.0 / math.log(2.0))}
  %shifted = fadd contract double %scaled, {hexadecimal(magic)}
  %n = fsub double %shifted, {hexadecimal(magic)}
  %nh = fmul contract double %n, {hexadecimal(_LN2_HIGH)}
  %rh = fsub contract double %y, %nh
  %nl = fmul contract double %n, {hexadecimal(_LN2_LOW)}
  %r = fsub contract double %rh, %nl
  %r2 = fmul double %r, %r
  %raw = bitcast double %shifted to i64
"""


# 2**n comes in two factors, so that results below the normal range round once. Twice the bias of an exponent stands in
# the low bits beside n; shifted to the place of an exponent, what is above them vanishes.
_EXP = f"""
{_reduced(-746.0, _MAGIC + 2046.0)}
{polynomial("%q", "%r", _EXP_REST)}
  %tail = fmul contract double %q0, %r2
  %sum = fadd contract double %tail, %r
  %p = fadd double %sum, 1.0
  %k1 = lshr i64 %raw, 1
  %k2 = sub i64 %raw, %k1
  %e1 = shl i64 %k1, 52
  %f1 = bitcast i64 %e1 to double
  %e2 = shl i64 %k2, 52
  %f2 = bitcast i64 %e2 to double
  %half = fmul double %p, %f1
  %result = fmul double %half, %f2
  ret double %result
"""

# The logarithm of %m * 2**%kd: %f is %m - 1, and %low is the low part of %kd log(2).
_LOG_TAIL = f"""
  %two = fadd double %f, 2.0
  %s = fdiv double %f, %two
  %z = fmul double %s, %s
{polynomial("%l", "%z", _LOG)}
  %R = fmul contract double %l0, %z
  %ff = fmul double %f, %f
  %hfsq = fmul double %ff, 0.5
  %hr = fadd contract double %hfsq, %R
  %shr = fmul contract double %s, %hr
  %inner = fadd contract double %shr, %low
  %outer = fsub double %hfsq, %inner
  %rest = fsub double %outer, %f
  %kh = fmul contract double %kd, {hexadecimal(_LN2_HIGH)}
  %value = fsub contract double %kh, %rest
"""


def _split(source: str) -> str:
    """%m in [sqrt(1/2), sqrt(2)) and the double %kd such that `source` is %m * 2**%kd."""
    return f"""
  %bits = bitcast double {source} to i64
  %offset = sub i64 %bits, {bits_of(math.sqrt(0.5))}
  %k = ashr i64 %offset, 52
  %exponent = shl i64 %k, 52
  %mbits = sub i64 %bits, %exponent
  %m = bitcast i64 %mbits to double
  %kbits = add i64 %k, {bits_of(_MAGIC)}
  %kmagic = bitcast i64 %kbits to double
  %kd0 = fsub double %kmagic, {hexadecimal(_MAGIC)}
"""


_LOG_BODY = f"""
  %tiny = fcmp olt double %x, {hexadecimal(2.2250738585072014e-308)}
  %lifted = fmul double %x, {hexadecimal(2.0**54)}
  %y = select i1 %tiny, double %lifted, double %x
{_split("%y")}
  %drop = select i1 %tiny, double 54.0, double 0.0
  %kd = fsub double %kd0, %drop
  %f = fsub double %m, 1.0
  %low = fmul double %kd, {hexadecimal(_LN2_LOW)}
{_LOG_TAIL}
  %finite = fcmp olt double %x, 0x7FF0000000000000
  %v1 = select i1 %finite, double %value, double %x
  %negative = fcmp olt double %x, 0.0
  %v2 = select i1 %negative, double 0x7FF8000000000000, double %v1
  %zero = fcmp oeq double %x, 0.0
  %result = select i1 %zero, double 0xFFF0000000000000, double %v2
  ret double %result
"""

_LOG1P_BODY = f"""
  %u = fadd double %x, 1.0
{_split("%u")}
  %kd = fadd double %kd0, 0.0
  ; what rounding 1 + x lost
  %ux = fsub double %u, %x
  %lost1 = fsub double 1.0, %ux
  %u1 = fsub double %u, 1.0
  %lost0 = fsub double %x, %u1
  %big = fcmp oge double %kd, 2.0
  %lost = select i1 %big, double %lost1, double %lost0
  %quotient = fdiv double %lost, %u
  %near = fcmp oeq double %kd, 0.0
  %c = select i1 %near, double 0.0, double %quotient
  %fm = fsub double %m, 1.0
  %f = select i1 %near, double %x, double %fm
  %kl = fmul contract double %kd, {hexadecimal(_LN2_LOW)}
  %low = fadd contract double %kl, %c
{_LOG_TAIL}
  %finite = fcmp olt double %x, 0x7FF0000000000000
  %v1 = select i1 %finite, double %value, double %x
  %negative = fcmp olt double %x, -1.0
  %v2 = select i1 %negative, double 0x7FF8000000000000, double %v1
  %pole = fcmp oeq double %x, -1.0
  %v3 = select i1 %pole, double 0xFFF0000000000000, double %v2
  ; -0 is its own logarithm
  %none = fcmp oeq double %x, 0.0
  %result = select i1 %none, double %x, double %v3
  ret double %result
"""

_LOG1P_UNIT = f"""
  %two = fadd double %x, 2.0
  %s = fdiv double %x, %two
  %z = fmul double %s, %s
{polynomial("%l", "%z", _ARTANH_REST)}
  ; 2 artanh(s) is 2 s + s**3 (...), and 2 s is x - s x
  %R = fmul contract double %l0, %z
  %rest = fsub contract double %x, %R
  %srest = fmul contract double %s, %rest
  %result = fsub contract double %x, %srest
  ret double %result
"""

_EXPM1 = f"""
{_reduced(-50.0, _MAGIC + 1022.0)}
{polynomial("%q", "%r", _EXP_REST)}
  %tail = fmul contract double %q0, %r2
  %p = fadd contract double %tail, %r
  ; half of 2**n p + (2**n - 1), which does not overflow before the result does
  %exponent = shl i64 %raw, 52
  %f = bitcast i64 %exponent to double
  %less = fsub double %f, 0.5
  %fp = fmul contract double %f, %p
  %half = fadd contract double %fp, %less
  %whole = fmul double %half, 2.0
  ; x itself where it is tiny, 0 and its sign among it, and where it is NaN
  %square = fmul double %x, %x
  %itself = fcmp ult double %square, {hexadecimal(2.0**-108)}
  %result = select i1 %itself, double %x, double %whole
  ret double %result
"""

# Exact to a few units: for no argument does the quotient cancel.
_TANH = """
  %a = call double @llvm.fabs.f64(double %x)
  %double = fmul double %a, -2.0
  %t = call double @exmc_vector_expm1(double %double) #3
  %down = fadd double %t, 2.0
  %up = fneg double %t
  %quotient = fdiv double %up, %down
  %result = call double @llvm.copysign.f64(double %quotient, double %x)
  ret double %result
"""

ELEMENTARY: Mapping[str, str] = MappingProxyType(
    {
        "exp": definition("exmc_vector_exp", _EXP),
        "log": definition("exmc_vector_log", _LOG_BODY),
        "log1p": definition("exmc_vector_log1p", _LOG1P_BODY),
        "log1p_unit": definition("exmc_vector_log1p_unit", _LOG1P_UNIT),
        "expm1": definition("exmc_vector_expm1", _EXPM1),
        "tanh": definition("exmc_vector_tanh", _TANH),
    }
)
"""Their definitions; log1p_unit is log1p for arguments from 0 to 1."""
