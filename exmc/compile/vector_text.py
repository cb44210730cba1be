"""Pieces of LLVM IR that the vectorisable functions are written in: constants, polynomials, sums, definitions."""

from __future__ import annotations

import struct


def hexadecimal(value: float) -> str:
    """A double as LLVM writes it, bit for bit."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def bits_of(value: float) -> int:
    """The bits of a double as a whole number."""
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits


def polynomial(stem: str, variable: str, coefficients: tuple[float, ...]) -> str:
    """Horner's scheme; the result is `stem`0, coefficients rise with the power."""
    last = len(coefficients) - 1
    lines = []
    for order in range(last - 1, -1, -1):
        above = f"{stem}{order + 1}" if order + 1 < last else hexadecimal(coefficients[last])
        lines.append(f"  {stem}{order}.m = fmul contract double {above}, {variable}")
        lines.append(f"  {stem}{order} = fadd contract double {stem}{order}.m, {hexadecimal(coefficients[order])}")
    return "\n".join(lines)


def total(stem: str, terms: list[str]) -> str:
    """The sum of values; the result is `stem`."""
    lines = []
    total = terms[0]
    for number, term in enumerate(terms[1:], start=1):
        name = stem if number == len(terms) - 1 else f"{stem}.{number}"
        lines.append(f"  {name} = fadd double {total}, {term}")
        total = name
    return "\n".join(lines)


def definition(name: str, body: str) -> str:
    """A function of the double %x."""
    return f"define internal double @{name}(double %x) #3 {{\nentry:\n{body.strip(chr(10))}\n}}\n"
