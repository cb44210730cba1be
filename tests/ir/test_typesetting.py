from __future__ import annotations

from xml.etree import ElementTree

import pytest

from exmc.ir.typesetting import Math, fenced, identifier, latex, listed, mathml, row, sign

N = Math("number", "2")


@pytest.mark.parametrize(
    ("math", "expected", "in_latex"),
    [
        (identifier("mu"), "<mi>μ</mi>", r"\mu"),
        (identifier("x"), "<mi>x</mi>", "x"),
        (identifier("rate"), "<mi>rate</mi>", r"\mathrm{rate}"),
        (identifier("alpha0"), "<msub><mi>α</mi><mn>0</mn></msub>", r"{\alpha}_{0}"),
        (identifier("Sigma"), "<mi>Σ</mi>", r"\Sigma"),
        (
            identifier("theta_raw", Math("name", "school")),
            "<msub><mi>θ</mi><mrow><mi>raw</mi><mo>,</mo><mi>school</mi></mrow></msub>",
            r"{\theta}_{\mathrm{raw} , \mathrm{school}}",
        ),
        (identifier("mom_hs"), "<mi>mom_hs</mi>", r"\mathrm{mom\_hs}"),
        (Math("fraction", parts=(N, N)), "<mfrac><mn>2</mn><mn>2</mn></mfrac>", r"\frac{2}{2}"),
        (Math("root", parts=(N,)), "<msqrt><mn>2</mn></msqrt>", r"\sqrt{2}"),
        (Math("superscript", parts=(N, N)), "<msup><mn>2</mn><mn>2</mn></msup>", "{2}^{2}"),
        (
            fenced(listed([N, N]), "⌊⌋"),
            '<mrow><mo fence="true">⌊</mo><mrow><mn>2</mn><mo>,</mo><mn>2</mn></mrow><mo fence="true">⌋</mo></mrow>',
            r"\left\lfloor 2 , 2 \right\rfloor",
        ),
        (row(N, sign("≤"), N), "<mrow><mn>2</mn><mo>≤</mo><mn>2</mn></mrow>", r"2 \le 2"),
        (Math("code", "a<b_&"), '<mtext class="code">a&lt;b_&amp;</mtext>', r"\texttt{a<b\_\&}"),
    ],
)
def test_mathematics_is_written_in_both(math: Math, expected: str, in_latex: str) -> None:
    assert mathml(math) == expected
    ElementTree.fromstring(f"<math>{mathml(math)}</math>")
    assert latex(math) == in_latex
