"""Mathematical text as a value, and how it is written in MathML and in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeAlias

Form: TypeAlias = Literal[
    "symbol", "name", "number", "sign", "code", "row", "fraction", "subscript", "superscript", "root", "fence"
]


@dataclass(frozen=True, slots=True)
class Math:
    """A piece of mathematical text.

    `text` is what a leaf shows: a ``symbol`` (one letter, slanted), a ``name`` (upright), a ``number``, a ``sign``, or
    ``code``. Of the others `parts` are what they are made of: a ``row`` of any, a ``fraction`` or a base with its
    ``subscript`` or ``superscript`` of two, a ``root`` or what a ``fence`` (whose two characters are `text`) holds of
    one.
    """

    form: Form
    text: str = ""
    parts: tuple[Math, ...] = ()


_CODES = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "omicron": "ο", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
GREEK = _CODES | {name.capitalize(): code.upper() for name, code in _CODES.items()}
"""Greek letters by the names that variables have."""

_LATEX_SIGNS = {
    "~": r"\sim", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "·": r"\cdot", "−": "-", "∑": r"\sum", "∏": r"\prod",
    "∧": r"\land", "∨": r"\lor", "¬": r"\lnot", "∈": r"\in", "⌊": r"\lfloor", "⌋": r"\rfloor",
}  # fmt: skip
_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
}  # fmt: skip


def row(*parts: Math) -> Math:
    """`parts` beside each other."""
    return parts[0] if len(parts) == 1 else Math("row", parts=parts)


def sign(text: str) -> Math:
    """An operator or a relation."""
    return Math("sign", text)


def fenced(inner: Math, around: str = "()") -> Math:
    """`inner` between the two characters `around`."""
    return Math("fence", around, (inner,))


def listed(parts: Sequence[Math]) -> Math:
    """`parts` with commas between them."""
    spaced = [piece for part in parts for piece in (sign(","), part)][1:]
    return row(*spaced) if spaced else Math("row")


def identifier(name: str, *indices: Math) -> Math:
    """A variable: a Greek letter if it has the name of one, the rest of a name after ``_`` and `indices` below it."""
    head, _, tail = name.partition("_")
    letter = head.rstrip("0123456789")
    if letter in GREEK or (len(letter) == 1 and letter.isalpha()):
        base: Math = Math("symbol", GREEK.get(letter, letter))
        below = [Math("number", head[len(letter) :])] if letter != head else []
        below += ([Math("name", tail.replace("_", " "))] if tail else []) + list(indices)
    else:
        base, below = Math("name", name), list(indices)
    return Math("subscript", parts=(base, listed(below))) if below else base


def mathml(math: Math) -> str:
    """`math` as presentation MathML, without the element ``math`` around it."""
    inner = [mathml(part) for part in math.parts]
    if math.form == "fence":
        left, right = (f'<mo fence="true">{escape(c)}</mo>' for c in math.text)
        return f"<mrow>{left}{inner[0]}{right}</mrow>"
    elements = {"fraction": "mfrac", "subscript": "msub", "superscript": "msup", "root": "msqrt", "row": "mrow"}
    if math.form in elements:
        element = elements[math.form]
        return f"<{element}>{''.join(inner)}</{element}>"
    text = escape(math.text)
    if math.form == "name":
        # Of more than one letter it is upright by itself.
        return f'<mi mathvariant="normal">{text}</mi>' if len(math.text) == 1 else f"<mi>{text}</mi>"
    if math.form == "code":
        return f'<mtext class="code">{text}</mtext>'
    return {"symbol": f"<mi>{text}</mi>", "number": f"<mn>{text}</mn>", "sign": f"<mo>{text}</mo>"}[math.form]


def latex(math: Math) -> str:
    """`math` in LaTeX's math mode."""
    inner = [latex(part) for part in math.parts]
    if math.form == "row":
        return " ".join(inner)
    if math.form == "fraction":
        return rf"\frac{{{inner[0]}}}{{{inner[1]}}}"
    if math.form in ("subscript", "superscript"):
        return f"{{{inner[0]}}}{'_' if math.form == 'subscript' else '^'}{{{inner[1]}}}"
    if math.form == "root":
        return rf"\sqrt{{{inner[0]}}}"
    if math.form == "fence":
        left, right = (_LATEX_SIGNS.get(c, rf"\{c}" if c in "{}" else c) for c in math.text)
        return rf"\left{left} {inner[0]} \right{right}"
    if math.form == "sign":
        return _LATEX_SIGNS.get(math.text, math.text)
    if math.form == "symbol":
        letters = {code: name for name, code in GREEK.items()}
        return rf"\{letters[math.text]}" if math.text in letters else math.text
    escaped = "".join(_LATEX_SPECIAL.get(c, c) for c in math.text)
    return {"name": rf"\mathrm{{{escaped}}}", "code": rf"\texttt{{{escaped}}}"}.get(math.form, escaped)
