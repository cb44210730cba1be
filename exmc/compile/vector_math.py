"""Branch-free elementary and gamma functions as LLVM IR, which LLVM inlines into loops and vectorises.

The C library's functions are called for one element after the other, and a loop with a call stays scalar. These hold
to about one unit in the last place over the whole range, special values and subnormal numbers included. Scalar code
calls the C library. The logarithms follow fdlibm (Sun Microsystems 1993, e_log.c and s_log1p.c).

The gamma functions shift their argument beyond 8 and use Stirling's series (Abramowitz and Stegun 6.1.41, 6.3.18), with
reflection (6.1.17, 6.3.7) for negative ones. Their error is a few units in the last place of the largest term: 4e-15 of
max(1, |result|); near their zeros the error is absolute.
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


def _sum(stem: str, terms: list[str]) -> str:
    """The sum of values; the result is `stem`."""
    lines = []
    total = terms[0]
    for number, term in enumerate(terms[1:], start=1):
        name = stem if number == len(terms) - 1 else f"{stem}.{number}"
        lines.append(f"  {name} = fadd double {total}, {term}")
        total = name
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

_EXPM1 = f"""
  %high = fcmp olt double %x, {_hex(710.0)}
  %below = select i1 %high, double %x, double {_hex(710.0)}
  %low = fcmp ogt double %below, {_hex(-50.0)}
  %y = select i1 %low, double %below, double {_hex(-50.0)}
  %scaled = fmul double %y, {_hex(1.0 / math.log(2.0))}
  %shifted = fadd double %scaled, {_hex(_MAGIC)}
  %n = fsub double %shifted, {_hex(_MAGIC)}
  %nh = fmul double %n, {_hex(_LN2_HIGH)}
  %rh = fsub double %y, %nh
  %nl = fmul double %n, {_hex(_LN2_LOW)}
  %r = fsub double %rh, %nl
{_polynomial("%q", "%r", tuple(1.0 / math.factorial(k) for k in range(2, 15)))}
  %r2 = fmul double %r, %r
  %tail = fmul contract double %q0, %r2
  %p = fadd contract double %tail, %r
  ; half of 2**n p + (2**n - 1), which does not overflow before the result does
  %raw = bitcast double %shifted to i64
  %k = sub i64 %raw, {_bits(_MAGIC)}
  %biased = add i64 %k, 1022
  %exponent = shl i64 %biased, 52
  %f = bitcast i64 %exponent to double
  %less = fsub double %f, 0.5
  %fp = fmul double %f, %p
  %half = fadd double %fp, %less
  %whole = fmul double %half, 2.0
  ; x itself where it is tiny, 0 and its sign among it, and where it is NaN
  %square = fmul double %x, %x
  %itself = fcmp ult double %square, {_hex(2.0**-108)}
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

_SHIFTS = 8
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_STIRLING = tuple(b / ((2 * k + 2) * (2 * k + 1)) for k, b in enumerate(_BERNOULLI))
_DIGAMMA = tuple(b / (2 * k + 2) for k, b in enumerate(_BERNOULLI))
_SINE = tuple((-1) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(12))
_COSINE = tuple((-1) ** k * math.pi ** (2 * k) / math.factorial(2 * k) for k in range(12))


def _shifted(start: str, neutral: str) -> str:
    """%s0, %s1, … = %a, %a + 1, … where below 8 (else `neutral`); %y = %a shifted to 8 or above."""
    lines = [f"  %y0 = fadd double {start}, 0.0"]
    for k in range(_SHIFTS):
        lines += [
            f"  %a{k} = fadd double {start}, {_hex(float(k))}",
            f"  %b{k} = fcmp olt double %a{k}, {_hex(float(_SHIFTS))}",
            f"  %s{k} = select i1 %b{k}, double %a{k}, double {neutral}",
            f"  %u{k} = fadd double %y{k}, 1.0",
            f"  %y{k + 1} = select i1 %b{k}, double %u{k}, double %y{k}",
        ]
    return "\n".join([*lines, f"  %y = fadd double %y{_SHIFTS}, 0.0"])


_PRODUCT = "\n".join(f"  %p{k} = fmul double {f'%p{k - 1}' if k > 1 else '%s0'}, %s{k}" for k in range(1, _SHIFTS))

# %sine = sin(pi %a) up to sign, exactly 0 at integers.
_REDUCED = f"""
  %nearest = call double @llvm.rint.f64(double %a)
  %part = fsub double %a, %nearest
  %part2 = fmul double %part, %part
{_polynomial("%sn", "%part2", _SINE)}
  %sine = fmul double %sn0, %part
"""

