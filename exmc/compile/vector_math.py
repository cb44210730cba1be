"""Branch-free exp, log and log1p as LLVM IR, which LLVM inlines into loops and vectorises.

The C library's functions are called for one element after the other, and a loop with a call stays scalar. These hold
to about one unit in the last place over the whole range, special values and subnormal numbers included. Scalar code
calls the C library. The logarithms follow fdlibm (Sun Microsystems 1993, e_log.c and s_log1p.c).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from types import MappingProxyType

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


def _hex(value: float) -> str:
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def _bits(value: float) -> int:
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits


def _polynomial(stem: str, variable: str, coefficients: tuple[float, ...]) -> str:
    """Horner's scheme; the result is `stem`0, coefficients rise with the power."""
    last = len(coefficients) - 1
    lines = []
    for order in range(last - 1, -1, -1):
        above = f"{stem}{order + 1}" if order + 1 < last else _hex(coefficients[last])
        lines.append(f"  {stem}{order}.m = fmul contract double {above}, {variable}")
        lines.append(f"  {stem}{order} = fadd contract double {stem}{order}.m, {_hex(coefficients[order])}")
    return "\n".join(lines)


def _define(name: str, body: str) -> str:
    return f"define internal double @{name}(double %x) #3 {{\nentry:\n{body.strip(chr(10))}\n}}\n"


_EXP = f"""
  %high = fcmp olt double %x, {_hex(710.0)}
  %below = select i1 %high, double %x, double {_hex(710.0)}
  %low = fcmp ogt double %below, {_hex(-746.0)}
  %y = select i1 %low, double %below, double {_hex(-746.0)}
  %scaled = fmul double %y, {_hex(1.0 / math.log(2.0))}
  %shifted = fadd double %scaled, {_hex(_MAGIC)}
  %n = fsub double %shifted, {_hex(_MAGIC)}
  %nh = fmul double %n, {_hex(_LN2_HIGH)}
  %rh = fsub double %y, %nh
  %nl = fmul double %n, {_hex(_LN2_LOW)}
  %r = fsub double %rh, %nl
{_polynomial("%q", "%r", tuple(1.0 / math.factorial(k) for k in range(2, 14)))}
  %r2 = fmul double %r, %r
  %tail = fmul contract double %q0, %r2
  %sum = fadd contract double %tail, %r
  %p = fadd double %sum, 1.0
  ; 2**n in two factors, so that results below the normal range round once
  %raw = bitcast double %shifted to i64
  %k = sub i64 %raw, {_bits(_MAGIC)}
  %k1 = ashr i64 %k, 1
  %k2 = sub i64 %k, %k1
  %b1 = add i64 %k1, 1023
  %e1 = shl i64 %b1, 52
  %f1 = bitcast i64 %e1 to double
  %b2 = add i64 %k2, 1023
  %e2 = shl i64 %b2, 52
  %f2 = bitcast i64 %e2 to double
  %half = fmul double %p, %f1
  %whole = fmul double %half, %f2
  %nan = fcmp uno double %x, 0.0
  %result = select i1 %nan, double %x, double %whole
  ret double %result
"""

# The logarithm of %m * 2**%k, less %c / %u: %f is %m - 1.
_LOG_TAIL = f"""
  %two = fadd double %f, 2.0
  %s = fdiv double %f, %two
  %z = fmul double %s, %s
{_polynomial("%l", "%z", _LOG)}
  %R = fmul double %l0, %z
  %ff = fmul double %f, %f
  %hfsq = fmul double %ff, 0.5
  %hr = fadd double %hfsq, %R
  %shr = fmul double %s, %hr
  %kl = fmul double %kd, {_hex(_LN2_LOW)}
  %low = fadd double %kl, %c
  %inner = fadd double %shr, %low
  %outer = fsub double %hfsq, %inner
  %rest = fsub double %outer, %f
  %kh = fmul double %kd, {_hex(_LN2_HIGH)}
  %value = fsub double %kh, %rest
"""


def _split(source: str) -> str:
    """%m in [sqrt(1/2), sqrt(2)) and the double %kd such that `source` is %m * 2**%kd."""
    return f"""
  %bits = bitcast double {source} to i64
  %offset = sub i64 %bits, {_bits(math.sqrt(0.5))}
  %k = ashr i64 %offset, 52
  %exponent = shl i64 %k, 52
  %mbits = sub i64 %bits, %exponent
  %m = bitcast i64 %mbits to double
  %kbits = add i64 %k, {_bits(_MAGIC)}
  %kmagic = bitcast i64 %kbits to double
  %kd0 = fsub double %kmagic, {_hex(_MAGIC)}
"""


_LOG_BODY = f"""
  %tiny = fcmp olt double %x, {_hex(2.2250738585072014e-308)}
  %lifted = fmul double %x, {_hex(2.0**54)}
  %y = select i1 %tiny, double %lifted, double %x
{_split("%y")}
  %drop = select i1 %tiny, double 54.0, double 0.0
  %kd = fsub double %kd0, %drop
  %f = fsub double %m, 1.0
  %c = fadd double 0.0, 0.0
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

VECTOR_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "exp": _define("exmc_vector_exp", _EXP),
        "log": _define("exmc_vector_log", _LOG_BODY),
        "log1p": _define("exmc_vector_log1p", _LOG1P_BODY),
    }
)
"""The definition of `exmc_vector_NAME` for each function NAME of the C library that has one."""

VECTOR_ATTRIBUTES = "attributes #3 = { alwaysinline nounwind willreturn memory(none) }"
