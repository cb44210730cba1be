"""`exmc explain`: text, drawings and the page, before and after the passes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from pipelines.cli import main

EIGHT = str(Path(__file__).parents[2] / "configs" / "eight_schools.yaml")


@pytest.mark.parametrize(
    ("arguments", "expected", "absent"),
    [
        ([], "non-centred", "flowchart"),
        (["--mermaid"], "flowchart TD", "theta_raw"),
        (["--mermaid", "--after", "noncenter"], "theta_raw", "->>"),
        (["--dot"], "digraph model", "theta_raw"),
        (["--latex", "--after", "noncenter"], r"{\theta}_{\mathrm{raw} , \mathrm{school}} &\sim", "digraph"),
        (["--after", "noncenter"], "theta_raw[school] ~ Normal", "because"),
    ],
)
def test_a_model_is_told_in_text(
    arguments: list[str], expected: str, absent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", EIGHT, *arguments]) == 0
    said = capsys.readouterr().out
    assert expected in said
    assert absent not in said


@pytest.mark.parametrize(("ending", "beginning"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg")])
def test_it_is_drawn_before_and_after(ending: str, beginning: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"model.{ending}"
    assert main(["explain", EIGHT, "--out", str(path)]) == 0
    content = path.read_bytes()
    assert content.startswith(beginning)
    if ending == "svg":
        texts = [text.text for text in ElementTree.fromstring(content).iter("{http://www.w3.org/2000/svg}text")]
        # The pass that only chooses transforms changes nothing one could see.
        assert [text for text in texts if text and text.startswith(("As ", "After "))] == [
            "As written",
            "After noncenter",
        ]


def test_the_page_says_what_was_changed_and_why(tmp_path: Path) -> None:
    path = tmp_path / "model.html"
    assert main(["explain", EIGHT, "--out", str(path)]) == 0
    page = path.read_text()
    assert page.count("<svg") == 2
    assert "because the data do not tell" in page
    assert "After default_transforms" in page


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["--after", "noncentre"], "Did you mean 'noncenter'"), (["--out", "model.gif"], ".html, .svg, .png, .pdf")],
)
def test_mistakes_are_named(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", EIGHT, *arguments]) == 2
    assert expected in capsys.readouterr().err