_GAMMALN = f"""
  %a = call double @llvm.fabs.f64(double %x)
{_shifted("%a", "1.0")}
{_PRODUCT}
  %logp = call double @exmc_vector_log(double %p{_SHIFTS - 1}) #3
  %logy = call double @exmc_vector_log(double %y) #3
  %yh = fsub double %y, 0.5
  %main = fmul double %yh, %logy
  %w = fdiv double 1.0, %y
  %w2 = fmul double %w, %w
{_polynomial("%c", "%w2", _STIRLING)}
  %series = fmul double %c0, %w
  %m1 = fsub double %main, %y
  %m2 = fadd double %m1, {_hex(0.5 * math.log(2.0 * math.pi))}
  %m3 = fadd double %m2, %series
  %m4 = fsub double %m3, %logp
  ; the result at integers below 3 is 0, and the series infinity less infinity at infinity
  %is1 = fcmp oeq double %a, 1.0
  %is2 = fcmp oeq double %a, 2.0
  %is12 = or i1 %is1, %is2
  %m5 = select i1 %is12, double 0.0, double %m4
  %infinite = fcmp oeq double %a, 0x7FF0000000000000
  %m6 = select i1 %infinite, double %a, double %m5
{_REDUCED}
  %magnitude = call double @llvm.fabs.f64(double %sine)
  %area = fmul double %magnitude, %a
  %logarea = call double @exmc_vector_log(double %area) #3
  %n1 = fsub double {_hex(math.log(math.pi))}, %logarea
  %n2 = fsub double %n1, %m6
  %pole = fcmp oeq double %part, 0.0
  %np = select i1 %pole, double 0x7FF0000000000000, double %n2
  ; as scipy has it
  %n3 = select i1 %infinite, double %x, double %np
  %negative = fcmp olt double %x, 0.0
  %result = select i1 %negative, double %n3, double %m6
  ret double %result
"""

_DIGAMMA_BODY = f"""
  %a = call double @llvm.fabs.f64(double %x)
{_shifted("%a", "0x7FF0000000000000")}
{"".join(f"  %v{k} = fdiv double 1.0, %s{k}{chr(10)}" for k in range(_SHIFTS))}
{_sum("%total", [f"%v{k}" for k in range(_SHIFTS - 1, -1, -1)])}
  %logy = call double @exmc_vector_log(double %y) #3
  %w = fdiv double 1.0, %y
  %w2 = fmul double %w, %w
{_polynomial("%c", "%w2", _DIGAMMA)}
  %series = fmul double %c0, %w2
  %halfw = fmul double %w, 0.5
  %m1 = fsub double %logy, %halfw
  %m2 = fsub double %m1, %series
  %m3 = fsub double %m2, %total
{_REDUCED}
{_polynomial("%cs", "%part2", _COSINE)}
  %cot = fdiv double %cs0, %sine
  %picot = fmul double %cot, {_hex(math.pi)}
  %inverse = fdiv double 1.0, %a
  %n1 = fadd double %m3, %inverse
  %n2 = fadd double %n1, %picot
  ; a pole has a sign at 0 only
  %pole = fcmp oeq double %part, 0.0
  %n3 = select i1 %pole, double 0x7FF8000000000000, double %n2
  %negative = fcmp olt double %x, 0.0
  %n4 = select i1 %negative, double %n3, double %m3
  %zero = fcmp oeq double %x, 0.0
  %infinity = call double @llvm.copysign.f64(double 0xFFF0000000000000, double %x)
  %signed = fneg double %infinity
  %result = select i1 %zero, double %signed, double %n4
  ret double %result
"""

VECTOR_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "exp": _define("exmc_vector_exp", _EXP),
        "log": _define("exmc_vector_log", _LOG_BODY),
        "log1p": _define("exmc_vector_log1p", _LOG1P_BODY),
        "expm1": _define("exmc_vector_expm1", _EXPM1),
        "tanh": _define("exmc_vector_tanh", _TANH),
        "gammaln": _define("exmc_vector_gammaln", _GAMMALN),
        "digamma": _define("exmc_vector_digamma", _DIGAMMA_BODY),
    }
)
"""The definition of `exmc_vector_NAME` for each function NAME of the C library or scipy that has one."""

VECTOR_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"tanh": ("expm1",), "gammaln": ("log",), "digamma": ("log",)}
)
"""Which others a function calls."""

VECTOR_INTRINSICS: Mapping[str, str] = MappingProxyType(
    {
        "llvm.fabs.f64": "declare double @llvm.fabs.f64(double)",
        "llvm.rint.f64": "declare double @llvm.rint.f64(double)",
        "llvm.copysign.f64": "declare double @llvm.copysign.f64(double, double)",
    }
)
"""The declarations that the definitions need."""

VECTOR_ATTRIBUTES = "attributes #3 = { alwaysinline nounwind willreturn memory(none) }"
