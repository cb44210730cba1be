"""The machine code of trigamma, which the C library lacks: a shift to large arguments, then a series."""

from __future__ import annotations

from exmc.compile.lower_text import Writer

_TRIGAMMA = """
define internal double @exmc_trigamma(double %argument) #1 {
entry:
  %left = fcmp ole double %argument, 0.0
  br i1 %left, label %reflect, label %start
reflect:
  ; trigamma(x) = (pi / sin(pi x))**2 - trigamma(1 - x), a pole at each integer
  %whole = call double @llvm.rint.f64(double %argument)
  %difference = fsub double %argument, %whole
  %integer = fcmp oeq double %argument, %whole
  %fraction = select i1 %integer, double 0.0, double %difference
  %angle = fmul double %fraction, 0x400921FB54442D18
  %sine = call double @sin(double %angle)
  %ratio = fdiv double 0x400921FB54442D18, %sine
  %squared = fmul double %ratio, %ratio
  %mirror = fsub double 1.0, %argument
  br label %start
start:
  %x0 = phi double [ %argument, %entry ], [ %mirror, %reflect ]
  %image = phi double [ 0.0, %entry ], [ %squared, %reflect ]
  br label %shift
shift:
  %x = phi double [ %x0, %start ], [ %next, %more ]
  %sum = phi double [ 0.0, %start ], [ %total, %more ]
  %small = fcmp olt double %x, 1.2e1
  br i1 %small, label %more, label %series
more:
  %xx = fmul double %x, %x
  %term = fdiv double 1.0, %xx
  %total = fadd double %sum, %term
  %next = fadd double %x, 1.0
  br label %shift
series:
  ; Abramowitz and Stegun 6.4.12, to the term in x**-15
  %r = fdiv double 1.0, %x
  %r2 = fmul double %r, %r
@terms@
  %half = fmul double %r, 5.0e-1
  %inner = fadd double %half, %p0
  %tail = fmul double %inner, %r
  %result = fadd double %sum, %tail
  br i1 %left, label %mirrored, label %done
mirrored:
  %reflected = fsub double %image, %result
  ret double %reflected
done:
  ret double %result
}
"""


def trigamma_text() -> str:
    """The definition of the helper for trigamma."""
    bernoulli = (1.0, 1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    writer = Writer()
    lines = [f"  %p{len(bernoulli) - 1} = fadd double 0.0, {writer.number(bernoulli[-1]).name}"]
    for order in range(len(bernoulli) - 2, -1, -1):
        lines.append(f"  %m{order} = fmul double %p{order + 1}, %r2")
        lines.append(f"  %p{order} = fadd double %m{order}, {writer.number(bernoulli[order]).name}")
    return _TRIGAMMA.replace("@terms@", "\n".join(lines))
