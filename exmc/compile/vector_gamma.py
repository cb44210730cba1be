"""Gamma functions as LLVM IR.

They shift their argument beyond 8 and use Stirling's series (Abramowitz and Stegun 6.1.41, 6.3.18), with reflection
(6.1.17, 6.3.7) for negative ones. Their error is a few units in the last place of the largest term: 4e-15 of
max(1, |result|); near their zeros the error is absolute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from exmc.compile.vector_text import definition, hexadecimal, polynomial, total

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
            f"  %a{k} = fadd double {start}, {hexadecimal(float(k))}",
            f"  %b{k} = fcmp olt double %a{k}, {hexadecimal(float(_SHIFTS))}",
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
{polynomial("%sn", "%part2", _SINE)}
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
{polynomial("%c", "%w2", _STIRLING)}
  %series = fmul double %c0, %w
  %m1 = fsub double %main, %y
  %m2 = fadd double %m1, {hexadecimal(0.5 * math.log(2.0 * math.pi))}
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
  %n1 = fsub double {hexadecimal(math.log(math.pi))}, %logarea
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
{total("%total", [f"%v{k}" for k in range(_SHIFTS - 1, -1, -1)])}
  %logy = call double @exmc_vector_log(double %y) #3
  %w = fdiv double 1.0, %y
  %w2 = fmul double %w, %w
{polynomial("%c", "%w2", _DIGAMMA)}
  %series = fmul double %c0, %w2
  %halfw = fmul double %w, 0.5
  %m1 = fsub double %logy, %halfw
  %m2 = fsub double %m1, %series
  %m3 = fsub double %m2, %total
{_REDUCED}
{polynomial("%cs", "%part2", _COSINE)}
  %cot = fdiv double %cs0, %sine
  %picot = fmul double %cot, {hexadecimal(math.pi)}
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

GAMMA: Mapping[str, str] = MappingProxyType(
    {
        "gammaln": definition("exmc_vector_gammaln", _GAMMALN),
        "digamma": definition("exmc_vector_digamma", _DIGAMMA_BODY),
    }
)
"""Their definitions."""
